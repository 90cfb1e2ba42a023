"""State and rendering of `glasstape watch`."""

from collections.abc import Callable
from typing import Any

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
from glasstape.cli.render import (
    HeatmapTable,
    caption,
    confidence_bar,
    direction_text,
    missing_text,
    rank_text,
)
from glasstape.prices import close_text

_SORT_KEYS: dict[str, Callable[[ConfidenceEvent], Any]] = {
    "symbol": lambda event: event.symbol,
    "rank": lambda event: _rank_key(event),
    "up": lambda event: (-event.signal.probabilities.up, event.symbol),
}
"""Sort keys of the rows, by order."""


def _rank_key(event: ConfidenceEvent) -> tuple[bool, float, float, str]:
    """Return the key by which the newest close comes first, its highest score at the top, symbols without one last."""
    score = event.signal.rank_score
    if score is None:
        return True, 0.0, 0.0, event.symbol
    return False, -event.bar_close_time.timestamp(), -score, event.symbol


class Board:
    """The newest confidence of each symbol, the newest explained buy, and the status of the feed.

    Args:
        client: of the server.
        model: the active one.
        sort: order of the symbols, "symbol", "rank" (within the newest close first) or "up".
    """

    def __init__(self, client: Client, model: Model, sort: str = "symbol") -> None:
        self._client = client
        self.model = model
        self._sort = sort
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
        ranked = any(event.signal.rank_score is not None for event in self.confidences.values())
        for name in (
            "symbol",
            *(["rank"] if ranked else []),
            "close",
            "change",
            "down",
            "flat",
            "buy confidence (up)",
            "direction",
            "bar close",
        ):
            right = name in ("rank", "close", "change", "down", "flat")
            table.add_column(name, justify="right" if right else "left")
        for event in sorted(self.confidences.values(), key=_SORT_KEYS[self._sort]):
            symbol, signal = event.symbol, event.signal
            confidence = signal.probabilities
            change = "" if signal.change is None else f"{signal.change:+.2%}"
            rank = rank_text(signal.rank_score, signal.close_rank, signal.close_size)
            table.add_row(
                Text(symbol),
                *([rank] if ranked else []),
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
        if self._sort == "rank" and self.confidences and not ranked:
            parts.append(Text("sorted by symbol: no signal has a rank, its model has no rank head", "dim"))
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
