"""Outcomes are counted as they come, but for those of bars that their model had learnt from."""

import asyncio

from glasstape_server.domain.signals import Confidence, Direction, Event, ModelRef, Outcome
from glasstape_server.domain.times import DAY
from glasstape_server.signals.performance.live_record import LiveRecord

REF = ModelRef("m", "1", "d", "f")


class Readers:
    """Reader threads, and nothing to read."""

    async def run_on_reader_thread(self, function, *arguments):
        return await asyncio.to_thread(function, *arguments)


def resolved(day, symbol="A"):
    said = Confidence(0.2, 0.2, 0.6, False, 0.1)
    outcome = Outcome(1, day * DAY, Direction.UP, Direction.UP, 0.01, said)
    return Event(2, symbol, "1d", day * DAY, 0, REF, outcome), outcome


async def test_what_a_model_had_learnt_from_is_never_counted():
    record = LiveRecord(
        Readers(), lambda digest, symbol, close: symbol == "A" and close <= 5 * DAY, decode=None
    )
    record.add(resolved(day) for day in range(1, 9))
    record.add([resolved(2, "B")])
    async with asyncio.timeout(5):
        while record.watch.of("d") is None or record.watch.of("d").outcomes < 4:  # noqa: ASYNC110  # verdicts are asked for, not announced
            await asyncio.sleep(0.01)
    live = record.watch.of("d")
    assert (live.outcomes, live.sessions) == (4, 4), "days 6, 7 and 8, and day 2 of a symbol it did not learn"
