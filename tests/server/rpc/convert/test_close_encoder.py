"""The bytes of a close are those that protobuf writes for each of its events, whatever the columns hold."""

import numpy as np
import pytest
from glasstape_server.domain.bars import Bar, DataState
from glasstape_server.domain.signals import Buy, Direction, Entry, Event, Forecasts, ModelRef, Outcome, Signal
from glasstape_server.features.labels import LabelRule
from glasstape_server.rpc.convert.close_encoder import encode_close
from glasstape_server.rpc.convert.signals import encode_event
from glasstape_server.signals.burst_events import announce
from glasstape_server.signals.close_batch import CloseBatch
from glasstape_server.signals.columns import ClosedBars, Confidences, Outcomes

REF = ModelRef("m", "1", "d", "f")
NUMBERS = np.array([0.0, -0.0, 5e-324, 0.5, 1.0, 1e300, -1.5])
PRICES = np.array([5e-324, 0.5, 1.0, 1e300])
COUNTS = np.array([0, 1, 127, 128, 300, 16_383, 16_384, 2**31, 2**32 - 1])
TIMES = np.array([1, 999_999, 1_000_000, 127_000_000, 1_700_000_000_000_000, 4_102_444_799_999_999])
SEQUENCES = np.array([1, 127, 128, 2**21, 2**35, 2**62])
SYMBOLS = ["A", "BRK.B", "BTC/USDT:USDT", "X" * 64, "005930"]


def _confidences(random, count):
    return Confidences(
        random.choice(NUMBERS, (count, 3)), random.random(count) < 0.5, random.choice(NUMBERS, count)
    )


def _keys(random, count):
    return [(str(symbol), "1d") for symbol in random.choice(SYMBOLS, count)]


def _batch(random, bars, outcomes):
    closed = ClosedBars(
        _keys(random, bars),
        random.choice(TIMES, bars),
        random.choice(PRICES, (5, bars)),
        np.where(random.random(bars) < 0.5, np.nan, random.choice(NUMBERS, bars)),
        random.choice(NUMBERS, bars),
        random.choice([int(state) for state in DataState], bars),
        random.choice(TIMES, bars),
        random.choice(COUNTS, bars),
        random.choice(COUNTS, bars),
        random.random(bars) < 0.5,
        np.zeros((bars, 6, 8), np.float32),
    )
    rule = LabelRule(
        kind=str(random.choice(["horizon", "triple_barrier"])),
        horizon_bars=int(random.integers(1, 300)),
        entry=Entry(int(random.integers(2))),
    )
    came = Outcomes(
        _keys(random, outcomes),
        [REF] * outcomes,
        random.choice(TIMES, outcomes),
        random.choice(SEQUENCES, outcomes),
        random.choice(TIMES, outcomes),
        random.integers(0, 3, outcomes),
        random.choice(NUMBERS, outcomes),
        _confidences(random, outcomes),
    )
    stated = _confidences(random, bars)
    scores = random.choice([0.0, -0.25, 0.5], bars) if random.integers(2) else None
    forecasts = Forecasts(
        REF, np.zeros((bars, 3)), stated.probabilities, stated.abstained, stated.novelty, rank_scores=scores
    )
    signals = announce(closed, forecasts, REF, rule, outcomes + 1)
    return CloseBatch(signals, came, {}, int(random.choice(TIMES)), encode_close)


def _events(batch, head):
    """The events of a batch, one by one."""
    outcomes, signals = batch.outcomes, batch.signals
    closed, rule, events = signals.closed, signals.rule, []

    def add(key, close_time, body):
        events.append(Event(head + len(events) + 1, *key, close_time, batch.publish_time, REF, body))

    for row, stated in enumerate(outcomes.confidences.to_list()):
        body = Outcome(
            int(outcomes.confidence_sequence[row]), int(outcomes.signal_close_time[row]), stated.direction,
            Direction(outcomes.realized[row]), float(outcomes.realized_return[row]), stated,
        )  # fmt: skip
        add(outcomes.keys[row], int(outcomes.close_time[row]), body)
    for row, stated in enumerate(signals.confidences.to_list()):
        key, close_time, previous = (
            closed.keys[row],
            int(closed.close_time[row]),
            closed.previous_session_close[row],
        )
        signal = Signal(
            stated, Bar(*key, close_time, *closed.prices[:, row].tolist()),
            None if np.isnan(previous) else float(previous), rule.horizon_bars, rule.entry,
            int(closed.expire_time[row]), DataState(int(closed.data_state[row])),
            float(closed.flat_threshold[row]), rule.kind, int(closed.missing_bars[row]),
            int(closed.missing_symbols[row]),
            None if np.isnan(signals.rank_score[row]) else float(signals.rank_score[row]),
            int(signals.close_rank[row]), int(signals.close_size[row]),
        )  # fmt: skip
        add(key, close_time, signal)
        if stated.direction is Direction.UP:
            add(key, close_time, Buy(events[-1].sequence, signal))
    return events


@pytest.mark.parametrize(("bars", "outcomes"), [(0, 0), (1, 0), (0, 1), (40, 30)])
@pytest.mark.parametrize("seed", range(8))
def test_events_have_the_bytes_that_protobuf_writes(bars, outcomes, seed):
    random = np.random.default_rng(seed)
    batch, head = _batch(random, bars, outcomes), int(random.choice([0, *SEQUENCES]))
    expected = [encode_event(event) for event in _events(batch, head)]
    assert len(batch) == len(expected)
    assert encode_close(batch, head) == expected
