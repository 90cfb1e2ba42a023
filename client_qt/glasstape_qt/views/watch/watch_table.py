"""The table widget of the watch table."""

from PyQt6.QtCore import QEvent, QModelIndex, Qt, QTimer, pyqtSignal
from PyQt6.QtGui import QColor, QEnterEvent, QGuiApplication, QHideEvent, QKeyEvent, QKeySequence
from PyQt6.QtWidgets import (
    QAbstractItemView,
    QHeaderView,
    QTableView,
    QWidget,
)

from glasstape_qt.models.watch_model import COLUMNS, WatchModel
from glasstape_qt.theme.appearance import Appearance
from glasstape_qt.views.watch.watch_delegate import FLASH_S, WatchDelegate

WIDTHS = {
    "code": 78, "name": 104, "price": 84, "change": 92, "confidence": 168, "direction": 156, "rank": 84, "age": 74,
    "expiry": 74, "model": 128, "novelty": 66, "market": 96,
}  # fmt: skip
"""Default widths in pixels, at zoom 1."""
ROW_HEIGHT = 26
"""Pixels, at zoom 1."""
FLASH_INTERVAL_MS = 60


class WatchTable(QTableView):
    """Rows in the color of their buy confidence; double-click or Enter opens a symbol's detail."""

    detail_requested = pyqtSignal(str, str)
    """Symbol and place: "" (as in the preferences), "tab" or "window"."""

    def __init__(self, model: WatchModel, appearance: Appearance, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("watchTable")
        self._model, self._appearance = model, appearance
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
        self.doubleClicked.connect(lambda index: self._request_detail(index, ""))
        self._flash_timer = QTimer(self)
        self._flash_timer.setInterval(FLASH_INTERVAL_MS)
        self._flash_timer.timeout.connect(self._repaint_flash)
        self._flash_until = 0.0
        self._build_headers()
        appearance.changed.connect(self.restyle)
        self.restyle()

    def restyle(self) -> None:
        """Apply theme and size."""
        if self._appearance.zoom != self._zoom:
            for number in range(len(COLUMNS)):
                self.setColumnWidth(
                    number, round(self.columnWidth(number) * self._appearance.zoom / self._zoom)
                )
            self._zoom = self._appearance.zoom
        self._delegate.restyle()
        rows = self.verticalHeader()
        if rows is not None:
            rows.setDefaultSectionSize(round(ROW_HEIGHT * self._appearance.zoom))
        header = self.horizontalHeader()
        if header is not None:
            header.setMinimumHeight(round(ROW_HEIGHT * self._appearance.zoom))
        viewport = self.viewport()
        if viewport is not None:
            viewport.update()

    def reset_widths(self) -> None:
        """Set every column to its default width."""
        for number, name in enumerate(COLUMNS):
            self.setColumnWidth(number, round(WIDTHS[name] * self._appearance.zoom))

    def flash(self) -> None:
        """Animate rows whose class has changed, until the flash has faded."""
        if self._appearance.motion:
            self._flash_until = self._model.store.now() + FLASH_S
            self._flash_timer.start()

    def row_color(self, symbol: str) -> QColor | None:
        """Return the current background color of a symbol's row; None if it is not shown."""
        number = self._model.number(symbol)
        row = self._model.row(number) if number is not None else None
        return self._delegate.background(row, number) if row is not None and number is not None else None

    def selected_symbols(self) -> list[str]:
        """Return the symbols of the selected rows, from the top."""
        selection = self.selectionModel()
        rows = sorted({index.row() for index in selection.selectedRows()}) if selection is not None else []
        return [self._model.symbols[row] for row in rows]

    def symbols_in_view(self) -> frozenset[str]:
        """Return the symbols of the visible rows."""
        viewport, symbols = self.viewport(), self._model.symbols
        if viewport is None or not symbols or not self.isVisible():
            return frozenset()
        first, last = self.rowAt(0), self.rowAt(viewport.height() - 1)
        return frozenset(symbols[max(first, 0) : last + 1 if last >= 0 else len(symbols)])

    def select(self, symbol: str) -> bool:
        """Select a symbol and scroll to it; return False if the filter hides it."""
        number = self._model.number(symbol)
        if number is None:
            return False
        self.selectRow(number)
        self.scrollTo(self._model.index(number, 0))
        return True

    def keyPressEvent(self, event: QKeyEvent | None) -> None:
        """Open a detail on Enter (with Ctrl in a tab, with Shift in a window); copy rows on Ctrl+C."""
        if event is None:
            return
        if event.key() in (Qt.Key.Key_Return, Qt.Key.Key_Enter):
            modifiers = event.modifiers()
            place = "tab" if modifiers & Qt.KeyboardModifier.ControlModifier else ""
            place = "window" if modifiers & Qt.KeyboardModifier.ShiftModifier else place
            self._request_detail(self.currentIndex(), place)
        elif event.matches(QKeySequence.StandardKey.Copy):
            self.copy()
        else:
            super().keyPressEvent(event)

    def copy(self) -> None:
        """Copy the selected rows as tab-separated text."""
        clipboard = QGuiApplication.clipboard()
        symbols = self.selected_symbols()
        if clipboard is not None and symbols:
            clipboard.setText("\n".join("\t".join(self._texts(symbol)) for symbol in symbols))

    def hideEvent(self, event: QHideEvent | None) -> None:
        """Stop the animation while hidden."""
        self._flash_timer.stop()
        super().hideEvent(event)

    def enterEvent(self, event: QEnterEvent | None) -> None:
        """Keep the order of rows while the mouse is over them."""
        self._model.frozen = True
        super().enterEvent(event)

    def leaveEvent(self, event: QEvent | None) -> None:
        """Resume sorting."""
        self._model.frozen = False
        super().leaveEvent(event)

    def _texts(self, symbol: str) -> list[str]:
        row = self._model.store.rows[symbol]
        shown = [name for number, name in enumerate(COLUMNS) if not self.isColumnHidden(number)]
        return [self._model.cells.text(row, name) for name in shown]

    def _request_detail(self, index: QModelIndex, place: str) -> None:
        if index.isValid():
            self.detail_requested.emit(self._model.symbols[index.row()], place)

    def _repaint_flash(self) -> None:
        viewport = self.viewport()
        if viewport is not None:
            viewport.update()
        if self._model.store.now() > self._flash_until:
            self._flash_timer.stop()

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
        self.reset_widths()
