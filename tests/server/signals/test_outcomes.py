from dataclasses import replace

import numpy as np
import pytest
from glasstape_server.domain.bars import Bar, DataState
from glasstape_server.domain.signals import Confidence, Direction, Entry, Event, ModelRef, Signal
from glasstape_server.signals.outcomes import OpenSignals

REF = ModelRef("m", "1", "0" * 64, "0" * 64)


def event(at, threshold=0.01, horizon=1, entry=Entry.NEXT_CLOSE):
    said = Confidence(0.2, 0.3, 0.5, False, 0.1)
    bar = Bar("A", "1d", at, 10, 11, 9, 10, 1)
    signal = Signal(said, bar, None, horizon, entry, 0, DataState.LIVE, threshold)
    return Event(5, "A", "1d", at, 0, REF, signal)


def resolve(signaled, bars):
    """The outcome of a confidence event by the bars of its series; None while its future is not known."""
    key, close_time = (signaled.symbol, signaled.interval), np.array([int(bars[0, -1])])
    outcomes = OpenSignals([signaled]).resolve([key], close_time, bars[None], lambda *series: bars)
    assert outcomes.keys == [key] * len(outcomes)
    return next(iter(outcomes.to_list()), None)


def columns(*closes):
    return np.array([[n + 1.0, 0, 0, 0, close, 0] for n, close in enumerate(closes)]).T


def test_an_outcome_waits_for_its_bars_and_counts_from_the_entry():
    bars = columns(10, 20, 22, 30)
    assert resolve(event(at=1), bars[:, :2]) is None
    outcome = resolve(event(at=1), bars[:, :3])
    assert outcome.realized_return == pytest.approx(np.log(22 / 20))
    assert (outcome.realized, outcome.hit) == (Direction.UP, True)
    assert resolve(event(at=1, entry=Entry.CURRENT_CLOSE), bars).realized_return == pytest.approx(np.log(2))
    assert resolve(event(at=1, threshold=0.5), bars).realized is Direction.FLAT
    assert resolve(event(at=99), bars) is None


def test_a_barrier_decides_at_the_first_close_beyond_it():
    bars = columns(10, 10, 10.05, 10.3, 9)
    signal = event(at=1, horizon=3)
    barrier = replace(signal, body=replace(signal.body, label_kind="triple_barrier"))
    assert resolve(signal, bars).realized is Direction.DOWN
    outcome = resolve(barrier, bars)
    assert outcome.realized is Direction.UP
    assert outcome.realized_return == pytest.approx(np.log(1.03))
    assert resolve(barrier, bars[:, :4]) is None, "the horizon must have passed all the same"


def test_a_signal_whose_bar_was_halted_later_is_resolved_by_the_bars_after_it():
    halted = np.delete(columns(10, 11, 20, 22), 1, axis=1)  # the store leaves halted bars out
    assert resolve(event(at=2), halted[:, :2]) is None
    assert resolve(event(at=2), halted).realized_return == pytest.approx(np.log(22 / 20))
    current = resolve(event(at=2, entry=Entry.CURRENT_CLOSE), halted)
    assert current.realized_return == pytest.approx(np.log(20 / 10))
    assert resolve(event(at=0), halted) is None
