"""Everything that the desktop knows of the feed."""

import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from datetime import datetime
from itertools import islice

from glasstape import (
    BuyEvent,
    ConfidenceEvent,
    Disconnected,
    Event,
    Gap,
    GlasstapeError,
    Goodbye,
    Heartbeat,
    Instrument,
    Model,
    ModelRef,
    Opened,
    OutcomeEvent,
)

from glasstape_qt.state.alerts import Alerts, Call, Line
from glasstape_qt.state.buys import BuyList
from glasstape_qt.state.connection import Connection, explain
from glasstape_qt.state.exchange import Hours
from glasstape_qt.state.inbox import Delivery
from glasstape_qt.state.rows import Row
from glasstape_qt.state.scale import ColourScale

BACKLOG = 5.0
"""Seconds between publishing and arriving, above the fastest, that make an event one of the past."""

SLICE = 0.004
"""Seconds that one `take` may spend on confidences: the screen must not wait longer."""
STRIDE = 64
"""Confidences between two looks at the clock."""


@dataclass
class Changes:
    """What a delivery changed: views repaint that and nothing else."""

    rows: set[str] = field(default_factory=set)
    flashed: bool = False
    """A class has changed, or a symbol has entered UP."""
    buys: bool = False
    outcomes: list[OutcomeEvent] = field(default_factory=list)
    lines: list[Line] = field(default_factory=list)
    call: Call | None = None
    reset: bool = False


class Desk:
    """Rows by symbol, buys, alerts and the link. Changed on the GUI thread alone."""

    def __init__(
        self, now: Callable[[], float] = time.monotonic, wall: Callable[[], float] = time.time
    ) -> None:
        self._now, self._wall = now, wall
        self.alerts = Alerts(now=now)
        self.forget()

    def forget(self) -> None:
        """Begin with nothing: another server. What the trader wants to hear stays."""
        self.connection = Connection(self._now, self._wall)
        self.rows: dict[str, Row] = {}
        self.buys = BuyList()
        self.alerts = Alerts(rules=self.alerts.rules, now=self._now)
        self.scale = ColourScale()
        self.instruments: dict[str, Instrument] = {}
        self.models: dict[str, Model] = {}
        """By digest."""
        self.active: ModelRef | None = None
        """What publishes now."""
        self.unknown_models: set[ModelRef] = set()
        """Seen in events and not described yet."""
        self._nameless: dict[str, Instrument] = {}
        self._pending: dict[tuple[str, str], ConfidenceEvent] = {}
        self._unjudged: dict[str, Row] = {}
        """Rows of models that were not described when they came: whether they entered is still to be said."""
        self.hours: dict[str, Hours] = {}
        """By exchange, as the clock last said."""
        self._received = 0.0
        self.in_view: frozenset[str] = frozenset()
        """Symbols that the trader is looking at: theirs come first."""
        self.events = 0
        """Events that came, conflated ones too."""

    @property
    def model(self) -> Model | None:
        """The description of what publishes now."""
        return self.models.get(self.active.digest) if self.active is not None else None

    def now(self) -> float:
        """Monotonic seconds."""
        return self._now()

    def wall(self) -> float:
        """Seconds of the wall clock."""
        return self._wall()

    def describe(self, models: Iterable[Model], instruments: Iterable[Instrument]) -> Changes:
        """Take what was asked after connecting."""
        self.models |= {model.ref.digest: model for model in models}
        self.instruments |= {item.symbol: item for item in instruments}
        self.unknown_models = {ref for ref in self.unknown_models if ref.digest not in self.models}
        active = next((model.ref for model in self.models.values() if model.state.name == "ACTIVE"), None)
        self.active = self.active or active
        self.rows = {
            symbol: replace(
                row, model=self.models.get(row.event.model.digest), instrument=self.instrument(symbol)
            )
            for symbol, row in self.rows.items()
        }
        changes = Changes(rows=set(self.rows))
        self._judge(changes)
        return changes

    def remember(self, events: Iterable[Event]) -> Changes:
        """Show rows of an earlier run, marked old."""
        changes = Changes()
        for event in events:
            if isinstance(event, ConfidenceEvent) and event.symbol not in self.rows:
                self.rows[event.symbol] = replace(self._row(event), old=True)
                changes.rows.add(event.symbol)
        return changes

    def recall(self, events: Iterable[Event]) -> Changes:
        """Take past buys and outcomes that were asked for."""
        changes = Changes()
        for event in events:
            if isinstance(event, BuyEvent):
                changes.buys |= self.buys.add(event, backlog=True)
            elif isinstance(event, OutcomeEvent):
                changes.buys |= self.buys.settle(event)
        return changes

    def fail(self, error: GlasstapeError) -> Changes:
        """The stream has ended for good."""
        self.connection.end(explain(error))
        return Changes()

    def take(self, delivery: Delivery) -> Changes:
        """Take everything that has come."""
        changes = Changes(reset=delivery.reset)
        if delivery.reset:
            changes.rows |= set(self.rows)
            self.rows.clear()
            self._pending.clear()
            self._unjudged.clear()
            self.buys.clear()
        for notice in delivery.notices:
            self._notice(notice)
        self.events += delivery.count
        for arrival in delivery.arrivals:
            self.connection.arrived(*arrival)
        for event in delivery.events:
            self._event(event, changes)
        self._pending.update(delivery.confidences)
        self._received = max(self._received, delivery.received)
        self._apply(changes)
        local = datetime.fromtimestamp(self._wall())
        changes.lines, changes.call = self.alerts.collect(self.rows, self.connection.market_now(), local)
        return changes

    @property
    def behind(self) -> bool:
        """Whether confidences wait that the last `take` had no time for."""
        return bool(self._pending)

    def _apply(self, changes: Changes) -> None:
        """Confidences in view, then the oldest, for as long as the screen can wait.

        A newer one takes the place of one that waits.
        """
        end = time.perf_counter() + SLICE
        market_now = self.connection.market_now()
        if len(self._pending) > STRIDE:
            for key in [key for key in self._pending if key[0] in self.in_view]:
                self._confidence(self._pending.pop(key), market_now, changes)
        while self._pending:
            for key in list(islice(self._pending, STRIDE)):
                self._confidence(self._pending.pop(key), market_now, changes)
            if time.perf_counter() > end:
                return

    def _notice(self, notice: object) -> None:
        match notice:
            case Heartbeat():
                judged = self.connection.calibration
                self.connection.heartbeat(notice)
                if self.active is not None and self.connection.calibration is not judged:
                    self.unknown_models.add(self.active)  # its live figures are others now
            case Opened():
                self.active = notice.model
                if notice.model.digest not in self.models:
                    self.unknown_models.add(notice.model)
                self.connection.opened(notice)
            case Disconnected():
                self.connection.broken(notice)
            case Gap():
                self.connection.gaps += notice.last_sequence - notice.first_sequence + 1
            case Goodbye():
                self.connection.goodbye(notice)

    def _event(self, event: Event, changes: Changes) -> None:
        if isinstance(event, BuyEvent):
            changes.buys |= self.buys.add(event, backlog=event.snapshot)
        elif isinstance(event, OutcomeEvent):
            changes.buys |= self.buys.settle(event)
            changes.outcomes.append(event)

    def _confidence(self, event: ConfidenceEvent, market_now: datetime, changes: Changes) -> None:
        symbol = event.symbol
        before = self.rows.get(symbol)
        if before is not None and event.interval != before.event.interval and self._is_another(event):
            return  # one line a symbol: that of the bars which the model is made for
        if before is not None and not before.old and event.sequence <= before.event.sequence:
            return
        self.connection.signal(event)
        row = self._row(event)
        if row.model is None:
            self._unjudged.setdefault(symbol, before or replace(row, old=True))
        entered = self.alerts.above(row) and self._enters(before, row, market_now)
        turned = before is not None and not before.old and before.direction is not row.direction
        if entered or turned:
            row = replace(row, flashed=self._now())
            changes.flashed = True
        self.rows[symbol] = row
        if not event.snapshot:
            self.active = event.model
        changes.rows.add(symbol)

    def _is_another(self, event: ConfidenceEvent) -> bool:
        model = self.models.get(event.model.digest)
        return model is not None and event.interval != model.interval

    def _enters(self, before: Row | None, row: Row, market_now: datetime) -> bool:
        late = self.connection.late(self._received, row.event.publish_time.timestamp()) > BACKLOG
        snoozed = self.buys.snoozed.get(row.symbol, 0.0) > self._now()
        return self.alerts.consider(before, row, market_now=market_now, snoozed=snoozed, backlog=late)

    def _judge(self, changes: Changes) -> None:
        """Models have been described: what entered UP meanwhile is told now."""
        market_now = self.connection.market_now()
        for symbol, before in list(self._unjudged.items()):
            row = self.rows.get(symbol)
            if row is not None and row.model is None:
                continue
            del self._unjudged[symbol]
            known = replace(before, model=self.models.get(before.event.model.digest))
            if row is not None and self.alerts.above(row) and self._enters(known, row, market_now):
                changes.flashed = True
        local = datetime.fromtimestamp(self._wall())
        changes.lines, changes.call = self.alerts.collect(self.rows, market_now, local)

    def _row(self, event: ConfidenceEvent) -> Row:
        model = self.models.get(event.model.digest)
        if model is None:
            self.unknown_models.add(event.model)
        return Row(event, self.instrument(event.symbol), model)

    def instrument(self, symbol: str) -> Instrument:
        """What is known of a symbol; one without a description has its code alone."""
        known = self.instruments.get(symbol) or self._nameless.get(symbol)
        if known is None:
            known = self._nameless[symbol] = Instrument(symbol=symbol)
        return known
