"""A day of an exchange with faults: every bar is stored as it was, and every close is signaled once."""

import asyncio
from collections import Counter

import pytest
from candles import MINUTE
from effort import effort
from exchange_day import FAULTS, FIRST, Day, minute_model
from glasstape import Client

pytest.importorskip("ccxt")
MINUTES = effort(150, 24 * 60)
DAY_FAULTS = effort(FAULTS[:7], FAULTS)
SPEED = effort(1500, 2400)
"""Simulated seconds in one second."""


@pytest.mark.timeout(300)
async def test_bars_equal_the_truth_and_each_close_is_signaled_once(tmp_path, spawn):
    models = minute_model(tmp_path / "models")
    server = spawn(tmp_path / "data", "--interval", "1m", "--models-dir", str(models))
    day = Day(server, tmp_path, MINUTES, SPEED)
    await day.run(DAY_FAULTS)

    with Client(server.address) as client:
        first_signal = FIRST + client.model().min_bars * MINUTE
        signaled = await _signaled(client, {(symbol, day.end) for symbol in day.market.symbols})
        stored = {symbol: client.bars(symbol, "1m") for symbol in day.market.symbols}
    for symbol, bars in stored.items():
        truth = day.market.closed(symbol, day.end)
        assert [(bar.close_time, (bar.open, bar.high, bar.low, bar.close, bar.volume)) for bar in bars] == [
            (candle.close_time, candle.values) for candle in truth
        ]
        closes = [candle.close_time for candle in truth if candle.close_time >= first_signal]
        assert {close: signaled.pop((symbol, close), 0) for close in closes} == dict.fromkeys(closes, 1)
    assert not signaled


async def _signaled(client, last):
    """Return how often each bar was signaled, once the last ones are: bars are stored before that."""
    async with asyncio.timeout(30):
        while True:
            found = Counter(
                (event.symbol, event.bar_close_time) for event in client.history(kinds=["confidence"])
            )
            if last <= found.keys():
                return found
            await asyncio.sleep(0.05)
