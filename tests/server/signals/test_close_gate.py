"""A close whose symbols are ranked waits for them, and not for ever."""

import made_up
import pytest
from glasstape_server.domain.bars import Bar
from glasstape_server.domain.times import DAY
from glasstape_server.market.clock import Clock
from glasstape_server.market.draft import Batch, BatchMode
from glasstape_server.market.ingest import Ingest
from glasstape_server.market.store import BarStore
from glasstape_server.signals.close_gate import CloseGate

FIRST = 10_000 * DAY
CLOSE = FIRST + 30 * DAY
HOUR_S = 3600.0


def bars(symbols, first, last):
    return [
        Bar(symbol, "1d", FIRST + number * DAY, *made_up.columns(40, ord(symbol))[:, number].tolist())
        for symbol in symbols
        for number in range(first, last)
    ]


@pytest.fixture
async def ingest(tmp_path):
    made = Ingest(BarStore(tmp_path / "bars.sqlite"), Clock())
    await made.publish(Batch(bars("ABC", 0, 30), mode=BatchMode.BACKFILL))
    yield made
    await made.close()


async def test_a_close_waits_until_its_last_symbol_has_closed(ingest):
    gate = CloseGate(ingest, "1d", HOUR_S)
    await ingest.publish(Batch(bars("AB", 30, 31)))
    assert 0 < await gate.wait_s(CLOSE) <= HOUR_S
    await ingest.publish(Batch(bars("C", 30, 31)))
    assert await gate.wait_s(CLOSE) == 0


async def test_a_close_does_not_wait_longer_than_the_grace_time(ingest):
    gate = CloseGate(ingest, "1d", 0.0)
    await ingest.publish(Batch(bars("AB", 30, 31)))
    assert await gate.wait_s(CLOSE) == 0


async def test_a_symbol_that_was_waited_for_is_not_waited_for_again(ingest):
    gate = CloseGate(ingest, "1d", HOUR_S)
    await ingest.publish(Batch(bars("AB", 30, 32)))
    gate.passed(CLOSE)
    assert await gate.wait_s(CLOSE + DAY) == 0
