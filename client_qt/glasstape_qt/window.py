"""The main window: watch table, detail of one symbol, status."""

from datetime import UTC

from glasstape import in_words
from PyQt6.QtCore import QModelIndex, QSortFilterProxyModel, Qt
from PyQt6.QtGui import QCloseEvent, QKeySequence, QShortcut
from PyQt6.QtWidgets import (
    QDockWidget,
    QHeaderView,
    QLabel,
    QLineEdit,
    QMainWindow,
    QTableView,
    QVBoxLayout,
    QWidget,
)

from glasstape_qt.heatmap import HeatmapView
from glasstape_qt.link import Link
from glasstape_qt.state import Desk
from glasstape_qt.table import CONFIDENCE, SORT_ROLE, WatchDelegate, WatchModel


class MainWindow(QMainWindow):
    """Views over one desk; double-click or Enter opens a symbol's detail, which then follows it live."""

    def __init__(self, desk: Desk, link: Link) -> None:
        super().__init__()
        self._desk = desk
        self._link = link
        self._symbol = ""
        self.setWindowTitle("Glasstape")
        self.resize(1180, 640)
        self._model = WatchModel(desk, self)
        self._build_table()
        self._build_detail()
        self._legend = QLabel()
        self._status = QLabel()
        bar = self.statusBar()
        if bar is not None:
            bar.addWidget(self._status, 1)
            bar.addPermanentWidget(self._legend)
        link.changed.connect(self.refresh)

    def refresh(self, symbols: set[str]) -> None:
        """Show what changed."""
        self._model.refresh(symbols)
        self._status.setText(f"{self._desk.status} · {self._desk.buys} buys")
        model = self._desk.model
        if model is not None:
            low, high = model.buy_ramp_low, model.buy_ramp_high
            self._legend.setText(
                f"{model.ref.name}@{model.ref.version}: row colour from {low:.1%} to {high:.1%} up"
            )
        if self._symbol in symbols:
            self._show_detail()

    def open_detail(self, index: QModelIndex) -> None:
        """Open the detail of the row at a table index."""
        source = self._proxy.mapToSource(index)
        if source.isValid():
            self._symbol = self._model.row(source).event.symbol
            self._show_detail()
            self._detail.show()

    def closeEvent(self, event: QCloseEvent | None) -> None:
        """End the feed before the window goes."""
        self._link.stop()
        super().closeEvent(event)

    def _build_table(self) -> None:
        self._proxy = QSortFilterProxyModel(self)
        self._proxy.setSourceModel(self._model)
        self._proxy.setSortRole(SORT_ROLE)
        self._proxy.setFilterKeyColumn(-1)
        self._proxy.setFilterCaseSensitivity(Qt.CaseSensitivity.CaseInsensitive)
        self.table = QTableView()
        self.table.setModel(self._proxy)
        self.table.setItemDelegate(WatchDelegate(self._model, self))
        self.table.setSortingEnabled(True)
        self.table.sortByColumn(0, Qt.SortOrder.AscendingOrder)
        self.table.setSelectionBehavior(QTableView.SelectionBehavior.SelectRows)
        self.table.setEditTriggers(QTableView.EditTrigger.NoEditTriggers)
        self.table.setShowGrid(False)
        header, rows = self.table.horizontalHeader(), self.table.verticalHeader()
        if header is not None and rows is not None:
            header.setSectionResizeMode(QHeaderView.ResizeMode.Interactive)
            header.setStretchLastSection(True)
            header.resizeSection(CONFIDENCE, 240)
            rows.hide()
        self.table.doubleClicked.connect(self.open_detail)
        enter = QShortcut(QKeySequence(Qt.Key.Key_Return), self.table)
        enter.activated.connect(lambda: self.open_detail(self.table.currentIndex()))
        self.search = QLineEdit()
        self.search.setPlaceholderText("filter: symbol, name, UP ...")
        self.search.textChanged.connect(self._proxy.setFilterFixedString)
        centre = QWidget()
        layout = QVBoxLayout(centre)
        layout.addWidget(self.search)
        layout.addWidget(self.table)
        self.setCentralWidget(centre)

    def _build_detail(self) -> None:
        self._detail = QDockWidget("Detail", self)
        self.heatmap = HeatmapView()
        self._words = QLabel()
        self._words.setWordWrap(True)
        self._words.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
        body = QWidget()
        layout = QVBoxLayout(body)
        layout.addWidget(self._words)
        layout.addWidget(self.heatmap, 1)
        self._detail.setWidget(body)
        self.addDockWidget(Qt.DockWidgetArea.RightDockWidgetArea, self._detail)
        self._detail.hide()

    def _show_detail(self) -> None:
        row = self._desk.rows.get(self._symbol)
        if row is None:
            return
        self._detail.setWindowTitle(f"{self._symbol} {row.name}")
        zone = self._desk.zones.get(self._symbol, UTC)
        self.heatmap.show_map(row.explanation, self._desk.model, zone)
        said = row.event.signal.confidence
        text = f"{said.direction.name}: down {said.down:.1%}, flat {said.flat:.1%}, up {said.up:.1%}"
        explanation = row.explanation
        if explanation is not None and explanation.target is not None:
            against = f" against {explanation.foil.name}" if explanation.foil is not None else ""
            asked = f"{explanation.method.value} of the {explanation.score_kind.value}"
            text += f"\n{asked} for {explanation.target.name}{against}"
            if explanation.quality is not None:
                text += f"; {explanation.quality.verdict.value}: {'; '.join(explanation.quality.reasons)}"
            sentences = in_words(explanation, zone=zone)
            text += "".join(f"\n• {sentence}" for sentence in sentences)
        self._words.setText(text)
