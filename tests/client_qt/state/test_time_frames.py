"""Time frames built from stored bars."""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from glasstape import Bar
from glasstape_qt.state.time_frames import framed, frames_of

SEOUL = ZoneInfo("Asia/Seoul")


def minute_bars(count, start=datetime(2026, 1, 5, 0, 1, tzinfo=UTC), minutes=1):
    """Minute bars of the Korean session that opens at 00:00 UTC."""
    return [
        Bar(symbol="A", interval=f"{minutes}m", close_time=start + timedelta(minutes=minutes * n), open=n, high=n + 2,
            low=n - 1, close=n + 1, volume=10)
        for n in range(count)
    ]  # fmt: skip


def daily_bars(count, start=datetime(2026, 1, 5, 6, 30, tzinfo=UTC)):
    return [
        Bar(symbol="A", interval="1d", close_time=start + timedelta(days=n), open=n, high=n, low=n, close=n, volume=1)
        for n in range(count)
    ]  # fmt: skip


def test_five_minutes_join_the_bars_that_close_within_them():
    shown = framed(minute_bars(12), "5m", SEOUL)
    first = shown.bars[0]
    assert (first.open, first.high, first.low, first.close, first.volume) == (0, 6, -1, 5, 50)
    assert first.close_time == datetime(2026, 1, 5, 0, 5, tzinfo=UTC)
    assert (first.interval, list(shown.last)) == ("5m", [4, 9, 11])
    assert [shown.position(number) for number in (0, 4, 5, 11, 12)] == [0, 0, 1, 2, -1]


def test_days_are_those_of_the_exchange():
    bars = minute_bars(3, datetime(2026, 1, 5, 14, 59, tzinfo=UTC))  # 23:59, 00:00 and 00:01 in Seoul
    assert list(framed(bars, "1h", SEOUL).last) == [1, 2]
    assert len(framed(bars, "1h", UTC).bars) == 2


def test_weeks_and_months_join_days():
    bars = daily_bars(40)  # from Monday, 5 January
    assert list(framed(bars, "1w", SEOUL).last) == [6, 13, 20, 27, 34, 39]
    assert list(framed(bars, "1mo", SEOUL).last) == [26, 39]


def test_a_bar_with_a_forming_one_is_forming():
    bars = minute_bars(6)
    forming = Bar(symbol="A", interval="1m", close_time=bars[-1].close_time + timedelta(minutes=1), open=1, high=1,
                  low=1, close=1, volume=1, provisional=True)  # fmt: skip
    assert [bar.provisional for bar in framed([*bars, forming], "5m", SEOUL).bars] == [False, True]


@pytest.mark.parametrize(
    ("interval", "frames"),
    [
        ("1m", ("1m", "3m", "5m", "10m", "15m", "30m", "1h", "4h", "1d", "1w", "1mo")),
        ("15m", ("15m", "30m", "1h", "4h", "1d", "1w", "1mo")),
        ("1d", ("1d", "1w", "1mo")),
        ("7m", ("7m",)),
    ],
)
def test_the_frames_of_an_interval_are_its_multiples(interval, frames):
    assert frames_of(interval) == frames


def test_the_interval_itself_is_shown_as_it_is():
    bars = minute_bars(3)
    assert framed(bars, "1m", SEOUL).bars is bars
    assert framed([], "5m", SEOUL).bars == []
