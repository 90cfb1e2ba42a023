"""Signals and outcomes are counted as they come, but for those of bars that their model had learned from."""

import asyncio

import numpy as np
from glasstape_server.domain.signals import Confidence, Direction, Event, Forecasts, ModelRef, Outcome
from glasstape_server.domain.times import DAY
from glasstape_server.domain.training_reference import TrainingReference
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


def burst(outcomes=(), closes=(), windows=None, novelty=0.5):
    if not closes:
        return ProcessedBurst(None, np.zeros((0, 6, 2), np.float32), None, list(outcomes))
    count = len(closes)
    forecasts = Forecasts(
        REF, np.zeros((count, 3)), np.full((count, 3), 1 / 3), np.zeros(count, bool), np.full(count, novelty)
    )
    series = [((symbol, "1d"), day * DAY) for symbol, day in closes]
    return ProcessedBurst(None, windows, forecasts, list(outcomes), series)


def resolved(day, symbol="A"):
    said = Confidence(0.2, 0.2, 0.6, False, 0.1)
    outcome = Outcome(1, day * DAY, Direction.UP, Direction.UP, 0.01, said)
    return Event(2, symbol, "1d", day * DAY, 0, REF, outcome), outcome


async def judged(record, reached):
    async with asyncio.timeout(5):
        while (live := record.of("d")) is None or not reached(live):  # noqa: ASYNC110  # verdicts are read, not announced
            await asyncio.sleep(0.01)
    return live


async def test_what_a_model_had_learned_from_is_never_counted():
    record = LiveRecord(Readers(), Models(), decode=None)
    record.add(burst(resolved(day) for day in range(1, 9)))
    record.add(burst([resolved(2, "B")]))
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
