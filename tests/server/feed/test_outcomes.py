import numpy as np
import pytest
from glasstape_server.domain import (
    Bar,
    Confidence,
    DataState,
    Direction,
    Entry,
    Event,
    ModelRef,
    Outcome,
    Signal,
)
from glasstape_server.feed.outcomes import resolve, track_record, wilson

REF = ModelRef("m", "1", "0" * 64, "0" * 64)


def event(at, threshold=0.01, horizon=1, entry=Entry.NEXT_CLOSE):
    said = Confidence(0.2, 0.3, 0.5, False, 0.1)
    bar = Bar("A", "1d", at, 10, 11, 9, 10, 1)
    signal = Signal(said, bar, None, horizon, entry, 0, DataState.LIVE, threshold)
    return Event(5, "A", "1d", at, 0, REF, signal)


def columns(*closes):
    return np.array([[n + 1.0, 0, 0, 0, close, 0] for n, close in enumerate(closes)]).T


def test_an_outcome_waits_for_its_bars_and_counts_from_the_entry():
    bars = columns(10, 20, 22, 30)
    assert resolve(event(at=1), bars[:, :2]) is None
    outcome = resolve(event(at=1), bars[:, :3])
    assert outcome.realised_return == pytest.approx(np.log(22 / 20))
    assert (outcome.realised, outcome.hit) == (Direction.UP, True)
    assert resolve(event(at=1, entry=Entry.CURRENT_CLOSE), bars).realised_return == pytest.approx(np.log(2))
    assert resolve(event(at=1, threshold=0.5), bars).realised is Direction.FLAT
    assert resolve(event(at=99), bars) is None


def test_the_wilson_interval_is_the_textbooks():
    assert wilson(0, 0) == (0.0, 1.0)
    assert wilson(10, 20) == pytest.approx((0.29929, 0.70071), abs=1e-4)
    assert wilson(0, 10) == pytest.approx((0.0, 0.27753), abs=1e-4)


def made(predicted, realised, returned=0.0):
    values = [0.2, 0.2, 0.2]
    values[predicted] = 0.6
    return Outcome(1, 0, predicted, realised, returned, Confidence(*values, False, 0.0))


def test_flat_calls_cannot_inflate_the_record():
    up, flat, down = Direction.UP, Direction.FLAT, Direction.DOWN
    record = track_record(
        [made(flat, flat)] * 50 + [made(up, up, 0.02), made(up, down, -0.01), made(down, up, 0.01)]
    )
    of = {r.predicted: r for r in record.records}
    assert (of[up].count, of[up].hits) == (2, 1)
    assert (of[down].count, of[down].hits) == (1, 0)
    assert (of[None].count, of[None].hits) == (3, 1)
    assert of[up].base_rate == pytest.approx(2 / 53)
    assert of[None].mean_return == pytest.approx((0.02 - 0.01 - 0.01) / 3)
    assert record.outcomes == 53


def test_an_empty_record_is_no_error():
    record = track_record([])
    assert [r.count for r in record.records] == [0, 0, 0]
