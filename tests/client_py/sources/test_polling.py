"""Closes are polled when they are due, symbols without a bar again; requests keep their pace."""

from datetime import timedelta
from itertools import pairwise

from glasstape import Bar
from glasstape.sources import SourceUnavailableError
from glasstape.sources.polling import Clock, Pace, catch_up, merge, poll
from source_markets import FakeClock, moment, until_error

HOUR = timedelta(hours=1)


def bar(symbol, close_time):
    return Bar(symbol=symbol, interval="1h", close_time=close_time, open=1, high=1, low=1, close=1, volume=1)


class Hours:
    """A market whose bars become available some time after each hour."""

    def __init__(self, clock, delays):
        self.clock, self.delays, self.calls = clock, delays, []

    async def history(self, symbol, start, end):
        self.calls.append((symbol, start, end))
        close = start.replace(minute=0, second=0) + HOUR
        while close + self.delays[symbol] <= self.clock.now():
            yield [bar(symbol, close)]
            close += HOUR

    def next_close(self, now):
        return now.replace(minute=0, second=0) + HOUR


async def first(count, bars):
    found = []
    async for item in bars:
        found.append(item)
        if len(found) == count:
            break
    await bars.aclose()
    return found


async def test_each_close_is_polled_once_it_is_due():
    clock = FakeClock("2024-07-02T10:20")
    market = Hours(clock, {"AAA": timedelta()})
    bars = await first(2, poll(market.history, ["AAA"], market.next_close, timedelta(minutes=2), clock))
    assert [item.close_time for item in bars] == [moment("2024-07-02T11:00"), moment("2024-07-02T12:00")]
    assert clock.slept == [42 * 60, 3600]
    assert len(market.calls) == 2


async def test_a_late_bar_is_requested_again_without_those_that_arrived():
    clock = FakeClock("2024-07-02T10:20")
    market = Hours(clock, {"AAA": timedelta(), "LATE": timedelta(minutes=7)})
    bars = poll(market.history, ["AAA", "LATE"], market.next_close, timedelta(minutes=2), clock)
    found = await first(2, bars)
    assert [item.symbol for item in found] == ["AAA", "LATE"]
    assert [symbol for symbol, _, _ in market.calls] == ["AAA", "LATE", "LATE", "LATE"]
    assert clock.now() == moment("2024-07-02T11:07")


async def test_a_symbol_that_did_not_trade_delays_nothing():
    clock = FakeClock("2024-07-02T10:20")
    market = Hours(clock, {"AAA": timedelta(), "IDLE": timedelta(days=9)})
    bars = poll(market.history, ["AAA", "IDLE"], market.next_close, timedelta(), clock)
    found = await first(3, bars)
    assert [item.close_time.hour for item in found] == [11, 12, 13]
    assert clock.now() == moment("2024-07-02T13:00")


async def test_requests_are_spaced_evenly():
    clock = FakeClock("2024-07-02T10:00")
    pace, times = Pace(4, clock), []
    for _ in range(5):
        await pace.turn()
        times.append(clock.now())
    assert {(b - a).total_seconds() for a, b in pairwise(times)} == {0.25}
    clock.time += HOUR
    await pace.turn()
    assert clock.now() == times[-1] + HOUR


def test_a_clock_follows_the_market():
    clock = FakeClock("2024-07-02T10:00")
    clock.observe(moment("2024-07-02T10:00:07"))
    clock.time += HOUR
    assert clock.now() == moment("2024-07-02T11:00:07")
    assert Clock().now().tzinfo is not None


async def test_streams_merge_until_one_fails():
    closed = []

    async def endless(symbol):
        try:
            while True:
                yield bar(symbol, moment("2024-07-02T11:00"))
        finally:
            closed.append(symbol)

    async def failing():
        yield bar("FAILS", moment("2024-07-02T11:00"))
        raise SourceUnavailableError("lost")

    found, error = await until_error(merge([endless("AAA"), failing()]))
    assert {item.symbol for item in found} == {"AAA", "FAILS"}
    assert str(error) == "lost"
    assert closed == ["AAA"]
    assert [item async for item in merge([])] == []


async def test_bars_of_the_time_of_a_connection_are_requested_twice():
    clock = FakeClock("2024-07-02T10:01")
    market = Hours(clock, {"AAA": timedelta(minutes=2)})
    settle = timedelta(minutes=2)
    bars = catch_up(market.history, ["AAA"], market.next_close, settle, clock)
    found = [(await anext(bars)).close_time.hour for _ in range(7)]
    await bars.aclose()
    assert found == [9, 10, 11, 9, 10, 11, 12]
    assert [(start, end) for _, start, end in market.calls] == [
        (moment("2024-07-02T08:59"), moment("2024-07-02T11:02")),
        (moment("2024-07-02T08:59"), moment("2024-07-02T12:02")),
    ]
