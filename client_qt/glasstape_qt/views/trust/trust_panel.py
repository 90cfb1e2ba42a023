"""The trust panel: track record, reliability diagram and model card."""

from html import escape

from glasstape import Client, Direction, Model, ModelState, TrackRecords
from PyQt6.QtCore import Qt, QTimer
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
from glasstape_qt.state.signal_store import SignalStore
from glasstape_qt.state.store_changes import StoreChanges
from glasstape_qt.theme.appearance import Appearance
from glasstape_qt.views.trust.model_card import model_card_html
from glasstape_qt.views.trust.reliability_diagram import ReliabilityDiagram
from glasstape_qt.views.trust.track_record import track_record_html

RELOAD_INTERVAL_MS = 5000
"""Shortest time between two requests that new outcomes cause."""


class TrustPanel(QWidget):
    """Shows the server's track record by symbol, model and class; requests nothing while hidden."""

    def __init__(self, store: SignalStore, link: Link, appearance: Appearance) -> None:
        super().__init__()
        self.setObjectName("trustPanel")
        self._store, self._link, self._appearance = store, link, appearance
        self._track: TrackRecords | None = None
        self._error = ""
        self._outdated = True
        self._timer = QTimer(self)
        self._timer.setSingleShot(True)
        self._timer.setInterval(RELOAD_INTERVAL_MS)
        self._timer.timeout.connect(lambda: self.apply_changes(StoreChanges()))
        self._symbol, self._model, self._class = QComboBox(), QComboBox(), QComboBox()
        for choice, name, on_change in (
            (self._symbol, "trustSymbol", self.load),
            (self._model, "trustModel", self.load),
            (self._class, "trustClass", self._show_track),
        ):
            choice.setObjectName(name)
            choice.currentIndexChanged.connect(on_change)
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
        """Request the track record of the selected symbol and model."""
        self._outdated = False
        symbol, model = self._symbol.currentData() or "", self._model.currentData() or ""

        def call(client: Client) -> TrackRecords:
            return client.track_record(model=model, symbols=[symbol] if symbol else [])

        self._link.request("trust", call, self._track_received, self._track_failed)

    def apply_changes(self, changes: StoreChanges) -> None:
        """Request the track record again once outcomes arrived, at most every `RELOAD_INTERVAL_MS`."""
        if changes.reset:
            self._track = None
        self._outdated = self._outdated or changes.reset or bool(changes.outcomes)
        if self.isVisible() and self._outdated and not self._timer.isActive():
            self._timer.start()
            self.refresh()

    def refresh(self) -> None:
        """Show the store's current symbols and models; request the track record if it is out of date."""
        if self._store.model is not None and self._outdated:
            self.load()
        self._update()

    def showEvent(self, event: QShowEvent | None) -> None:
        """Request what changed while hidden."""
        super().showEvent(event)
        self.refresh()

    def _track_received(self, track: TrackRecords) -> None:
        self._track, self._error = track, ""
        self._show_track()

    def _track_failed(self, error: Exception) -> None:
        self._track, self._error = None, str(error)
        self._show_track()

    def _update(self) -> None:
        self._fill_choices()
        self._show_track()

    def _fill_choices(self) -> None:
        symbols = sorted(self._store.rows)
        models = sorted({model.ref.name for model in self._store.models.values()})
        classes = [direction.name.lower() for direction in Direction]
        _fill(self._symbol, [("", tr("trust.all_symbols")), *((name, name) for name in symbols)])
        _fill(self._model, [("", tr("trust.all_models")), *((name, name) for name in models)])
        _fill(self._class, [(name, tr(f"direction.{name}")) for name in reversed(classes)])

    def _show_track(self) -> None:
        direction = Direction[(self._class.currentData() or "up").upper()]
        if self._error:
            self._text.setHtml(tr("trust.failed", error=escape(self._error)))
        else:
            self._text.setHtml(track_record_html(self._track))
        points = self._track.reliability if self._track is not None else ()
        self._diagram.show_points([p for p in points if p.direction is direction], direction)
        self._card.setHtml(model_card_html(self._selected_model()))

    def _selected_model(self) -> Model | None:
        name = self._model.currentData()
        if not name:
            return self._store.model
        versions = [model for model in self._store.models.values() if model.ref.name == name]
        return max(versions, key=lambda model: model.state is ModelState.ACTIVE, default=None)


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
