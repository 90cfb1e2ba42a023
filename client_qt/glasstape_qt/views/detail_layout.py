"""What a detail is made of, and where it stands."""

from glasstape import Score
from PyQt6.QtCore import Qt
from PyQt6.QtWidgets import (
    QComboBox,
    QHBoxLayout,
    QLabel,
    QPushButton,
    QSplitter,
    QTabWidget,
    QTextBrowser,
    QVBoxLayout,
    QWidget,
)

from glasstape_qt.i18n import say
from glasstape_qt.look.appearance import Appearance
from glasstape_qt.views.candles import CandleChart
from glasstape_qt.views.compare import CompareView
from glasstape_qt.views.confidence_history import ConfidenceHistory
from glasstape_qt.views.heatmap import HeatmapView


class DetailLayout(QWidget):
    """Head, choices, chart, maps and words."""

    def __init__(self, appearance: Appearance, score: str) -> None:
        super().__init__()
        self.setObjectName("detail")
        self.head = QLabel()
        self.head.setObjectName("headline")
        self.head.setWordWrap(True)
        self.head.setTextFormat(Qt.TextFormat.PlainText)
        self.head.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
        self.notice = QLabel()
        self.notice.setObjectName("detailNotice")
        self.notice.setWordWrap(True)
        self.notice.setTextFormat(Qt.TextFormat.PlainText)
        self.notice.hide()
        self.chart = CandleChart(appearance)
        self.bar = QLabel()
        self.bar.setObjectName("barReadout")
        self.bar.setWordWrap(True)
        self.chart.told.connect(self.bar.setText)
        self.map = HeatmapView(appearance)
        self.comparison = CompareView(appearance)
        self.history = ConfidenceHistory(appearance)
        self.history.setMinimumHeight(90)
        self.words = QTextBrowser()
        self.words.setObjectName("driversText")
        self.words.setMinimumHeight(40)
        self.method, self.score = QComboBox(), QComboBox()
        self.method.setObjectName("methodChoice")
        self.score.setObjectName("scoreChoice")
        self.method_label, self.score_label = QLabel(), QLabel()
        self.method_label.setBuddy(self.method)
        self.score_label.setBuddy(self.score)
        self.copy, self.live, self.newest = QPushButton(), QPushButton(), QPushButton()
        self.copy.setObjectName("copyAsPython")
        self.live.setObjectName("backToLive")
        self.newest.setObjectName("newestBars")
        for offered in (Score.MARGIN, Score.LOGIT, Score.LOG_PROBABILITY, Score.UP_MINUS_DOWN):
            self.score.addItem(offered.value, offered.value)
        for choice in (self.method, self.score):
            choice.setSizeAdjustPolicy(QComboBox.SizeAdjustPolicy.AdjustToMinimumContentsLengthWithIcon)
            choice.setMinimumContentsLength(12)
        self.score.setCurrentIndex(max(0, self.score.findData(score)))
        self.tabs = QTabWidget()
        for view in (self.map, self.comparison, self.history):
            self.tabs.addTab(view, "")
        self._lay_out()

    def _lay_out(self) -> None:
        choices = QHBoxLayout()
        choosing: list[QWidget] = [self.method_label, self.method, self.score_label, self.score]
        for widget in choosing:
            choices.addWidget(widget, int(isinstance(widget, QComboBox)))
        for button in (self.live, self.newest, self.copy):
            choices.addWidget(button)
        split = QSplitter(Qt.Orientation.Vertical)
        split.setChildrenCollapsible(False)
        parts: list[tuple[QWidget, int]] = [(self.chart, 5), (self.tabs, 6), (self.words, 3)]
        for part, stretch in parts:
            split.addWidget(part)
            split.setStretchFactor(split.count() - 1, stretch)
        split.setSizes([200, 380, 130])
        layout = QVBoxLayout(self)
        layout.setContentsMargins(6, 6, 6, 6)
        layout.addWidget(self.head)
        layout.addWidget(self.notice)
        layout.addLayout(choices)
        layout.addWidget(self.bar)
        layout.addWidget(split, 1)

    def tell(self, sentence: str) -> None:
        """Say what went wrong; an empty sentence goes away."""
        self.notice.setText(sentence)
        self.notice.setVisible(bool(sentence))

    def restyle(self) -> None:
        """Another look or language."""
        self.method_label.setText(say("detail.method"))
        self.score_label.setText(say("detail.score"))
        self.copy.setText(say("detail.copy"))
        self.live.setText(say("detail.live"))
        self.newest.setText(say("detail.newest"))
        for number, name in enumerate(("map", "compare", "history")):
            self.tabs.setTabText(number, say(f"detail.tab.{name}"))
        self.words.setAccessibleName(say("detail.words"))
        self.method.setAccessibleName(say("detail.method"))
        self.score.setAccessibleName(say("detail.score"))
        for choice, table in ((self.method, "method"), (self.score, "score")):
            for number in range(choice.count()):
                choice.setItemText(number, say(f"{table}.{choice.itemData(number)}"))
