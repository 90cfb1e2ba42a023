"""The watch table as it is painted: rows in the colour of the buy confidence."""

from PyQt6.QtCore import QEvent, QModelIndex, Qt, QTimer, pyqtSignal
from PyQt6.QtGui import QEnterEvent, QGuiApplication, QHideEvent, QKeyEvent, QKeySequence
from PyQt6.QtWidgets import (
    QAbstractItemView,
    QHeaderView,
    QTableView,
    QWidget,
)

from glasstape_qt.look.appearance import Appearance
from glasstape_qt.models.watch import COLUMNS, WatchModel
from glasstape_qt.views.watch_delegate import FLASH, WatchDelegate

WIDTHS = {
    "code": 78, "name": 104, "price": 84, "change": 92, "confidence": 168, "direction": 156, "age": 74,
    "expiry": 74, "model": 128, "novelty": 66, "market": 96,
}  # fmt: skip


class WatchTable(QTableView):
    """Double-click or Enter opens a symbol."""

    opened = pyqtSignal(str, str)
    """Symbol, and where: "" (as the settings say), "tab" or "window"."""

    def __init__(self, model: WatchModel, appearance: Appearance, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("watchTable")
        self._watch, self._appearance = model, appearance
        self._zoom = appearance.zoom
        self.setModel(model)
        self._delegate = WatchDelegate(model, appearance, self)
        self.setItemDelegate(self._delegate)
        self.setSortingEnabled(True)
        self.sortByColumn(0, Qt.SortOrder.AscendingOrder)
        self.setSelectionBehavior(QAbstractItemView.SelectionBehavior.SelectRows)
        self.setSelectionMode(QAbstractItemView.SelectionMode.ExtendedSelection)
        self.setEditTriggers(QAbstractItemView.EditTrigger.NoEditTriggers)
        self.setShowGrid(False)
        self.setWordWrap(False)
        self.setTabKeyNavigation(False)
        self.doubleClicked.connect(lambda index: self._open(index, ""))
        self._flash = QTimer(self)
        self._flash.setInterval(60)
        self._flash.timeout.connect(self._glow)
        self._flash_until = 0.0
        self._build_headers()
        appearance.changed.connect(self.restyle)
        self.restyle()

    def restyle(self) -> None:
        """Another look or language."""
        if self._appearance.zoom != self._zoom:
            for number in range(len(COLUMNS)):
                self.setColumnWidth(
                    number, round(self.columnWidth(number) * self._appearance.zoom / self._zoom)
                )
            self._zoom = self._appearance.zoom
        self._delegate.restyle()
        rows = self.verticalHeader()
        if rows is not None:
            rows.setDefaultSectionSize(round(26 * self._appearance.zoom))
        header = self.horizontalHeader()
        if header is not None:
            header.setMinimumHeight(round(26 * self._appearance.zoom))
        viewport = self.viewport()
        if viewport is not None:
            viewport.update()

    def fit(self) -> None:
        """Give every column its usual width."""
        for number, name in enumerate(COLUMNS):
            self.setColumnWidth(number, round(WIDTHS[name] * self._appearance.zoom))

    def glow(self) -> None:
        """A class has changed somewhere: repaint until it has faded."""
        if self._appearance.motion:
            self._flash_until = self._watch.desk.now() + FLASH
            self._flash.start()

    def selected_symbols(self) -> list[str]:
        """Symbols of the selected rows, from the top."""
        chosen = self.selectionModel()
        rows = sorted({index.row() for index in chosen.selectedRows()}) if chosen is not None else []
        return [self._watch.symbols[row] for row in rows]

    def symbols_in_view(self) -> frozenset[str]:
        """Symbols of the rows that can be seen."""
        viewport, symbols = self.viewport(), self._watch.symbols
        if viewport is None or not symbols or not self.isVisible():
            return frozenset()
        first, last = self.rowAt(0), self.rowAt(viewport.height() - 1)
        return frozenset(symbols[max(first, 0) : last + 1 if last >= 0 else len(symbols)])

    def select(self, symbol: str) -> bool:
        """Select and show a symbol; False if the filter hides it."""
        number = self._watch.number(symbol)
        if number is None:
            return False
        self.selectRow(number)
        self.scrollTo(self._watch.index(number, 0))
        return True

    def keyPressEvent(self, event: QKeyEvent | None) -> None:
        """Enter opens, with Ctrl in a tab, with Shift in a window of its own; Ctrl+C copies."""
        if event is None:
            return
        if event.key() in (Qt.Key.Key_Return, Qt.Key.Key_Enter):
            held = event.modifiers()
            place = "tab" if held & Qt.KeyboardModifier.ControlModifier else ""
            place = "window" if held & Qt.KeyboardModifier.ShiftModifier else place
            self._open(self.currentIndex(), place)
        elif event.matches(QKeySequence.StandardKey.Copy):
            self.copy()
        else:
            super().keyPressEvent(event)

    def copy(self) -> None:
        """Selected rows as tab-separated text."""
        clipboard = QGuiApplication.clipboard()
        symbols = self.selected_symbols()
        if clipboard is not None and symbols:
            clipboard.setText("\n".join("\t".join(self._cells(symbol)) for symbol in symbols))

    def _cells(self, symbol: str) -> list[str]:
        row = self._watch.desk.rows[symbol]
        shown = [name for number, name in enumerate(COLUMNS) if not self.isColumnHidden(number)]
        return [self._watch.cells.text(row, name) for name in shown]

    def hideEvent(self, event: QHideEvent | None) -> None:
        """Nobody sees it glow."""
        self._flash.stop()
        super().hideEvent(event)

    def enterEvent(self, event: QEnterEvent | None) -> None:
        """Rows keep their places under the mouse."""
        self._watch.frozen = True
        super().enterEvent(event)

    def leaveEvent(self, event: QEvent | None) -> None:
        """Rows may move again."""
        self._watch.frozen = False
        super().leaveEvent(event)

    def _open(self, index: QModelIndex, place: str) -> None:
        if index.isValid():
            self.opened.emit(self._watch.symbols[index.row()], place)

    def _glow(self) -> None:
        viewport = self.viewport()
        if viewport is not None:
            viewport.update()
        if self._watch.desk.now() > self._flash_until:
            self._flash.stop()

    def _build_headers(self) -> None:
        header, rows = self.horizontalHeader(), self.verticalHeader()
        if header is None or rows is None:
            return
        rows.hide()
        rows.setSectionResizeMode(QHeaderView.ResizeMode.Fixed)
        header.setSectionsMovable(True)
        header.setStretchLastSection(True)
        header.setHighlightSections(False)
        header.setDefaultAlignment(Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignVCenter)
        self.fit()
