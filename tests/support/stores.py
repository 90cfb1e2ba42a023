"""Stores, events and clocks for tests of the desktop."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

from glasstape import BuyEvent, DataState, EventBatch, Opened, OpenResult, OutcomeEvent, ResetReason
from glasstape.testing import MODEL, make_buy, make_confidence, make_confidence_event
from glasstape_qt.state.inbox import Inbox
from glasstape_qt.state.signal_store import APPLY_BUDGET_S, SignalStore

UP = make_confidence(0.2, 0.25, 0.55)
DOWN = make_confidence(0.5, 0.2, 0.3)
FLAT = make_confidence(0.2, 0.5, 0.3)
START = datetime(2026, 1, 5, 21, tzinfo=UTC)
"""Bar close of the events that `glasstape.testing` makes."""


class Clock:
    """A clock that stands still until it is moved."""

    def __init__(self, seconds=0.0):
        self.seconds = seconds

    def __call__(self):
        return self.seconds


def confidence(
    symbol, value=UP, sequence=1, *, state=DataState.LIVE, snapshot=False, close=100.0, previous=None, days=0
):
    event = make_confidence_event(symbol, value)
    moment = START + timedelta(days=days)
    bar = replace(event.signal.bar, close=close, close_time=moment)
    signal = replace(
        event.signal, bar=bar, data_state=state, expire_time=moment + timedelta(days=2),
        previous_session_close=close if previous is None else previous,
    )  # fmt: skip
    return replace(
        event, sequence=sequence, signal=signal, snapshot=snapshot, bar_close_time=moment, publish_time=moment
    )


def buy(symbol, sequence=2, value=UP, *, snapshot=False) -> BuyEvent:
    return replace(
        make_buy(symbol, value), sequence=sequence, confidence_sequence=sequence - 1, snapshot=snapshot
    )


def outcome(symbol, of, sequence=99, *, value=UP, hit=True, moved=0.01, days=0) -> OutcomeEvent:
    """An outcome of the signal with sequence `of`."""
    event = confidence(symbol, value, of, days=days)
    realized = value.direction if hit else next(d for d in type(value.direction) if d is not value.direction)
    return OutcomeEvent(
        sequence=sequence, symbol=symbol, interval="1d", bar_close_time=event.bar_close_time + timedelta(days=1),
        publish_time=event.publish_time, model=MODEL.ref, confidence_sequence=of,
        signal_bar_close_time=event.bar_close_time, predicted=value.direction, realized=realized,
        realized_return=moved, hit=hit, abstained=False, probabilities=value,
    )  # fmt: skip


def opened(result=OpenResult.STARTED, contract="1.0"):
    return Opened(
        result=result, reset_reason=ResetReason.UNSPECIFIED, epoch="1", head_sequence=0, earliest_sequence=1,
        contract_version=contract, model=MODEL.ref,
    )  # fmt: skip


def batch(*events, snapshot=False):
    return EventBatch(events=events, conflated_count=0, snapshot=snapshot)


def make_store(now=None, wall=None, apply_budget=APPLY_BUDGET_S):
    """A store that knows the fake model; its wall clock stands at the events' publishing."""
    store = SignalStore(now or Clock(100.0), wall or Clock(START.timestamp()), apply_budget)
    store.describe([MODEL], [])
    return store


def apply(store, *messages):
    """Apply messages to a store as the link does; return what the last one changed."""
    inbox = Inbox(store.wall)
    for message in messages:
        inbox.put(message)
    return store.apply(inbox.take())
