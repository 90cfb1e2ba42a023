"""The trust panel: track record, reliability diagram and model card."""

from html import escape
from itertools import islice

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

from glasstape_qt.i18n import tr
from glasstape_qt.link import Link
from glasstape_qt.state.signal_store import SignalStore, StoreChanges
from glasstape_qt.state.track_record import hit_rates, reliability_bins, select_outcomes
from glasstape_qt.theme.appearance import Appearance
from glasstape_qt.views.trust.model_card import model_card_html, track_record_html
from glasstape_qt.views.trust.reliability_diagram import ReliabilityDiagram

MAX_OUTCOMES = 20_000
"""Newest outcomes that are evaluated."""


class TrustPanel(QWidget):
    """Evaluates the journal's outcomes by symbol, model and class; does nothing while hidden."""

    def __init__(self, store: SignalStore, link: Link, appearance: Appearance) -> None:
        super().__init__()
        self.setObjectName("trustPanel")
        self._store, self._link, self._appearance = store, link, appearance
        self._outcomes: dict[int, OutcomeEvent] = {}
        self._requested = False
        self._symbol, self._model, self._class = QComboBox(), QComboBox(), QComboBox()
        for choice, name in (
            (self._symbol, "trustSymbol"),
            (self._model, "trustModel"),
            (self._class, "trustClass"),
        ):
            choice.setObjectName(name)
            choice.currentIndexChanged.connect(self._refresh)
        self._reload = QPushButton()
        self._reload.clicked.connect(self.load)
        self._text = QTextBrowser()
        self._text.setObjectName("trustText")
        self._card = QTextBrowser()
        self._card.setObjectName("modelCard")
        self._note = QLabel()
        self._note.setWordWrap(True)
        self._diagram = ReliabilityDiagram(appearance)
        top = QHBoxLayout()
        for widget in (self._symbol, self._model, self._class):
            top.addWidget(widget, 1)
        top.addWidget(self._reload)
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
        """Apply the language."""
        self._reload.setText(tr("trust.reload"))
        self._symbol.setAccessibleName(tr("trust.symbol"))
        self._model.setAccessibleName(tr("trust.model"))
        self._class.setAccessibleName(tr("trust.class"))
        self._text.setAccessibleName(tr("trust.record"))
        self._card.setAccessibleName(tr("trust.card"))
        self._note.setText(tr("trust.note"))
        self._update()

    def load(self) -> None:
        """Request the journal's outcomes."""
        self._requested = True

        def call(client: Client) -> list[Event]:
            return list(islice(client.history(kinds=["outcome"], descending=True), MAX_OUTCOMES))

        self._link.request("trust", call, self._outcomes_received, self._outcomes_failed)

    def apply_changes(self, changes: StoreChanges) -> None:
        """Add outcomes; show them if the panel is visible."""
        if changes.reset:
            self._outcomes.clear()
            self._requested = False
        for outcome in changes.outcomes:
            self._outcomes[outcome.sequence] = outcome
        if self.isVisible() and (changes.reset or changes.outcomes or not self._requested):
            self.refresh()

    def refresh(self) -> None:
        """Evaluate the outcomes again, with the store's current models."""
        while len(self._outcomes) > MAX_OUTCOMES:
            del self._outcomes[next(iter(self._outcomes))]
        if not self._requested and self._store.model is not None:
            self.load()
        self._update()

    def showEvent(self, event: QShowEvent | None) -> None:
        """Evaluate what arrived while hidden."""
        super().showEvent(event)
        self.refresh()

    def _outcomes_received(self, events: list[Event]) -> None:
        outcomes = {event.sequence: event for event in events if isinstance(event, OutcomeEvent)}
        self._outcomes = dict(sorted((outcomes | self._outcomes).items())[-MAX_OUTCOMES:])
        self._update()

    def _outcomes_failed(self, error: Exception) -> None:
        self._text.setHtml(tr("trust.failed", error=escape(str(error))))

    def _update(self) -> None:
        self._fill_choices()
        self._refresh()

    def _fill_choices(self) -> None:
        outcomes = self._outcomes.values()
        symbols = sorted({event.symbol for event in outcomes})
        models = sorted({f"{event.model.name}@{event.model.version}" for event in outcomes})
        classes = [direction.name.lower() for direction in Direction]
        _fill(self._symbol, [("", tr("trust.all_symbols")), *((name, name) for name in symbols)])
        _fill(self._model, [("", tr("trust.all_models")), *((name, name) for name in models)])
        _fill(self._class, [(name, tr(f"direction.{name}")) for name in reversed(classes)])

    def _refresh(self) -> None:
        outcomes = select_outcomes(
            self._outcomes.values(),
            self._store.models,
            symbol=self._symbol.currentData() or "",
            model=self._model.currentData() or "",
        )
        direction = Direction[(self._class.currentData() or "up").upper()]
        self._text.setHtml(track_record_html(hit_rates(outcomes), len(outcomes)))
        self._diagram.show_bins(reliability_bins(outcomes, direction), direction)
        self._card.setHtml(model_card_html(self._selected_model()))

    def _selected_model(self) -> Model | None:
        name = self._model.currentData()
        if not name:
            return self._store.model
        models = {f"{model.ref.name}@{model.ref.version}": model for model in self._store.models.values()}
        return models.get(name)


def _fill(choice: QComboBox, items: list[tuple[str, str]]) -> None:
    """Offer (data, text) items, keeping the selection if possible."""
    known = [(choice.itemData(n), choice.itemText(n)) for n in range(choice.count())]
    if known == items:
        return
    selected = choice.currentData()
    choice.blockSignals(True)
    choice.clear()
    for data, text in items:
        choice.addItem(text, data)
    choice.setCurrentIndex(max(0, choice.findData(selected)))
    choice.blockSignals(False)


if __name__ == "__main__":
    from glasstape_qt.preview import run_preview

    run_preview(lambda context: TrustPanel(context.store, context.link, context.appearance))
