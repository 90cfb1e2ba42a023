"""The table widget of the watch table."""

from PyQt6.QtCore import QEvent, QModelIndex, Qt, QTimer, pyqtSignal
from PyQt6.QtGui import QColor, QHideEvent, QKeyEvent, QKeySequence, QMouseEvent
from PyQt6.QtWidgets import (
    QAbstractItemView,
    QHeaderView,
    QTableView,
    QWidget,
)

from glasstape_qt.models.watch_columns import COLUMNS, WATCH_COLUMNS
from glasstape_qt.models.watch_model import WatchModel
from glasstape_qt.theme.appearance import Appearance
from glasstape_qt.views.watch.table_clipboard import copy_table
from glasstape_qt.views.watch.watch_delegate import FLASH_S, WatchDelegate

ROW_HEIGHT = 22
"""Pixels, at zoom 1."""
FLASH_INTERVAL_MS = 60
HOLD_MS = 4000
"""Time after the last movement of the mouse over the rows for which they keep their order."""


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
        self.hold_timer = QTimer(self)
        """Runs while the order is held."""
        self.hold_timer.setSingleShot(True)
        self.hold_timer.setInterval(HOLD_MS)
        self.hold_timer.timeout.connect(self._release)
        self.setMouseTracking(True)
        self._base_widths = [float(column.width) for column in WATCH_COLUMNS]
        """Widths at zoom 1, so that a zoom and back restores them."""
        self._sizing = False
        self._build_headers()
        appearance.changed.connect(self.restyle)
        self.restyle()

    def restyle(self) -> None:
        """Apply theme and size."""
        if self._appearance.zoom != self._zoom:
            self._zoom = self._appearance.zoom
            self._apply_widths()
        self._delegate.restyle()
        rows = self.verticalHeader()
        if rows is not None:
            rows.setMinimumSectionSize(1)  # Qt's own minimum grows with the font and never shrinks
            rows.setDefaultSectionSize(round(ROW_HEIGHT * self._appearance.zoom))
        header = self.horizontalHeader()
        if header is not None:
            header.setMinimumHeight(round(ROW_HEIGHT * self._appearance.zoom))
        viewport = self.viewport()
        if viewport is not None:
            viewport.update()

    def reset_widths(self) -> None:
        """Set every column to its default width."""
        self._base_widths = [float(column.width) for column in WATCH_COLUMNS]
        self._apply_widths()

    def remember_widths(self) -> None:
        """Take the shown widths as those of the user, after a saved layout was restored."""
        for number in range(len(COLUMNS)):
            if not self.isColumnHidden(number):
                self._base_widths[number] = self.columnWidth(number) / self._zoom

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
        """Copy the selected rows with titles; the three confidences and the change are numbers of their own."""
        symbols, shown = self.selected_symbols(), self._shown_columns()
        if symbols:
            titles = [title for name in shown for title in self._model.copied_titles(name)]
            rows = [
                [cell for name in shown for cell in self._model.copied(symbol, name)] for symbol in symbols
            ]
            copy_table(titles, rows)

    def hideEvent(self, event: QHideEvent | None) -> None:
        """Stop the animation while hidden."""
        self._flash_timer.stop()
        self._release()
        super().hideEvent(event)

    def mouseMoveEvent(self, event: QMouseEvent | None) -> None:
        """Keep the order of rows while the mouse moves over them."""
        self._model.frozen = True
        self.hold_timer.start()
        super().mouseMoveEvent(event)

    def leaveEvent(self, event: QEvent | None) -> None:
        """Resume sorting."""
        self._release()
        super().leaveEvent(event)

    def _release(self) -> None:
        self.hold_timer.stop()
        self._model.frozen = False

    def _shown_columns(self) -> list[str]:
        return [name for number, name in enumerate(COLUMNS) if not self.isColumnHidden(number)]

    def _apply_widths(self) -> None:
        self._sizing = True
        for number, width in enumerate(self._base_widths):
            self.setColumnWidth(number, round(width * self._zoom))
        self._sizing = False

    def _section_resized(self, number: int, _: int, width: int) -> None:
        """Remember a width that the user has set; hidden columns have none, and the last one fills the table."""
        if not self._sizing and width and not self._fills_table(number):
            self._base_widths[number] = width / self._zoom

    def _fills_table(self, number: int) -> bool:
        header = self.horizontalHeader()
        shown = (
            [header.visualIndex(n) for n in range(len(COLUMNS)) if not self.isColumnHidden(n)]
            if header
            else []
        )
        return header is not None and header.visualIndex(number) == max(shown, default=-1)

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
        header.sectionResized.connect(self._section_resized)
        self.reset_widths()
