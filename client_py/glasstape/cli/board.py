"""State and rendering of `glasstape watch`."""

from rich.console import Group
from rich.table import Table
from rich.text import Text

from glasstape import (
    BuyEvent,
    Client,
    ConfidenceEvent,
    Disconnected,
    EventBatch,
    Explanation,
    Goodbye,
    Heartbeat,
    HeatmapBatch,
    Model,
    Opened,
    OutcomeEvent,
    SequenceGap,
    StreamMessage,
)
from glasstape.cli.render import HeatmapTable, caption, confidence_bar, direction_text, missing_text
from glasstape.prices import close_text


class Board:
    """The newest confidence of each symbol, the newest explained buy, and the status of the feed."""

    def __init__(self, client: Client, model: Model) -> None:
        self._client = client
        self.model = model
        self.status = "connecting"
        self.confidences: dict[str, ConfidenceEvent] = {}
        self.buys = 0
        self.hits = self.scored = 0
        self.explained: tuple[BuyEvent, Explanation] | None = None
        self._unexplained: dict[int, BuyEvent] = {}

    def update(self, message: StreamMessage) -> None:
        """Apply a message of the stream."""
        match message:
            case EventBatch():
                for event in message.events:
                    self._apply_event(event)
            case HeatmapBatch():
                self._apply_heatmaps(message)
            case Heartbeat():
                self.status = (
                    f"{message.data_state.value}, market time {message.market_time:%Y-%m-%d %H:%M} UTC"
                )
            case Opened():
                self.status = f"connected ({message.result.value})"
            case Disconnected():
                seconds = message.retry_in.total_seconds()
                self.status = f"disconnected, retrying in {seconds:.1f} s: {message.error}"
            case SequenceGap():
                first, last = message.first_sequence, message.last_sequence
                self.status = f"events {first}-{last} are lost: {message.reason.value}"
            case Goodbye():
                self.status = f"the server closes the stream: {message.reason.value}"

    def heatmap(self) -> Group | None:
        """Return the map of the newest explained buy; None: there is none."""
        if self.explained is None:
            return None
        event, explanation = self.explained
        title = f"buy {event.symbol}, bar close {event.bar_close_time:%Y-%m-%d %H:%M} UTC, sequence {event.sequence}"
        return Group(HeatmapTable(explanation, self.model, title), Text(caption(explanation), "dim"))

    def render(self) -> Group:
        """Return the board as a rich renderable."""
        table = Table(
            title=f"Glasstape: {self.model.ref.name}@{self.model.ref.version}", title_justify="left"
        )
        for name in (
            "symbol",
            "close",
            "change",
            "down",
            "flat",
            "buy confidence (up)",
            "direction",
            "bar close",
        ):
            table.add_column(name, justify="right" if name in ("close", "change", "down", "flat") else "left")
        for symbol, event in sorted(self.confidences.items()):
            signal = event.signal
            confidence = signal.probabilities
            change = "" if signal.change is None else f"{signal.change:+.2%}"
            table.add_row(
                Text(symbol),
                close_text(signal.bar),
                change,
                f"{confidence.down:.1%}",
                f"{confidence.flat:.1%}",
                confidence_bar(confidence.up, self.model.buy_ramp_low, self.model.buy_ramp_high),
                Text.assemble(
                    direction_text(confidence),
                    (missing_text(signal.missing_bars, signal.missing_symbols), "yellow"),
                ),
                f"{event.bar_close_time:%Y-%m-%d %H:%M}",
            )
        hits = f"{self.hits} of {self.scored} UP and DOWN signals hit" if self.scored else "no outcomes"
        parts: list[Table | Text | Group] = [
            table,
            Text(f"{self.status} · since connecting: {self.buys} buys, {hits}", "dim"),
        ]
        heatmap = self.heatmap()
        if heatmap is not None:
            parts += [Text(), heatmap]
        return Group(*parts)

    def _apply_event(self, event: object) -> None:
        match event:
            case ConfidenceEvent():
                self.confidences[event.symbol] = event
                self.status = (
                    f"{event.signal.data_state.value}, last bar {event.bar_close_time:%Y-%m-%d %H:%M} UTC"
                )
            case BuyEvent():
                self.buys += 1
                self._unexplained[event.sequence] = event
            case OutcomeEvent() if event.predicted.name != "FLAT":
                self.scored += 1
                self.hits += event.hit

    def _apply_heatmaps(self, batch: HeatmapBatch) -> None:
        explained = [sequence for sequence in batch.explanations if sequence in self._unexplained]
        if not explained:
            return
        event = self._unexplained[max(explained)]
        if event.model.digest != self.model.ref.digest:
            self.model = self._client.model(f"{event.model.name}@{event.model.version}")
        self.explained = (event, batch.explanations[event.sequence])
        self._unexplained = {
            sequence: e for sequence, e in self._unexplained.items() if sequence > event.sequence
        }
