"""Signals and outcomes are counted as they come, but for those of bars that their model had learned from."""

import asyncio
from dataclasses import replace

import numpy as np
from glasstape_server.domain.signals import Direction, Forecasts, ModelRef
from glasstape_server.domain.times import DAY
from glasstape_server.domain.training_reference import TrainingReference
from glasstape_server.signals.columns import ClosedBars, Confidences, Outcomes
from glasstape_server.signals.performance.calibration import State
from glasstape_server.signals.performance.live_record import LiveRecord
from glasstape_server.signals.pipeline import ProcessedBurst

REF = ModelRef("m", "1", "d", "f")


class Readers:
    """Reader threads, and nothing to read."""

    async def run_on_reader_thread(self, function, *arguments):
        return await asyncio.to_thread(function, *arguments)


class Models:
    """Models that learned from symbol A up to day 5."""

    def was_trained_on(self, digest, symbol, close_time):
        return symbol == "A" and close_time <= 5 * DAY

    def training_reference(self, digest):
        return TrainingReference(("x", "y"), np.zeros(2), np.ones(2), np.zeros(2), 1000)


def burst(resolved=(), closes=(), windows=None, novelty=0.5):
    """A burst of resolved and of closed bars, (symbol, day) each."""
    count = len(closes)
    forecasts = Forecasts(
        REF, np.zeros((count, 3)), np.full((count, 3), 1 / 3), np.zeros(count, bool), np.full(count, novelty)
    )
    closed = replace(
        ClosedBars.none((6, 2)),
        keys=[(symbol, "1d") for symbol, _ in closes],
        close_time=np.array([day * DAY for _, day in closes], int),
        windows=np.zeros((0, 6, 2), np.float32) if windows is None else windows,
    )
    days = np.array([day * DAY for _, day in resolved], int)
    count = len(days)
    said = Confidences(np.tile([0.2, 0.2, 0.6], (count, 1)), np.zeros(count, bool), np.full(count, 0.1))
    ups = np.full(count, int(Direction.UP))
    keys = [(symbol, "1d") for symbol, _ in resolved]
    outcomes = Outcomes(keys, [REF] * count, days, np.ones(count, int), days, ups, np.full(count, 0.01), said)
    return ProcessedBurst(None, forecasts if closes else None, closed, outcomes)


async def judged(record, reached):
    async with asyncio.timeout(5):
        while (live := record.of("d")) is None or not reached(live):  # noqa: ASYNC110  # verdicts are read, not announced
            await asyncio.sleep(0.01)
    return live


async def test_what_a_model_had_learned_from_is_never_counted():
    record = LiveRecord(Readers(), Models(), decode=None)
    record.add(burst([("A", day) for day in range(1, 9)]))
    record.add(burst([("B", 2)]))
    live = await judged(record, lambda live: live.calibration.outcomes == 4)
    assert live.calibration.sessions == 4, "days 6, 7 and 8, and day 2 of a symbol it did not learn"
    assert live.drift is None


async def test_signals_are_compared_with_training_before_any_outcome():
    record = LiveRecord(Readers(), Models(), decode=None)
    random = np.random.default_rng(0)
    for day in range(1, 12):
        windows = random.normal(size=(20, 6, 2)).astype(np.float32)
        windows[:, -1, 1] += 2
        closes = [("A" if number == 0 else f"B{number}", day) for number in range(20)]
        record.add(burst(closes=closes, windows=windows))
    live = await judged(record, lambda live: live.drift.sessions == 11)
    assert live.drift.windows == 11 * 20 - 5, "without five days of the symbol that was learned"
    assert [shift.significant for shift in live.drift.shifts] == [False, True]
    assert live.drifted
    assert live.state is State.UNKNOWN
