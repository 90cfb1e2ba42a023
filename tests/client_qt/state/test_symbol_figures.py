"""Recent bars and outcomes of a symbol, as the table shows them."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from glasstape import Bar
from glasstape_qt.state.recent_bars import MAX_BARS, RecentBars
from glasstape_qt.state.symbol_figures import SymbolFigures
from stores import DOWN, FLAT, UP, outcome

OPEN = datetime(2026, 1, 6, 0, 1, tzinfo=UTC)  # 09:01 in Seoul


def minute(number, close=100.0):
    moment = OPEN + timedelta(minutes=number)
    return Bar(symbol="A", interval="1m", close_time=moment, open=close, high=close + 1, low=close - 1, close=close,
               volume=10.0)  # fmt: skip


def test_the_figures_of_a_day_are_those_of_its_bars():
    yesterday = [
        replace(minute(n), close_time=OPEN - timedelta(hours=20, minutes=n), high=999.0) for n in range(3)
    ]
    recent = RecentBars()
    recent.add(minute(2, 104.0))
    assert recent.day(None, ZoneInfo("Asia/Seoul")) is None  # the bars before are missing
    recent.load([*reversed(yesterday), minute(0), minute(1, 102.0)])
    day = recent.day(None, ZoneInfo("Asia/Seoul"))
    assert (day.low, day.high, day.volume) == (99.0, 105.0, 30.0)
    prices = (100.0, 102.0, 104.0)
    assert day.turnover == pytest.approx(sum(10 * price for price in prices), rel=0.01)
    forming = replace(minute(3, 90.0), provisional=True)
    assert recent.day(forming, ZoneInfo("Asia/Seoul")).low == 89.0


def test_the_trend_ends_with_the_forming_bar_and_is_bounded():
    recent = RecentBars()
    recent.load([minute(n, 100.0 + n) for n in range(MAX_BARS + 50)])
    recent.add(minute(10))  # older than the newest
    assert len(recent.bars) == MAX_BARS
    closes = recent.closes(minute(MAX_BARS + 50, 7.0))
    assert (len(closes), closes[-1]) == (41, 7.0)


def test_hits_count_where_the_price_moved():
    figures = SymbolFigures()
    events = [
        outcome("A", 1, value=UP, hit=True),
        replace(outcome("A", 2, value=DOWN, hit=False), realized=UP.direction),
        replace(outcome("A", 3, value=UP, hit=False), realized=FLAT.direction),
        outcome("A", 4, value=FLAT, hit=True),
    ]  # fmt: skip
    for event in events:
        figures.add_outcome(event)
    record = figures.records["A"]
    assert record.hit_when_moved == (1, 2)
    assert record.last == events[2]
