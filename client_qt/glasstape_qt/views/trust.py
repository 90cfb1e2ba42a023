"""How far the model can be trusted: its track record, its reliability diagram, its card."""

from itertools import islice

import numpy as np
import pyqtgraph as pg
from glasstape import Client, Direction, Event, Model, OutcomeEvent
from PyQt6.QtCore import Qt
from PyQt6.QtGui import QShowEvent
from PyQt6.QtWidgets import (
    QComboBox,
    QHBoxLayout,
    QLabel,
    QPushButton,
    QSplitter,
    QTextBrowser,
    QVBoxLayout,
    QWidget,
)

from glasstape_qt.i18n import say
from glasstape_qt.link import Link
from glasstape_qt.look.appearance import Appearance
from glasstape_qt.state import trust
from glasstape_qt.state.desk import Changes, Desk
from glasstape_qt.views import model_card
from glasstape_qt.views.axes import PercentAxis

OUTCOMES = 20_000
"""Newest outcomes that are counted."""


class TrustPanel(QWidget):
    """Counts the journal's outcomes, all or of one symbol, by model and class."""

    def __init__(self, desk: Desk, link: Link, appearance: Appearance) -> None:
        super().__init__()
        self.setObjectName("trustPanel")
        self._desk, self._link, self._appearance = desk, link, appearance
        self._outcomes: dict[int, OutcomeEvent] = {}
        self._asked = False
        self._symbol, self._model, self._class = QComboBox(), QComboBox(), QComboBox()
        for choice, name in (
            (self._symbol, "trustSymbol"),
            (self._model, "trustModel"),
            (self._class, "trustClass"),
        ):
            choice.setObjectName(name)
            choice.currentIndexChanged.connect(self._refresh)
        self._again = QPushButton()
        self._again.clicked.connect(self.load)
        self._text = QTextBrowser()
        self._text.setObjectName("trustText")
        self._card = QTextBrowser()
        self._card.setObjectName("modelCard")
        self._note = QLabel()
        self._note.setWordWrap(True)
        self._diagram = Reliability(appearance)
        top = QHBoxLayout()
        for widget in (self._symbol, self._model, self._class):
            top.addWidget(widget, 1)
        top.addWidget(self._again)
        split = QSplitter(Qt.Orientation.Vertical)
        split.setChildrenCollapsible(False)
        parts: list[QWidget] = [self._text, self._diagram, self._card]
        for part in parts:
            split.addWidget(part)
        split.setSizes([170, 220, 200])
        layout = QVBoxLayout(self)
        layout.setContentsMargins(6, 6, 6, 6)
        layout.addLayout(top)
        layout.addWidget(self._note)
        layout.addWidget(split, 1)
        appearance.changed.connect(self.restyle)
        self.restyle()

    def restyle(self) -> None:
        """Another look or language."""
        self._again.setText(say("trust.reload"))
        self._symbol.setAccessibleName(say("trust.symbol"))
        self._model.setAccessibleName(say("trust.model"))
        self._class.setAccessibleName(say("trust.class"))
        self._text.setAccessibleName(say("trust.record"))
        self._card.setAccessibleName(say("trust.card"))
        self._note.setText(say("trust.note"))
        self._offer()
        self._refresh()

    def load(self) -> None:
        """Ask for the journal's outcomes."""
        self._asked = True

        def ask(client: Client) -> list[Event]:
            return list(islice(client.history(kinds=["outcome"], descending=True), OUTCOMES))

        self._link.ask("trust", ask, self._loaded, self._failed)

    def take(self, changes: Changes) -> None:
        """The desk has changed; what is not in view is not drawn."""
        if changes.reset:
            self._outcomes.clear()
            self._asked = False
        for outcome in changes.outcomes:
            self._outcomes[outcome.sequence] = outcome
        if self.isVisible() and (changes.reset or changes.outcomes or not self._asked):
            self._catch_up()

    def showEvent(self, event: QShowEvent | None) -> None:
        """What came while nobody looked is counted now."""
        super().showEvent(event)
        self._catch_up()

    def _catch_up(self) -> None:
        while len(self._outcomes) > OUTCOMES:
            del self._outcomes[next(iter(self._outcomes))]
        if not self._asked and self._desk.model is not None:
            self.load()
        self._offer()
        self._refresh()

    def _loaded(self, events: list[Event]) -> None:
        found = {event.sequence: event for event in events if isinstance(event, OutcomeEvent)}
        self._outcomes = dict(sorted((found | self._outcomes).items())[-OUTCOMES:])
        self._offer()
        self._refresh()

    def _failed(self, error: Exception) -> None:
        self._text.setHtml(say("trust.failed", error=str(error)))

    def _offer(self) -> None:
        outcomes = self._outcomes.values()
        symbols = sorted({event.symbol for event in outcomes})
        models = sorted({f"{event.model.name}@{event.model.version}" for event in outcomes})
        classes = [direction.name.lower() for direction in Direction]
        _fill(self._symbol, [("", say("trust.all_symbols")), *((name, name) for name in symbols)])
        _fill(self._model, [("", say("trust.all_models")), *((name, name) for name in models)])
        _fill(self._class, [(name, say(f"direction.{name}")) for name in reversed(classes)])

    def _refresh(self) -> None:
        chosen = trust.chosen(
            self._outcomes.values(),
            self._desk.models,
            symbol=self._symbol.currentData() or "",
            model=self._model.currentData() or "",
        )
        direction = Direction[(self._class.currentData() or "up").upper()]
        self._text.setHtml(model_card.record_html(trust.rates(chosen), len(chosen)))
        self._diagram.show_bins(trust.reliability(chosen, direction), direction)
        self._card.setHtml(model_card.html(self._described()))

    def _described(self) -> Model | None:
        wanted = self._model.currentData()
        if not wanted:
            return self._desk.model
        named = {f"{model.ref.name}@{model.ref.version}": model for model in self._desk.models.values()}
        return named.get(wanted)


class Reliability(pg.PlotWidget):
    """Confidence against what came true; on the diagonal, a confidence means what it says."""

    def __init__(self, appearance: Appearance, parent: QWidget | None = None) -> None:
        super().__init__(parent, axisItems={"bottom": PercentAxis("bottom"), "left": PercentAxis("left")})
        self.setObjectName("reliabilityDiagram")
        self._appearance = appearance
        plot = self.getPlotItem()
        plot.hideButtons()
        plot.setMenuEnabled(False)
        plot.setMouseEnabled(x=False, y=False)
        self._ideal = plot.plot([0, 1], [0, 1])
        self._bars = pg.ErrorBarItem(x=np.zeros(1), y=np.zeros(1), beam=0.006)
        plot.addItem(self._bars)
        self._points = plot.plot(symbol="o", symbolSize=8)
        self._direction = Direction.UP
        self._bins: list[trust.Bin] = []
        appearance.changed.connect(self.restyle)
        self.restyle()

    def restyle(self) -> None:
        """Another look or language."""
        theme = self._appearance.theme
        self.setBackground(theme.base)
        plot = self.getPlotItem()
        for side, key in (("bottom", "trust.said"), ("left", "trust.came")):
            axis = plot.getAxis(side)
            axis.setPen(theme.line)
            axis.setTextPen(theme.text)
            axis.setStyle(tickFont=self.font())
            axis.setLabel(say(key), color=theme.text)
        self._ideal.setPen(pg.mkPen(theme.muted, style=Qt.PenStyle.DashLine))
        self.show_bins(self._bins, self._direction)

    def show_bins(self, bins: list[trust.Bin], direction: Direction) -> None:
        """Show the bins of one class."""
        self._bins, self._direction = bins, direction
        colour = self._appearance.colours.of(direction)
        self._points.setPen(pg.mkPen(colour, width=1.5))
        self._points.setSymbolBrush(pg.mkBrush(colour))
        self._points.setSymbolPen(pg.mkPen(self._appearance.theme.base))
        said, came = np.array([b.said for b in bins]), np.array([b.came for b in bins])
        self._points.setData(said, came)
        self._bars.setVisible(bool(bins))
        if bins:
            low, high = (np.array([b.interval[end] for b in bins]) for end in (0, 1))
            self._bars.setData(
                x=said,
                y=came,
                top=high - came,
                bottom=came - low,
                beam=0.01 * float(np.ptp(said)),
                pen=pg.mkPen(colour),
            )
            self.getPlotItem().setXRange(float(said.min()), float(said.max()), padding=0.15)
            self.getPlotItem().setYRange(float(low.min()), float(high.max()), padding=0.08)
        word = say(f"direction.{direction.name.lower()}")
        sentence = (
            say("trust.diagram", direction=word, n=sum(b.count for b in bins))
            if bins
            else say("trust.no_bins")
        )
        self.setAccessibleName(sentence)
        self.getPlotItem().setTitle(
            sentence, color=self._appearance.theme.text, size=f"{self.font().pointSizeF():.1f}pt"
        )


def _fill(choice: QComboBox, items: list[tuple[str, str]]) -> None:
    """Offer items and keep what was chosen."""
    known = [(choice.itemData(n), choice.itemText(n)) for n in range(choice.count())]
    if known == items:
        return
    chosen = choice.currentData()
    choice.blockSignals(True)
    choice.clear()
    for data, text in items:
        choice.addItem(text, data)
    choice.setCurrentIndex(max(0, choice.findData(chosen)))
    choice.blockSignals(False)


if __name__ == "__main__":
    from glasstape_qt.alone import show

    show(lambda made: TrustPanel(made.desk, made.link, made.appearance))
