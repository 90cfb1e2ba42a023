"""Widgets and layout of a detail."""

from collections.abc import Sequence

from glasstape import Model, Score
from PyQt6.QtCore import QSize, Qt
from PyQt6.QtWidgets import (
    QComboBox,
    QFrame,
    QLabel,
    QPushButton,
    QScrollArea,
    QSizePolicy,
    QSplitter,
    QTabWidget,
    QTextBrowser,
    QVBoxLayout,
    QWidget,
)

from glasstape_qt.i18n import tr
from glasstape_qt.state.preferences import Preferences
from glasstape_qt.theme.appearance import Appearance
from glasstape_qt.views.chart.candle_chart import CandleChart
from glasstape_qt.views.chart.chart_toolbar import ChartToolbar
from glasstape_qt.views.chart.confidence_history import ConfidenceHistory
from glasstape_qt.views.detail.compare_view import CompareView
from glasstape_qt.views.detail.heatmap_view import HeatmapView
from glasstape_qt.views.detail.map_pair import MapPair
from glasstape_qt.views.flow_layout import FlowLayout
from glasstape_qt.views.focused_wheel import FocusedWheel

READOUT_LINES = 2
"""Lines of text for the read-out of a bar."""


class _CompactSplitter(QSplitter):
    """A splitter that prefers its least height, so that a detail scrolls only where even that is too much."""

    def sizeHint(self) -> QSize:
        """Return the least size."""
        return self.minimumSizeHint()


class DetailWidgets(QWidget):
    """Headline, selection of method and score, chart, maps and text."""

    def __init__(self, appearance: Appearance, preferences: Preferences) -> None:
        super().__init__()
        self.setObjectName("detail")
        self.headline = QLabel()
        self.headline.setObjectName("headline")
        self.headline.setWordWrap(True)
        self.headline.setTextFormat(Qt.TextFormat.PlainText)
        self.headline.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
        self.notice = QLabel()
        self.notice.setObjectName("detailNotice")
        self.notice.setWordWrap(True)
        self.notice.setTextFormat(Qt.TextFormat.PlainText)
        self.notice.hide()
        self.chart = CandleChart(appearance, preferences.chart)
        self.chart_toolbar = ChartToolbar(self.chart, appearance)
        self.bar_label = QLabel()
        self.bar_label.setObjectName("barReadout")
        self.bar_label.setWordWrap(True)
        self.bar_label.setAlignment(Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignTop)
        self.chart.bar_described.connect(self.bar_label.setText)
        self.maps = MapPair(appearance)
        self.comparison = CompareView(appearance)
        self.confidence_plot = ConfidenceHistory(appearance)
        self.confidence_plot.setMinimumHeight(90)
        self.text_view = QTextBrowser()
        self.text_view.setObjectName("driversText")
        self.text_view.setMinimumHeight(40)
        self.method, self.score = QComboBox(), QComboBox()
        self.method.setObjectName("methodChoice")
        self.score.setObjectName("scoreChoice")
        self.method_label, self.score_label = QLabel(), QLabel()
        self.method_label.setBuddy(self.method)
        self.score_label.setBuddy(self.score)
        self.copy_button, self.live_button, self.newest_button = QPushButton(), QPushButton(), QPushButton()
        self.copy_button.setObjectName("copyAsPython")
        self.live_button.setObjectName("backToLive")
        self.newest_button.setObjectName("newestBars")
        for value in (
            Score.UNSPECIFIED,
            Score.MARGIN,
            Score.LOGIT,
            Score.LOG_PROBABILITY,
            Score.UP_MINUS_DOWN,
        ):
            self.score.addItem(value.value, value.value)
        for choice in (self.method, self.score):
            choice.setSizeAdjustPolicy(QComboBox.SizeAdjustPolicy.AdjustToMinimumContentsLengthWithIcon)
            choice.setMinimumContentsLength(8)
            choice.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
            choice.installEventFilter(FocusedWheel(choice))
        self.score.setCurrentIndex(max(0, self.score.findData(preferences.score)))
        self.tabs = QTabWidget()
        for view in (self.maps, self.comparison, self.confidence_plot):
            self.tabs.addTab(view, "")
        self._build_layout()

    def _build_layout(self) -> None:
        choices = FlowLayout()
        selectors: list[QWidget] = [self.method_label, self.method, self.score_label, self.score]
        for widget in (*selectors, self.live_button, self.newest_button, self.copy_button):
            choices.addWidget(widget)
        split = _CompactSplitter(Qt.Orientation.Vertical)
        split.setChildrenCollapsible(False)
        parts: list[tuple[QWidget, int]] = [(self._chart_part(), 9), (self.tabs, 7), (self.text_view, 2)]
        for part, stretch in parts:
            split.addWidget(part)
            split.setStretchFactor(split.count() - 1, stretch)
        split.setSizes([440, 300, 60])
        body = QWidget()
        scrolled = QScrollArea()  # large text needs more height than a small window has
        scrolled.setFrameShape(QFrame.Shape.NoFrame)
        scrolled.setWidgetResizable(True)
        scrolled.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        scrolled.setWidget(body)
        outer = QVBoxLayout(self)
        outer.setContentsMargins(0, 0, 0, 0)
        outer.addWidget(scrolled)
        layout = QVBoxLayout(body)
        layout.setContentsMargins(6, 6, 6, 6)
        layout.addWidget(self.headline)
        layout.addWidget(self.notice)
        layout.addLayout(choices)
        layout.addWidget(split, 1)

    def _chart_part(self) -> QWidget:
        part = QWidget()
        layout = QVBoxLayout(part)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(2)
        layout.addWidget(self.chart_toolbar)
        layout.addWidget(self.bar_label)
        layout.addWidget(self.chart, 1)
        return part

    @property
    def model(self) -> Model | None:
        """The model of the signal to explain."""
        raise NotImplementedError

    @property
    def heatmap_view(self) -> HeatmapView:
        """The first map."""
        return self.maps.panes[0].view

    def refresh(self) -> None:
        """Show headline, chart and maps again."""
        raise NotImplementedError

    def set_methods(self, values: Sequence[str], default: str) -> None:
        """Offer methods, keeping the selection if possible; the first selection is `default`."""
        if [self.method.itemData(n) for n in range(self.method.count())] == values:
            return
        selected = self.method.currentData() or default
        self.method.blockSignals(True)
        self.method.clear()
        for value in values:
            self.method.addItem(tr(f"method.{value}"), value)
        self.method.setCurrentIndex(max(0, self.method.findData(selected)))
        self.method.blockSignals(False)

    def show_notice(self, text: str) -> None:
        """Show an error; an empty text hides it."""
        self.notice.setText(text)
        self.notice.setVisible(bool(text))

    def restyle(self) -> None:
        """Apply size and language."""
        lines = READOUT_LINES * self.fontMetrics().lineSpacing()
        self.bar_label.setFixedHeight(lines)  # so that the chart does not move when the text grows
        self.method_label.setText(tr("detail.method"))
        self.score_label.setText(tr("detail.score"))
        self.copy_button.setText(tr("detail.copy"))
        self.live_button.setText(tr("detail.live"))
        self.newest_button.setText(tr("detail.newest"))
        for number, name in enumerate(("map", "compare", "history")):
            self.tabs.setTabText(number, tr(f"detail.tab.{name}"))
        self.text_view.setAccessibleName(tr("detail.text"))
        self.method.setAccessibleName(tr("detail.method"))
        self.score.setAccessibleName(tr("detail.score"))
        for choice, table in ((self.method, "method"), (self.score, "score")):
            for number in range(choice.count()):
                choice.setItemText(number, tr(f"{table}.{choice.itemData(number)}"))
