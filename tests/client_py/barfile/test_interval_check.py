from datetime import UTC, date, datetime, timedelta

import pytest
from glasstape.barfile import interval_check
from glasstape.types.market import INTERVALS


def interval_mismatch(closes, interval):
    return interval_check.interval_mismatch([int(close.timestamp() * 1e6) for close in closes], interval)


START = datetime(2024, 3, 4, 14, 30, tzinfo=UTC)


def every(minutes, count=40, start=START):
    return [start + timedelta(minutes=minutes) * number for number in range(count)]


def sessions(days, *times):
    """Closes at some local times of weekdays."""
    dates = [date(2024, 3, 4) + timedelta(days=number) for number in range(days)]
    return [
        datetime.fromisoformat(f"{day} {time}+00:00") for day in dates if day.weekday() < 5 for time in times
    ]


@pytest.mark.parametrize("interval", INTERVALS)
def test_bars_of_their_own_interval_fit(interval):
    closes = [START + INTERVALS[interval] * number for number in range(10)]
    assert interval_mismatch(closes, interval) is None
    assert interval_mismatch([*closes[::-1], *closes], interval) is None, "in any order, and repeated"


@pytest.mark.parametrize(
    ("closes", "stated", "text"),
    [
        (every(24 * 60, 5), "1m", "bars are 1 d apart in the median, the interval is 1m; set --interval 1d"),
        (every(5), "1m", "bars are 5 min apart in the median, the interval is 1m; set --interval 5m"),
        (every(60), "30m", "bars are 1 h apart in the median, the interval is 30m; set --interval 1h"),
        (every(30), "1h", "bars are 30 min apart in the median, the interval is 1h; set --interval 30m"),
        (every(45), "1h", "bars are 45 min apart in the median, the interval is 1h; correct --interval"),
        (every(45), "15m", "bars are 45 min apart in the median, the interval is 15m; correct --interval"),
        (every(7 * 24 * 60), "1d", "bars are 7 d apart in the median, the interval is 1d; set --interval 1w"),
        (sessions(60, "21:00"), "1h", "bars are 1 d apart in the median, the interval is 1h; set --interval 1d"),
        (sessions(60, "21:00"), "1w", "bars are 1 d apart in the median, the interval is 1w; set --interval 1d"),
        (every(1 / 60, 5), "1m", "bars are 1 s apart in the median, the interval is 1m; correct --interval"),
    ],
)  # fmt: skip
def test_bars_of_another_interval_are_named_with_theirs(closes, stated, text):
    assert interval_mismatch(closes, stated) == text


@pytest.mark.parametrize(
    ("closes", "stated"),
    [
        (sessions(60, "21:00"), "1d"),
        (sessions(60, "15:30", "16:30", "17:30", "18:30", "19:30", "20:30", "21:00"), "1h"),
        (sessions(60, "18:30", "21:00"), "4h"),
        (sessions(60, "18:30", "21:00")[1:-1], "4h"),
        (sessions(60, "12:00", "16:00", "16:30"), "4h"),
        (sessions(6, "21:00")[3:], "1d"),
        (every(24 * 60, 4), "1m"),
        (every(60, 2), "1m"),
        ([START], "1m"),
        ([], "1d"),
    ],
)
def test_nights_weekends_short_sessions_and_few_bars_fit(closes, stated):
    assert interval_mismatch(closes, stated) is None


def test_a_market_that_trades_rarely_fits_its_interval():
    minutes = [number * number % 97 for number in range(60)]
    closes = [START + timedelta(minutes=sum(minutes[: n + 1]) + n + 1) for n in range(60)]
    assert interval_mismatch(closes, "1m") is None


def test_an_unknown_interval_is_an_error():
    with pytest.raises(KeyError):
        interval_mismatch(every(1), "2d")
