from collections import defaultdict
from datetime import UTC, datetime, time, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo

import pytest
from glasstape.sources.aggregator import IntervalGrid, Quote, Session, TickAggregator, Trade
from glasstape.types.market import INTERVALS

pytest.importorskip("hypothesis")
from hypothesis import given
from hypothesis import strategies as st

START = datetime(2026, 1, 5, tzinfo=UTC)
NEW_YORK = Session(start=time(9, 30), end=time(16))
NIGHT = Session(start=time(18), end=time(17))
SECOND = timedelta(seconds=1)


def trade(seconds, price=100.0, size=1.0, symbol="A"):
    return Trade(symbol=symbol, time=START + seconds * SECOND, price=price, size=size)


def values(bar):
    return (bar.open, bar.high, bar.low, bar.close, bar.volume)


def test_a_bar_is_made_of_the_trades_of_its_interval():
    aggregator = TickAggregator("1m", grace=timedelta(0))
    for tick in (trade(0, 10, 1), trade(20, 12, 2), trade(40, 9, 3), trade(59.9, 11, 4), trade(60, 50, 5)):
        aggregator.add(tick)
    (bar,) = aggregator.advance(START + 60 * SECOND)
    assert (bar.close_time, values(bar), bar.provisional) == (START + 60 * SECOND, (10, 12, 9, 11, 10), False)


def test_each_tick_returns_the_provisional_bar():
    aggregator = TickAggregator("1m")
    aggregator.add(trade(1, 10))
    bar = aggregator.add(trade(2, 11))
    assert bar.provisional
    assert values(bar) == (10, 11, 10, 11, 2)


def test_quotes_count_with_their_middle_and_without_volume():
    aggregator = TickAggregator("1m")
    bar = aggregator.add(Quote(symbol="A", time=START, bid=10, ask=12))
    assert values(bar) == (11, 11, 11, 11, 0)


@pytest.mark.parametrize(
    "tick",
    [
        trade(1, 0.0), trade(1, float("nan")), trade(1, float("inf")), trade(1, 5, -1.0),
        Quote(symbol="A", time=START, bid=12, ask=10), Quote(symbol="A", time=START, bid=0, ask=10),
    ],
)  # fmt: skip
def test_impossible_ticks_are_counted(tick):
    aggregator = TickAggregator("1m")
    assert aggregator.add(tick) is None
    assert aggregator.invalid == 1
    assert aggregator.advance(START + timedelta(hours=1)) == []


def test_a_late_tick_counts_until_the_grace_is_over():
    aggregator = TickAggregator("1m", grace=2 * SECOND)
    aggregator.add(trade(30, 10))
    assert aggregator.advance(START + 61 * SECOND) == []
    assert values(aggregator.add(trade(10, 9))) == (9, 10, 9, 10, 2)
    assert [values(bar) for bar in aggregator.advance(START + 62 * SECOND)] == [(9, 10, 9, 10, 2)]
    assert aggregator.add(trade(40, 99)) is None
    assert aggregator.late == 1


def test_a_bar_that_opened_before_ticks_were_complete_stays_provisional():
    aggregator = TickAggregator("1m", since=START + 30 * SECOND, grace=timedelta(0))
    aggregator.add(trade(40))
    aggregator.add(trade(70))
    assert [bar.provisional for bar in aggregator.advance(START + 120 * SECOND)] == [True, False]


def test_empty_intervals_have_bars_only_on_request():
    for fill, closes in ((False, [1, 4]), (True, [1, 2, 3, 4])):
        aggregator = TickAggregator("1m", fill_empty=fill, grace=timedelta(0))
        aggregator.add(trade(0, 10))
        aggregator.add(trade(200, 11))
        bars = aggregator.advance(START + 240 * SECOND)
        assert [(bar.close_time - START) / timedelta(minutes=1) for bar in bars] == closes
    assert [values(bar) for bar in bars[1:3]] == [(10, 10, 10, 10, 0)] * 2


def test_empty_intervals_outside_the_session_have_no_bars():
    aggregator = TickAggregator("1h", "America/New_York", NEW_YORK, fill_empty=True, grace=timedelta(0))
    for day in (5, 6):
        moment = datetime(2026, 1, day, 15, 30, tzinfo=ZoneInfo("America/New_York"))
        aggregator.add(Trade(symbol="A", time=moment, price=10, size=1))
    bars = aggregator.advance(datetime(2026, 1, 7, tzinfo=UTC))
    local = [bar.close_time.astimezone(ZoneInfo("America/New_York")) for bar in bars]
    assert [moment.strftime("%d %H:%M") for moment in local] == [
        "05 16:00", "06 10:30", "06 11:30", "06 12:30", "06 13:30", "06 14:30", "06 15:30", "06 16:00",
    ]  # fmt: skip


def test_ticks_outside_the_session_are_counted():
    aggregator = TickAggregator("1m", "America/New_York", NEW_YORK)
    aggregator.add(trade(0))  # 19:00 in New York
    assert aggregator.outside == 1


@pytest.mark.parametrize(
    ("interval", "zone", "session", "moment", "opened", "closes"),
    [
        ("1h", "UTC", None, "2026-01-05 10:59:59+00", "2026-01-05 10:00+00", "2026-01-05 11:00+00"),
        ("1h", "America/New_York", NEW_YORK, "2026-01-05 09:30-05", "2026-01-05 09:30-05", "2026-01-05 10:30-05"),
        ("1h", "America/New_York", NEW_YORK, "2026-01-05 15:59-05", "2026-01-05 15:30-05", "2026-01-05 16:00-05"),
        ("1d", "America/New_York", NEW_YORK, "2026-07-06 12:00-04", "2026-07-06 09:30-04", "2026-07-06 16:00-04"),
        ("1d", "America/Chicago", NIGHT, "2026-01-05 20:00-06", "2026-01-05 18:00-06", "2026-01-06 17:00-06"),
        ("1d", "America/Chicago", NIGHT, "2026-01-06 03:00-06", "2026-01-05 18:00-06", "2026-01-06 17:00-06"),
        ("1d", "UTC", None, "2026-01-05 00:00+00", "2026-01-05 00:00+00", "2026-01-06 00:00+00"),
        ("1d", "Europe/Berlin", None, "2026-03-29 12:00+02", "2026-03-29 00:00+01", "2026-03-30 00:00+02"),
        ("1w", "UTC", None, "2026-01-08 10:00+00", "2026-01-05 00:00+00", "2026-01-12 00:00+00"),
    ],
)  # fmt: skip
def test_intervals_begin_with_the_session(interval, zone, session, moment, opened, closes):
    found = IntervalGrid(interval, zone, session).interval_at(datetime.fromisoformat(moment))
    assert found == (datetime.fromisoformat(opened), datetime.fromisoformat(closes))


GRIDS = st.tuples(
    st.sampled_from([name for name in INTERVALS if name != "1w"]),
    st.sampled_from(["UTC", "America/New_York", "Asia/Seoul", "Europe/Berlin"]),
    st.sampled_from([None, NEW_YORK, NIGHT, Session(start=time(9), end=time(15, 30))]),
)
CHANGES = [
    datetime(2026, 1, 5, tzinfo=UTC),
    datetime(2026, 3, 28, tzinfo=UTC),
    datetime(2026, 10, 31, tzinfo=UTC),
]


@given(GRIDS, st.sampled_from(CHANGES), st.lists(st.integers(0, 3 * 86_400), min_size=2, max_size=30))
def test_intervals_do_not_overlap(grid, first, offsets):
    grid = IntervalGrid(*grid)
    found = {
        (moment, interval)
        for moment in (first + offset * SECOND for offset in offsets)
        if (interval := grid.interval_at(moment)) is not None
    }
    assert all(opened <= moment < closes for moment, (opened, closes) in found)
    intervals = sorted({interval for _, interval in found})
    assert all(before[1] <= after[0] for before, after in pairwise(intervals))


TICKS = st.lists(
    st.tuples(
        st.sampled_from("AB"), st.integers(0, 4 * 3600), st.floats(0.01, 1e6), st.floats(0, 1e6), st.integers(0, 400)
    ),
    max_size=60,
)  # fmt: skip


@given(
    st.sampled_from(["1m", "5m", "1h"]),
    st.sampled_from([None, Session(start=time(1), end=time(3, 30))]),
    TICKS,
)
def test_bars_equal_the_definition(interval, session, ticks):
    """Each tick arrives some seconds after its time; the clock moves with the arrivals."""
    grace = timedelta(seconds=60)
    aggregator = TickAggregator(interval, session=session, grace=grace)
    grid = IntervalGrid(interval, session=session)
    expected, late, bars = defaultdict(list), 0, []
    for symbol, second, price, size, delay in sorted(ticks, key=lambda tick: tick[1] + tick[4]):
        arrival = START + (second + delay) * SECOND
        bars += aggregator.advance(arrival)
        tick = trade(second, price, size, symbol)
        aggregator.add(tick)
        found = grid.interval_at(tick.time)
        if found is not None and found[1] <= arrival - grace:
            late += 1
        elif found is not None:
            expected[symbol, found[1]].append(tick)
    bars += aggregator.advance(START + timedelta(days=2))
    assert {(bar.symbol, bar.close_time): values(bar) for bar in bars} == {
        key: _defined(ticks) for key, ticks in expected.items()
    }
    assert len(bars) == len(expected)
    assert aggregator.late == late
    for symbol in "AB":
        closes = [bar.close_time for bar in bars if bar.symbol == symbol]
        assert closes == sorted(closes)


def _defined(ticks):
    ordered = sorted(ticks, key=lambda tick: tick.time)
    last = [tick for tick in ticks if tick.time == ordered[-1].time][-1]
    prices = [tick.price for tick in ticks]
    volume = 0.0
    for tick in ticks:
        volume += tick.size
    return (ordered[0].price, max(prices), min(prices), last.price, volume)
