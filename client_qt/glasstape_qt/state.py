"""What the desktop knows. Plain Python: no Qt, so that it can be tested and read without a screen."""

from dataclasses import dataclass, field, replace
from datetime import tzinfo
from zoneinfo import ZoneInfo

from glasstape import (
    BuyEvent,
    ConfidenceEvent,
    Disconnected,
    EventBatch,
    Explanation,
    Gap,
    GlasstapeError,
    Goodbye,
    Heartbeat,
    HeatmapBatch,
    Instrument,
    Model,
    Opened,
    OpenResult,
    StreamMessage,
)


@dataclass(frozen=True)
class Row:
    """One line of the watch table."""

    event: ConfidenceEvent
    name: str = ""
    explanation: Explanation | None = None
    """The heat map of `event`, once it has come."""


@dataclass
class Desk:
    """Rows by symbol, and how the feed is. `take` says which rows changed."""

    model: Model | None = None
    names: dict[str, str] = field(default_factory=dict)
    zones: dict[str, tzinfo] = field(default_factory=dict)
    """Zone of each symbol's exchange."""
    rows: dict[str, Row] = field(default_factory=dict)
    buys: int = 0
    status: str = "connecting"

    def describe(self, model: Model, instruments: list[Instrument]) -> set[str]:
        """Take what was asked once after connecting; every row changes."""
        self.model = model
        self.names = {item.symbol: item.local_name or item.name for item in instruments}
        self.zones = {item.symbol: ZoneInfo(item.time_zone) for item in instruments}
        self.rows = {
            symbol: replace(row, name=self.names.get(symbol, "")) for symbol, row in self.rows.items()
        }
        return set(self.rows)

    def fail(self, error: GlasstapeError) -> set[str]:
        """The feed has ended for good."""
        self.status = f"the feed ended: {error}"
        return set()

    def take(self, message: StreamMessage) -> set[str]:
        """Take a message of the stream; returns the symbols whose rows changed."""
        match message:
            case EventBatch():
                return self._take_events(message)
            case HeatmapBatch():
                return self._take_heatmaps(message)
            case Heartbeat():
                self.status = (
                    f"{message.data_state.name}, market time {message.market_time:%Y-%m-%d %H:%M} UTC"
                )
            case Opened():
                self.status = "connected"
                if message.result is OpenResult.RESET:
                    changed = set(self.rows)
                    self.rows.clear()
                    return changed
            case Disconnected():
                seconds = message.retry_in.total_seconds()
                self.status = f"disconnected, next try in {seconds:.1f} s: {message.error}"
            case Gap():
                self.status = f"lost {message.first_sequence}-{message.last_sequence}: {message.reason}"
            case Goodbye():
                self.status = f"the server said goodbye: {message.reason.name}"
        return set()

    def ramp(self, up: float) -> float:
        """How strong the colour of a buy confidence is, 0 (base rate) - 1 (the top of the model's ramp)."""
        if self.model is None:
            return 0.0
        low, high = self.model.buy_ramp_low, self.model.buy_ramp_high
        return min(1.0, max(0.0, (up - low) / max(high - low, 1e-9)))

    def _take_events(self, batch: EventBatch) -> set[str]:
        changed = set()
        for event in batch.events:
            if isinstance(event, ConfidenceEvent):
                self.rows[event.symbol] = Row(event, self.names.get(event.symbol, ""))
                self.status = (
                    f"{event.signal.data_state.name}, last bar {event.bar_close_time:%Y-%m-%d %H:%M} UTC"
                )
                changed.add(event.symbol)
            elif isinstance(event, BuyEvent) and not event.snapshot:
                self.buys += 1
        return changed

    def _take_heatmaps(self, batch: HeatmapBatch) -> set[str]:
        changed = set()
        for symbol, row in self.rows.items():
            explanation = batch.explanations.get(row.event.sequence)
            if explanation is not None:
                self.rows[symbol] = replace(row, explanation=explanation)
                changed.add(symbol)
        return changed
