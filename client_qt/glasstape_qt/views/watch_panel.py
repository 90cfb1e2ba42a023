"""The watch table with its filter, its groups and its legend."""

import csv
from collections.abc import Iterable
from pathlib import Path

from PyQt6.QtCore import QPoint, Qt, QTimer, pyqtSignal
from PyQt6.QtGui import QHideEvent, QShowEvent
from PyQt6.QtWidgets import (
    QComboBox,
    QFileDialog,
    QHBoxLayout,
    QInputDialog,
    QLabel,
    QLineEdit,
    QMenu,
    QMessageBox,
    QVBoxLayout,
    QWidget,
)

from glasstape_qt.i18n import say
from glasstape_qt.look.appearance import Appearance
from glasstape_qt.models.watch import COLUMNS, WatchModel
from glasstape_qt.state.desk import Changes, Desk
from glasstape_qt.state.preferences import Preferences
from glasstape_qt.views.legend import RampLegend
from glasstape_qt.views.watch_table import WatchTable

ARRANGE_MILLISECONDS = 1000
"""Rows are sorted anew this often, not on every event."""


class WatchPanel(QWidget):
    """Everything about the list of symbols."""

    kept = pyqtSignal()
    """Groups or columns have changed."""
    opened = pyqtSignal(str, str)
    """Symbol and place of a detail to open."""

    def __init__(self, desk: Desk, appearance: Appearance, preferences: Preferences) -> None:
        super().__init__()
        self._desk, self._preferences = desk, preferences
        self.model = WatchModel(desk, self)
        self.table = WatchTable(self.model, appearance)
        self.search = QLineEdit()
        self.search.setObjectName("watchFilter")
        self.search.setClearButtonEnabled(True)
        self.groups = QComboBox()
        self.groups.setObjectName("groupChoice")
        self.legend = RampLegend(appearance)
        self._count = QLabel()
        self._empty = QLabel()
        self._empty.setAlignment(Qt.AlignmentFlag.AlignCenter)
        self._empty.setWordWrap(True)
        top = QHBoxLayout()
        for widget, stretch in ((self.search, 1), (self.groups, 0)):
            top.addWidget(widget, stretch)
        bottom = QHBoxLayout()
        bottom.addWidget(self.legend)
        bottom.addStretch(1)
        bottom.addWidget(self._count)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(6, 6, 6, 6)
        layout.addLayout(top)
        layout.addWidget(self.table, 1)
        layout.addWidget(self._empty, 1)
        layout.addLayout(bottom)
        self.table.opened.connect(self.opened)
        self.search.textChanged.connect(self._filter)
        self.groups.currentIndexChanged.connect(self._filter)
        self.table.setContextMenuPolicy(Qt.ContextMenuPolicy.CustomContextMenu)
        self.table.customContextMenuRequested.connect(self._row_menu)
        header = self.table.horizontalHeader()
        if header is not None:
            header.setContextMenuPolicy(Qt.ContextMenuPolicy.CustomContextMenu)
            header.customContextMenuRequested.connect(self._column_menu)
        self._fresh = desk.connection.fresh
        self._timer = QTimer(self)
        self._timer.timeout.connect(self._tick)
        for name in preferences.hidden_columns:
            if name in COLUMNS[1:]:
                self.table.setColumnHidden(COLUMNS.index(name), True)
        appearance.changed.connect(self.restyle)
        self.restyle()

    def showEvent(self, event: QShowEvent | None) -> None:
        """What is in view is kept in order."""
        self._timer.start(ARRANGE_MILLISECONDS)
        super().showEvent(event)

    def hideEvent(self, event: QHideEvent | None) -> None:
        """What is not, is not."""
        self._timer.stop()
        super().hideEvent(event)

    def restyle(self) -> None:
        """Another look or language."""
        self.search.setPlaceholderText(say("watch.filter"))
        self.search.setToolTip(say("watch.filter_help"))
        self.search.setAccessibleName(say("watch.filter"))
        self.groups.setAccessibleName(say("watch.groups"))
        self.table.setAccessibleName(say("watch.title"))
        self._fill_groups()
        self.model.retranslate()
        self._tell()

    def take(self, changes: Changes) -> None:
        """The desk has changed."""
        self.model.in_view = self._desk.in_view = self.table.symbols_in_view()
        self.model.take(changes.rows, reset=changes.reset)
        if changes.flashed:
            self.table.glow()
        model = self._desk.model
        own = self._desk.alerts.rules.threshold
        usual = model.alert_threshold if model is not None else None
        self.legend.show_model(model, usual if own is None else own)
        self._tell()

    def watch_link(self) -> None:
        """Rows fade when the link is down, and come back with it."""
        fresh = self._desk.connection.fresh
        if fresh is not self._fresh:
            self._fresh = fresh
            self.model.refresh_clock()
            self.table.restyle()

    def export(self, path: Path) -> None:
        """Write the shown rows as CSV, with what a program needs to check them again.

        Raises:
            OSError: it cannot be written.
        """
        with path.open("w", newline="", encoding="utf-8-sig") as file:
            writer = csv.writer(file)
            writer.writerow(
                ["sequence", "symbol", "name", "bar_close_time", "close", "change", "down", "flat", "up", "direction",
                 "abstained", "novelty", "expire_time", "model", "model_digest", "data_state"]
            )  # fmt: skip
            for symbol in self.model.symbols:
                row = self._desk.rows[symbol]
                event, signal, said = row.event, row.event.signal, row.event.signal.confidence
                writer.writerow(
                    [event.sequence, symbol, _unfooled(row.instrument.local_name or row.instrument.name),
                     event.bar_close_time.isoformat(), signal.bar.close, signal.change, said.down, said.flat, said.up,
                     said.direction.name, said.abstained, said.novelty, signal.expire_time.isoformat(),
                     f"{event.model.name}@{event.model.version}", event.model.digest, signal.data_state.value]
                )  # fmt: skip

    def ask_export(self) -> None:
        """Ask where, then write."""
        name, _ = QFileDialog.getSaveFileName(self, say("watch.export"), "glasstape.csv", "CSV (*.csv)")
        if name:
            try:
                self.export(Path(name))
            except OSError as error:
                QMessageBox.warning(self, say("watch.export"), say("file.not_written", error=error))

    def _tick(self) -> None:
        self.model.arrange()
        self.model.refresh_clock()

    def _filter(self) -> None:
        name = self.groups.currentData()
        group = self._preferences.groups.get(name) if name else None
        self.model.filter(self.search.text(), group)
        self._tell()

    def _tell(self) -> None:
        shown, known = len(self.model.symbols), len(self._desk.rows)
        self._count.setText(say("watch.count", shown=shown, known=known))
        self._empty.setText(say("watch.no_match") if known else say("watch.nothing"))
        self._empty.setVisible(shown == 0)
        self.table.setVisible(shown > 0)

    def _fill_groups(self) -> None:
        chosen = self.groups.currentData()
        self.groups.blockSignals(True)
        self.groups.clear()
        self.groups.addItem(say("watch.all"), "")
        for name, symbols in sorted(self._preferences.groups.items()):
            self.groups.addItem(f"{name} ({len(symbols)})", name)
        self.groups.setCurrentIndex(max(0, self.groups.findData(chosen)))
        self.groups.blockSignals(False)

    def add_to_group(self, name: str, symbols: Iterable[str]) -> None:
        """Put symbols into a named group."""
        known = self._preferences.groups.get(name, [])
        self._preferences.groups[name] = [*known, *(symbol for symbol in symbols if symbol not in known)]
        self._fill_groups()
        self._filter()
        self.kept.emit()

    def remove_from_group(self, name: str, symbols: Iterable[str]) -> None:
        """Take symbols out of a group; an empty group is deleted."""
        gone = set(symbols)
        left = [symbol for symbol in self._preferences.groups.get(name, []) if symbol not in gone]
        self._preferences.groups[name] = left
        if not left:
            del self._preferences.groups[name]
        self._fill_groups()
        self._filter()
        self.kept.emit()

    def _row_menu(self, point: QPoint) -> None:
        symbols = self.table.selected_symbols()
        if symbols:
            self.row_menu(symbols).exec(self.table.mapToGlobal(point))

    def row_menu(self, symbols: list[str]) -> QMenu:
        """What can be done with selected rows."""
        menu = QMenu(self)
        for place in ("", "tab", "window"):
            menu.addAction(
                say(f"open.{place or 'detail'}"), lambda place=place: self.opened.emit(symbols[0], place)
            )
        menu.addSeparator()
        menu.addAction(say("watch.copy"), self.table.copy)
        menu.addAction(say("watch.export"), self.ask_export)
        menu.addSeparator()
        for name in sorted(self._preferences.groups):
            menu.addAction(
                say("watch.add_to", group=name), lambda name=name: self.add_to_group(name, symbols)
            )
        menu.addAction(say("watch.new_group"), lambda: self._new_group(symbols))
        current = self.groups.currentData()
        if current:
            menu.addAction(
                say("watch.remove_from", group=current), lambda: self.remove_from_group(current, symbols)
            )
        return menu

    def _new_group(self, symbols: list[str]) -> None:
        name, accepted = QInputDialog.getText(self, say("watch.new_group"), say("watch.group_name"))
        if accepted and name.strip():
            self.add_to_group(name.strip(), symbols)

    def _column_menu(self, point: QPoint) -> None:
        self.column_menu().exec(self.table.mapToGlobal(point))

    def column_menu(self) -> QMenu:
        """Which columns are shown; the code always is."""
        menu = QMenu(self)
        for number, name in enumerate(COLUMNS[1:], start=1):
            action = menu.addAction(say(f"column.{name}"), lambda number=number: self._toggle_column(number))
            if action is not None:
                action.setCheckable(True)
                action.setChecked(not self.table.isColumnHidden(number))
        menu.addSeparator()
        menu.addAction(say("watch.reset_columns"), self.reset_columns)
        return menu

    def reset_columns(self) -> None:
        """Every column, in its usual place and width."""
        header = self.table.horizontalHeader()
        for number in range(len(COLUMNS)):
            self.table.setColumnHidden(number, False)
            if header is not None:
                header.moveSection(header.visualIndex(number), number)
        self._preferences.hidden_columns = []
        self.table.fit()

    def _toggle_column(self, number: int) -> None:
        self.table.setColumnHidden(number, not self.table.isColumnHidden(number))
        self._preferences.hidden_columns = [
            name for place, name in enumerate(COLUMNS) if self.table.isColumnHidden(place)
        ]
        self.kept.emit()


def _unfooled(text: str) -> str:
    """Spreadsheets take what begins like this for a formula; names come from the server."""
    return f"'{text}" if text[:1] in ("=", "+", "-", "@", "\t") else text


if __name__ == "__main__":
    from glasstape_qt.alone import show

    show(lambda made: WatchPanel(made.desk, made.appearance, made.preferences))
