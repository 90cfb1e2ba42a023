"""The watch table with its filter, its groups and its legend."""

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
    QMenu,
    QMessageBox,
    QVBoxLayout,
    QWidget,
)

from glasstape_qt.i18n import tr
from glasstape_qt.models.watch_columns import COLUMNS, RANK
from glasstape_qt.models.watch_model import WatchModel
from glasstape_qt.state.preferences import Preferences
from glasstape_qt.state.signal_store import SignalStore
from glasstape_qt.state.store_changes import StoreChanges
from glasstape_qt.theme.appearance import Appearance
from glasstape_qt.views.flow_layout import FlowLayout
from glasstape_qt.views.search_field import SearchField
from glasstape_qt.views.watch.ramp_legend import RampLegend
from glasstape_qt.views.watch.watch_csv import write_csv
from glasstape_qt.views.watch.watch_table import WatchTable

ARRANGE_INTERVAL_MS = 1000
"""Rows are sorted again this often, not on every event."""


class WatchPanel(QWidget):
    """Filter, group selection, table, legend and row count."""

    preferences_changed = pyqtSignal()
    """Groups or columns have changed."""
    detail_requested = pyqtSignal(str, str)
    """Symbol and place ("", "tab" or "window") of a detail to open."""

    def __init__(self, store: SignalStore, appearance: Appearance, preferences: Preferences) -> None:
        super().__init__()
        self._store, self._preferences = store, preferences
        self.model = WatchModel(store, self)
        self.table = WatchTable(self.model, appearance)
        self.search = SearchField()
        self.search.setObjectName("watchFilter")
        self.search.setMinimumWidth(120)
        self.groups = QComboBox()
        self.groups.setObjectName("groupChoice")
        self.legend = RampLegend(appearance)
        self._count = QLabel()
        self._count.setObjectName("watchCount")
        self._placeholder = QLabel()
        self._placeholder.setObjectName("watchPlaceholder")
        self._placeholder.setAlignment(Qt.AlignmentFlag.AlignCenter)
        self._placeholder.setWordWrap(True)
        top = FlowLayout()
        for widget in (self.search, self.groups):
            top.addWidget(widget)
        bottom = QHBoxLayout()
        bottom.addWidget(self.legend, 100)
        bottom.addStretch(1)
        bottom.addWidget(self._count)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(6, 6, 6, 6)
        layout.addLayout(top)
        layout.addWidget(self.table, 1)
        layout.addWidget(self._placeholder, 1)
        layout.addLayout(bottom)
        self.table.detail_requested.connect(self.detail_requested)
        self.search.typed.connect(self._apply_filter)
        self.groups.currentIndexChanged.connect(self._apply_filter)
        self.table.setContextMenuPolicy(Qt.ContextMenuPolicy.CustomContextMenu)
        self.table.customContextMenuRequested.connect(self._show_row_menu)
        header = self.table.horizontalHeader()
        if header is not None:
            header.setContextMenuPolicy(Qt.ContextMenuPolicy.CustomContextMenu)
            header.customContextMenuRequested.connect(self._show_column_menu)
        self._fresh = store.connection.fresh
        self._ranked = False
        """Whether a visible row had a rank since the store was reset."""
        self._timer = QTimer(self)
        self._timer.timeout.connect(self._arrange)
        for name in preferences.hidden_columns:
            if name in COLUMNS[1:]:
                self.table.setColumnHidden(COLUMNS.index(name), True)
        self._show_rank_column()
        appearance.changed.connect(self.restyle)
        self.restyle()

    def showEvent(self, event: QShowEvent | None) -> None:
        """Start sorting rows."""
        self._timer.start(ARRANGE_INTERVAL_MS)
        super().showEvent(event)

    def hideEvent(self, event: QHideEvent | None) -> None:
        """Stop sorting rows."""
        self._timer.stop()
        super().hideEvent(event)

    def restyle(self) -> None:
        """Apply theme and language."""
        self.search.setPlaceholderText(tr("watch.filter"))
        self.search.setToolTip(tr("watch.filter_help"))
        self.search.setAccessibleName(tr("watch.filter"))
        self.groups.setAccessibleName(tr("watch.groups"))
        self.table.setAccessibleName(tr("watch.title"))
        self._fill_groups()
        self.model.retranslate()
        self._update_labels()

    def apply_changes(self, changes: StoreChanges) -> None:
        """Show what changed in the store."""
        self.model.in_view = self._store.in_view = self.table.symbols_in_view()
        self.model.update_rows(changes.rows | changes.quotes, reset=changes.reset)
        if changes.described:
            self.model.arrange()
        self._ranked = self._ranked and not changes.reset
        self._show_rank_column()
        if changes.flashed or changes.quotes:
            self.table.flash()
        model = self._store.model
        own = self._store.alerts.rules.threshold
        default = model.alert_threshold if model is not None else None
        self.legend.show_model(model, default if own is None else own)
        self._update_labels()

    def update_freshness(self) -> None:
        """Fade the rows while the connection is down."""
        fresh = self._store.connection.fresh
        if fresh is not self._fresh:
            self._fresh = fresh
            self.model.refresh_clock()
            self.table.restyle()

    def export(self, path: Path) -> None:
        """Write the shown rows as CSV, with sequences and digests to look them up.

        Raises:
            OSError: the file cannot be written.
        """
        rows = self._store.rows
        write_csv(path, [rows[symbol] for symbol in self.model.symbols if symbol in rows])

    def export_dialog(self) -> None:
        """Let the user select a file, then export to it."""
        name, _ = QFileDialog.getSaveFileName(self, tr("watch.export"), "glasstape.csv", "CSV (*.csv)")
        if name:
            try:
                self.export(Path(name))
            except OSError as error:
                QMessageBox.warning(self, tr("watch.export"), tr("file.not_written", error=error))

    def add_to_group(self, name: str, symbols: Iterable[str]) -> None:
        """Add symbols to a named group."""
        members = self._preferences.groups.get(name, [])
        self._preferences.groups[name] = [*members, *(symbol for symbol in symbols if symbol not in members)]
        self._groups_changed()

    def remove_from_group(self, name: str, symbols: Iterable[str]) -> None:
        """Remove symbols from a group; an empty group is deleted."""
        removed = set(symbols)
        left = [symbol for symbol in self._preferences.groups.get(name, []) if symbol not in removed]
        self._preferences.groups[name] = left
        if not left:
            del self._preferences.groups[name]
        self._groups_changed()

    def row_menu(self, symbols: list[str]) -> QMenu:
        """Return the context menu of selected rows."""
        menu = QMenu(self)
        for place in ("", "tab", "window"):
            menu.addAction(
                tr(f"open.{place or 'detail'}"),
                lambda place=place: self.detail_requested.emit(symbols[0], place),
            )
        menu.addSeparator()
        menu.addAction(tr("watch.copy"), self.table.copy)
        menu.addAction(tr("watch.export"), self.export_dialog)
        menu.addSeparator()
        for name in sorted(self._preferences.groups):
            menu.addAction(tr("watch.add_to", group=name), lambda name=name: self.add_to_group(name, symbols))
        menu.addAction(tr("watch.new_group"), lambda: self._new_group(symbols))
        current = self.groups.currentData()
        if current:
            menu.addAction(
                tr("watch.remove_from", group=current), lambda: self.remove_from_group(current, symbols)
            )
        return menu

    def column_menu(self) -> QMenu:
        """Return the menu of columns to show; the code is always shown."""
        menu = QMenu(self)
        for number, name in enumerate(COLUMNS[1:], start=1):
            action = menu.addAction(tr(f"column.{name}"), lambda number=number: self._toggle_column(number))
            if action is not None:
                action.setCheckable(True)
                action.setEnabled(number != RANK or self._ranked)
                action.setChecked(not self.table.isColumnHidden(number))
        menu.addSeparator()
        menu.addAction(tr("watch.reset_columns"), self.reset_columns)
        return menu

    def reset_columns(self) -> None:
        """Show every column in its default place and width."""
        header = self.table.horizontalHeader()
        for number in range(len(COLUMNS)):
            self.table.setColumnHidden(number, False)
            if header is not None:
                header.moveSection(header.visualIndex(number), number)
        self._preferences.hidden_columns = []
        self.table.reset_widths()
        self._show_rank_column()

    def _show_rank_column(self) -> None:
        """Show the column of ranks if a visible row has one, unless the user has hidden it."""
        if not self._ranked:  # only visible rows: the signals of others are not decoded yet
            rows = (self._store.rows.get(symbol) for symbol in self.table.symbols_in_view())
            self._ranked = any(row is not None and row.event.signal.rank_score is not None for row in rows)
        hidden = not self._ranked or COLUMNS[RANK] in self._preferences.hidden_columns
        if self.table.isColumnHidden(RANK) is not hidden:
            self.table.setColumnHidden(RANK, hidden)

    def layout_restored(self) -> None:
        """Take over widths and order of a header that was restored: Qt shows the order, but does not sort."""
        self.table.remember_widths()
        header = self.table.horizontalHeader()
        if header is not None:
            self.model.sort(header.sortIndicatorSection(), header.sortIndicatorOrder())

    def _arrange(self) -> None:
        self._show_rank_column()
        self.model.arrange()
        self.model.refresh_clock()
        self._update_labels()

    def _apply_filter(self) -> None:
        name = self.groups.currentData()
        group = self._preferences.groups.get(name) if name else None
        self.model.set_filter(self.search.typed_text, group)
        self._update_labels()

    def _update_labels(self) -> None:
        shown, known = len(self.model.symbols), self.model.known
        held = f"{tr('watch.held')} · " if self.model.frozen else ""
        self._count.setText(held + tr("watch.count", shown=shown, known=known))
        self._count.setToolTip(tr("watch.held_help") if held else "")
        self._placeholder.setText(tr("watch.no_match") if known else tr("watch.empty"))
        self._placeholder.setVisible(shown == 0)
        self.table.setVisible(shown > 0)

    def _groups_changed(self) -> None:
        self._fill_groups()
        self._apply_filter()
        self.preferences_changed.emit()

    def _fill_groups(self) -> None:
        selected = self.groups.currentData()
        self.groups.blockSignals(True)
        self.groups.clear()
        self.groups.addItem(tr("watch.all"), "")
        for name, symbols in sorted(self._preferences.groups.items()):
            self.groups.addItem(f"{name} ({len(symbols)})", name)
        self.groups.setCurrentIndex(max(0, self.groups.findData(selected)))
        self.groups.blockSignals(False)

    def _show_row_menu(self, point: QPoint) -> None:
        symbols = self.table.selected_symbols()
        if symbols:
            self.row_menu(symbols).exec(self.table.mapToGlobal(point))

    def _new_group(self, symbols: list[str]) -> None:
        name, accepted = QInputDialog.getText(self, tr("watch.new_group"), tr("watch.group_name"))
        if accepted and name.strip():
            self.add_to_group(name.strip(), symbols)

    def _show_column_menu(self, point: QPoint) -> None:
        self.column_menu().exec(self.table.mapToGlobal(point))

    def _toggle_column(self, number: int) -> None:
        self.table.setColumnHidden(number, not self.table.isColumnHidden(number))
        before = self._preferences.hidden_columns
        self._preferences.hidden_columns = [
            name
            for place, name in enumerate(COLUMNS)
            if self.table.isColumnHidden(place) and (place != RANK or self._ranked or name in before)
        ]
        self.preferences_changed.emit()


if __name__ == "__main__":
    from glasstape_qt.preview import run_preview

    run_preview(lambda context: WatchPanel(context.store, context.appearance, context.preferences))
