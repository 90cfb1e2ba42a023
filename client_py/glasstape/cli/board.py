"""The state behind `glasstape watch`, and its picture."""

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
    Gap,
    Goodbye,
    Heartbeat,
    HeatmapBatch,
    Model,
    Opened,
    OutcomeEvent,
    StreamMessage,
)
from glasstape.cli.render import caption, confidence_bar, direction_text, heatmap_table


class Board:
    """The newest confidence of each symbol, the newest explained buy, and how the feed is."""

    def __init__(self, client: Client, model: Model) -> None:
        self._client = client
        self.model = model
        self.status = "connecting"
        self.confidences: dict[str, ConfidenceEvent] = {}
        self.buys = 0
        self.hits = self.scored = 0
        self.explained: tuple[BuyEvent, Explanation] | None = None
        self._waiting: dict[int, BuyEvent] = {}

    def take(self, message: StreamMessage) -> None:
        """Take a message of the stream."""
        match message:
            case EventBatch():
                for event in message.events:
                    self._take_event(event)
            case HeatmapBatch():
                self._take_heatmaps(message)
            case Heartbeat():
                self.status = (
                    f"{message.data_state.value}, market time {message.market_time:%Y-%m-%d %H:%M} UTC"
                )
            case Opened():
                self.status = f"connected ({message.result.value})"
            case Disconnected():
                seconds = message.retry_in.total_seconds()
                self.status = f"disconnected, next try in {seconds:.1f} s: {message.error}"
            case Gap():
                self.status = f"lost {message.first_sequence}-{message.last_sequence}: {message.reason}"
            case Goodbye():
                self.status = f"the server said goodbye: {message.reason.value}"

    def heatmap(self) -> Group | None:
        """The map of the newest explained buy."""
        if self.explained is None:
            return None
        event, explanation = self.explained
        title = f"why {event.symbol} is a buy at {event.bar_close_time:%Y-%m-%d %H:%M} UTC (sequence {event.sequence})"
        return Group(heatmap_table(explanation, self.model, title), Text(caption(explanation), "dim"))

    def picture(self) -> Group:
        """Everything, as rich draws it."""
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
            said = signal.confidence
            change = "" if signal.change is None else f"{signal.change:+.2%}"
            table.add_row(
                symbol, f"{signal.bar.close:,.2f}", change, f"{said.down:.1%}", f"{said.flat:.1%}",
                confidence_bar(said.up, self.model.buy_ramp_low, self.model.buy_ramp_high),
                direction_text(said), f"{event.bar_close_time:%Y-%m-%d %H:%M}",
            )  # fmt: skip
        rate = (
            f"{self.hits}/{self.scored} up and down calls came true since"
            if self.scored
            else "no call resolved since"
        )
        parts: list[Table | Text | Group] = [
            table,
            Text(f"{self.status} · {self.buys} buys and {rate} connecting", "dim"),
        ]
        heatmap = self.heatmap()
        if heatmap is not None:
            parts += [Text(), heatmap]
        return Group(*parts)

    def _take_event(self, event: object) -> None:
        match event:
            case ConfidenceEvent():
                self.confidences[event.symbol] = event
                self.status = (
                    f"{event.signal.data_state.value}, last bar {event.bar_close_time:%Y-%m-%d %H:%M} UTC"
                )
            case BuyEvent():
                self.buys += 1
                self._waiting[event.sequence] = event
            case OutcomeEvent() if event.predicted.name != "FLAT":
                self.scored += 1
                self.hits += event.hit

    def _take_heatmaps(self, batch: HeatmapBatch) -> None:
        explained = [sequence for sequence in batch.explanations if sequence in self._waiting]
        if not explained:
            return
        event = self._waiting[max(explained)]
        if event.model.digest != self.model.ref.digest:
            self.model = self._client.model(f"{event.model.name}@{event.model.version}")
        self.explained = (event, batch.explanations[event.sequence])
        self._waiting = {sequence: e for sequence, e in self._waiting.items() if sequence > event.sequence}
