from datetime import UTC, date, datetime, timedelta
from datetime import time as clock
from zoneinfo import ZoneInfo

import numpy as np
import pytest
from glasstape_server.domain.learned import price_decimals, time_zone


def closes(zone, at, start=date(2025, 1, 2), days=400, early=None):
    """Closes of weekdays at a local time; `early` maps days to other times."""
    found = []
    for number in range(days):
        day = start + timedelta(days=number)
        if day.weekday() < 5:
            local = datetime.combine(day, (early or {}).get(day, clock.fromisoformat(at)), ZoneInfo(zone))
            found.append(int(local.timestamp()) * 1_000_000)
    return np.array(found)


@pytest.mark.parametrize(
    ("zone", "at"),
    [
        ("America/New_York", "16:00"),
        ("America/New_York", "17:00"),
        ("Australia/Sydney", "16:00"),
        ("Asia/Hong_Kong", "16:00"),
        ("Asia/Kolkata", "15:30"),
        ("Asia/Tokyo", "15:00"),
    ],
)
def test_a_zone_is_learned_from_the_official_close(zone, at):
    assert time_zone(closes(zone, at)) == zone


@pytest.mark.parametrize("zone", ["Asia/Seoul", "Asia/Tokyo"])
def test_markets_of_one_offset_and_close_give_the_offset(zone):
    found = time_zone(closes(zone, "15:30"))
    assert found == "Etc/GMT-9"
    assert datetime(2026, 1, 1, tzinfo=ZoneInfo(found)).utcoffset() == timedelta(hours=9)


def test_early_closes_do_not_hide_the_zone():
    early = {date(2025, 7, 3): clock(13), date(2025, 11, 28): clock(13), date(2025, 12, 24): clock(13)}
    assert time_zone(closes("America/New_York", "16:00", early=early)) == "America/New_York"


@pytest.mark.parametrize(
    ("zone", "at", "days"),
    [
        ("Europe/London", "16:30", 400),  # Paris closes at the same moments
        ("America/New_York", "16:00", 240),  # too short
        ("UTC", "20:00", 400),  # New York's close in summer, and not in winter
        ("UTC", "21:00", 400),
        ("America/New_York", "15:45", 400),  # no official close
        ("Asia/Singapore", "17:00", 400),  # Jakarta closes at the same moments, at another offset
    ],
)
def test_what_is_not_proved_is_not_learned(zone, at, days):
    assert time_zone(closes(zone, at, days=days)) == ""


@pytest.mark.parametrize("first", [date(2025, 1, 2) + timedelta(days=7 * week) for week in range(52)])
@pytest.mark.parametrize("at", ["20:00", "21:00"])
def test_a_fixed_time_of_utc_is_never_new_york(first, at):
    assert time_zone(closes("UTC", at, start=first, days=250)) == ""


def test_days_that_end_at_midnight_are_utc():
    days = np.array([int(datetime(2025, 1, 1, tzinfo=UTC).timestamp()) + 86_400 * n for n in range(400)])
    assert time_zone(days * 1_000_000) == "UTC"


@pytest.mark.parametrize(
    ("prices", "decimals"),
    [
        ([71_300.0, 71_400.0], 0),
        ([150.73, 150.5, 151.0], 2),
        ([1.08425, 1.0843], 5),
        ([67_123.45, 67_000.0], 2),
        ([0.00001234, 0.00001], 8),
        ([1e17, 12.5], 1),
        (np.float32([150.73, 151.1, 0.07]).astype(float), 2),
        (np.float32([71.3, 71_300]).astype(float), 1),
        ([10.0625, 10.5], 4),
        ([0.1 + 0.2], 1),
    ],
)
def test_decimals_are_those_of_the_prices(prices, decimals):
    assert price_decimals(np.asarray(prices, float)) == decimals


def test_computed_prices_have_no_decimals():
    assert price_decimals(np.array([100 / 3, 1e5 / 7])) is None
