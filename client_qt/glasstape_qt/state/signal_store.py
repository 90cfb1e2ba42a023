"""The state of the feed: rows by symbol, buys, alerts, models, instruments and the connection."""

import time
from collections.abc import Callable, Iterable
from dataclasses import replace
from datetime import datetime
from itertools import islice

from glasstape import (
    BuyEvent,
    ConfidenceEvent,
    DataState,
    Disconnected,
    Event,
    GlasstapeError,
    Goodbye,
    Heartbeat,
    Instrument,
    Model,
    ModelRef,
    Opened,
    OutcomeEvent,
    SequenceGap,
)

from glasstape_qt.state.alerts import AlertTracker
from glasstape_qt.state.buy_list import BuyList
from glasstape_qt.state.color_scale import ColorScale
from glasstape_qt.state.connection import Connection, reason_of
from glasstape_qt.state.exchange import Hours
from glasstape_qt.state.inbox import InboxBatch
from glasstape_qt.state.quotes import QuoteBook
from glasstape_qt.state.store_changes import StoreChanges
from glasstape_qt.state.symbol_figures import InstrumentBook, SymbolFigures
from glasstape_qt.state.watch_row import WatchRow

BACKLOG_S = 5.0
"""Seconds from publishing to arrival, above the fastest, from which an event counts as backlog."""

APPLY_BUDGET_S = 0.004
"""Seconds that one `apply` may spend on confidences, so that the GUI thread stays responsive."""
BATCH_SIZE = 64
"""Confidences applied between two checks of the budget."""


class SignalStore:
    """State of the feed and of its connection. Changed on the GUI thread only.

    Args:
        now: monotonic clock, in seconds.
        wall: wall clock, in seconds.
        apply_budget: seconds that one `apply` may spend on confidences.
    """

    def __init__(
        self,
        now: Callable[[], float] = time.monotonic,
        wall: Callable[[], float] = time.time,
        apply_budget: float = APPLY_BUDGET_S,
    ) -> None:
        self._now, self._wall, self._apply_budget = now, wall, apply_budget
        self.alerts = AlertTracker(now=now)
        self.clear()

    def clear(self) -> None:
        """Drop everything, for another server; the alert rules stay."""
        self.connection = Connection(self._now, self._wall)
        self.rows: dict[str, WatchRow] = {}
        self.quotes = QuoteBook()
        self.figures = SymbolFigures()
        self.buys = BuyList()
        self.alerts = AlertTracker(rules=self.alerts.rules, now=self._now)
        self.color_scale = ColorScale()
        self.instruments = InstrumentBook()
        self.models: dict[str, Model] = {}
        """By digest."""
        self.active_model: ModelRef | None = None
        """The model that publishes now."""
        self.unknown_models: set[ModelRef] = set()
        """Models of events whose description is missing or out of date."""
        self.hours: dict[str, Hours] = {}
        """Trading hours by exchange, updated by the window's clock."""
        self.in_view: frozenset[str] = frozenset()
        """Symbols of visible rows: these are applied first."""
        self.event_count = 0
        """Events that arrived, conflated ones included."""
        self._pending: dict[tuple[str, str], ConfidenceEvent] = {}
        self._unevaluated: dict[str, WatchRow] = {}
        """Previous rows of symbols whose model is not described: whether they entered UP is open."""
        self._received = 0.0

    @property
    def model(self) -> Model | None:
        """Description of the active model; None until the server has returned it."""
        return self.models.get(self.active_model.digest) if self.active_model is not None else None

    @property
    def interval(self) -> str:
        """Bar interval of the active model; "" until it is known."""
        return self.model.interval if self.model is not None else ""

    @property
    def has_backlog(self) -> bool:
        """Whether the last `apply` ran out of time and left confidences for the next one."""
        return bool(self._pending)

    @property
    def has_unknown_symbols(self) -> bool:
        """Whether a row's instrument is not described: its bars are newer than the last description."""
        return not self.rows.keys() <= self.instruments.keys()

    def now(self) -> float:
        """Return monotonic seconds."""
        return self._now()

    def wall(self) -> float:
        """Return wall-clock seconds."""
        return self._wall()

    def instrument(self, symbol: str) -> Instrument:
        """Return the instrument of a symbol; without a description, one with its code only."""
        return self.instruments.of(symbol)

    def describe(self, models: Iterable[Model], instruments: Iterable[Instrument]) -> StoreChanges:
        """Add descriptions of models and instruments; return what changed."""
        self.models |= {model.ref.digest: model for model in models}
        self.instruments |= {item.symbol: item for item in instruments}
        self.unknown_models = {ref for ref in self.unknown_models if ref.digest not in self.models}
        active = next((model.ref for model in self.models.values() if model.state.name == "ACTIVE"), None)
        self.active_model = self.active_model or active
        self.rows = {
            symbol: replace(
                row, model=self.models.get(row.event.model.digest), instrument=self.instrument(symbol)
            )
            for symbol, row in self.rows.items()
        }
        changes = StoreChanges(rows=set(self.rows), buys=True, described=True)
        self._evaluate_deferred(changes)
        return changes

    def restore_rows(self, events: Iterable[Event]) -> StoreChanges:
        """Add rows of an earlier run, marked old; return what changed."""
        changes = StoreChanges()
        for event in events:
            if isinstance(event, ConfidenceEvent) and event.symbol not in self.rows:
                self.rows[event.symbol] = replace(self._row(event), old=True)
                changes.rows.add(event.symbol)
        return changes

    def add_history(self, events: Iterable[Event]) -> StoreChanges:
        """Add past buys and outcomes of the journal; return what changed."""
        changes = StoreChanges()
        for event in events:
            if isinstance(event, BuyEvent):
                changes.buys |= self.buys.add(event, historical=True)
            elif isinstance(event, OutcomeEvent):
                changes.buys |= self.buys.set_outcome(event)
                self.figures.add_outcome(event)
                changes.rows.add(event.symbol)
        return changes

    def fail(self, error: GlasstapeError) -> StoreChanges:
        """End the connection: the stream failed for good; return what changed."""
        self.connection.end(reason_of(error))
        return StoreChanges()

    def apply(self, batch: InboxBatch) -> StoreChanges:
        """Apply what arrived; return what changed. Confidences beyond the budget are left for the next call."""
        changes = StoreChanges(reset=batch.reset)
        if batch.reset:
            changes.rows |= set(self.rows)
            self.rows.clear()
            self.quotes.clear()
            self.figures.records.clear()
            self._pending.clear()
            self._unevaluated.clear()
            self.buys.clear()
        for notice in batch.notices:
            self._apply_notice(notice)
        self.event_count += batch.count
        for arrival in batch.arrivals:
            self.connection.add_latency(*arrival)
        for event in batch.events:
            self._apply_event(event, changes)
        self._pending.update(batch.confidences)
        self._received = max(self._received, batch.received)
        self._apply_pending(changes)
        if batch.quotes:
            self.connection.mark_alive()
            changes.quotes = self.quotes.update_from(
                batch.quotes.values(), self.rows, self.interval, self._now()
            )
        self._collect_alerts(changes)
        return changes

    def _apply_pending(self, changes: StoreChanges) -> None:
        """Apply confidences in view, then the oldest, until the budget is spent.

        A newer confidence of a symbol replaces one that is still pending.
        """
        end = time.perf_counter() + self._apply_budget
        market_now = self.connection.market_now()
        if len(self._pending) > BATCH_SIZE:
            for key in [key for key in self._pending if key[0] in self.in_view]:
                self._apply_confidence(self._pending.pop(key), market_now, changes)
        while self._pending:
            for key in list(islice(self._pending, BATCH_SIZE)):
                self._apply_confidence(self._pending.pop(key), market_now, changes)
            if time.perf_counter() > end:
                return

    def _apply_notice(self, notice: object) -> None:
        match notice:
            case Heartbeat():
                calibration = self.connection.calibration
                self.connection.heartbeat(notice)
                if self.active_model is not None and self.connection.calibration is not calibration:
                    self.unknown_models.add(self.active_model)  # its live figures have changed
            case Opened():
                self.active_model = notice.model
                if notice.model.digest not in self.models:
                    self.unknown_models.add(notice.model)
                self.connection.opened(notice)
            case Disconnected():
                self.connection.disconnected(notice)
            case SequenceGap():
                self.connection.lost_events += notice.last_sequence - notice.first_sequence + 1
            case Goodbye():
                self.connection.goodbye(notice)

    def _apply_event(self, event: Event, changes: StoreChanges) -> None:
        if isinstance(event, BuyEvent):
            changes.buys |= self.buys.add(event, historical=event.snapshot)
        elif isinstance(event, OutcomeEvent):
            changes.buys |= self.buys.set_outcome(event)
            changes.outcomes.append(event)
            self.figures.add_outcome(event)
            changes.rows.add(event.symbol)

    def _apply_confidence(self, event: ConfidenceEvent, market_now: datetime, changes: StoreChanges) -> None:
        symbol = event.symbol
        before = self.rows.get(symbol)
        other = before is not None and event.interval != before.event.interval
        if other and self._has_foreign_interval(event):
            return  # one row per symbol: that of the interval which the model is made for
        if before is not None and not before.old and event.sequence <= before.event.sequence:
            return
        self.connection.signal(event)
        row = replace(self._row(event), previous_up=before.current_up if before is not None else None)
        self.figures.recent_bars(symbol).add(event.signal.bar)
        if row.model is None:
            self._unevaluated.setdefault(symbol, before or replace(row, old=True))
        entered = self.alerts.is_above(row) and self._has_entered(before, row, market_now)
        turned = before is not None and not before.old and before.direction is not row.direction
        if entered or turned:
            row = replace(row, flashed=self._now())
            changes.flashed = True
        self.rows[symbol] = row
        self.quotes.close(symbol, event.bar_close_time)
        if not event.snapshot:
            self.active_model = event.model
        changes.rows.add(symbol)

    def _has_foreign_interval(self, event: ConfidenceEvent) -> bool:
        model = self.models.get(event.model.digest)
        return model is not None and event.interval != model.interval

    def _has_entered(self, before: WatchRow | None, row: WatchRow, market_now: datetime) -> bool:
        delay = self.connection.delay(self._received, row.event.publish_time.timestamp())
        live = row.event.signal.data_state is not DataState.REPLAY  # a replay is of another time
        snoozed = self.buys.snoozed.get(row.symbol, 0.0) > self._now()
        return self.alerts.consider(
            before, row, market_now=market_now, snoozed=snoozed, backlog=live and delay > BACKLOG_S
        )

    def _evaluate_deferred(self, changes: StoreChanges) -> None:
        """Alert what entered UP before its model was described."""
        market_now = self.connection.market_now()
        for symbol, before in list(self._unevaluated.items()):
            row = self.rows.get(symbol)
            if row is not None and row.model is None:
                continue
            del self._unevaluated[symbol]
            known = replace(before, model=self.models.get(before.event.model.digest))
            if row is not None and self.alerts.is_above(row) and self._has_entered(known, row, market_now):
                changes.flashed = True
        self._collect_alerts(changes)

    def _collect_alerts(self, changes: StoreChanges) -> None:
        local = datetime.fromtimestamp(self._wall())
        market_now = self.connection.market_now()
        changes.alerts, changes.notification = self.alerts.collect(self.rows, market_now, local)

    def _row(self, event: ConfidenceEvent) -> WatchRow:
        model = self.models.get(event.model.digest)
        if model is None:
            self.unknown_models.add(event.model)
        return WatchRow(event, self.instrument(event.symbol), model)
