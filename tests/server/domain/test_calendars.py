"""Bars that are due: by an exchange's sessions, by what a symbol's own bars show, and round the clock."""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from glasstape import calendars
from glasstape_server.domain.calendars import PatternLearner, bars_later, bars_later_by_pattern
from glasstape_server.domain.times import SECOND

NEW_YORK, SEOUL = ZoneInfo("America/New_York"), ZoneInfo("Asia/Seoul")
ALWAYS = calendars.find("24/7")


def at(*moment, zone=UTC):
    return int(datetime(*moment, tzinfo=zone).timestamp()) * SECOND


def closes(first, last, step, keep=lambda moment: True):
    """Closes of bars, a step apart, that `keep` keeps by their local time."""
    found, moment = [], first
    while moment <= last:
        if keep(moment):
            found.append(int(moment.timestamp()) * SECOND)
        moment += step  # by the wall clock
    return found


def later(source, close, interval, bars=1):
    count = bars_later if isinstance(source, calendars.Calendar) else bars_later_by_pattern
    found = count(source, close, interval, bars)
    return found and datetime.fromtimestamp(found / SECOND, UTC)


@pytest.fixture(scope="module")
def exchange():
    calendars.load("XNYS", "XKRX", "XHKG", "CMES")
    return calendars.find


@pytest.mark.parametrize("interval", ["1m", "4h", "1d", "1w"])
def test_a_market_that_never_closes_has_bars_every_day(interval):
    friday = at(2026, 11, 20, 21)
    length = {"1m": 60, "4h": 14_400, "1d": 86_400, "1w": 604_800}[interval] * SECOND
    assert bars_later(ALWAYS, friday, interval, 3) == friday + 3 * length


def test_daily_bars_of_an_exchange_skip_weekends_holidays_and_shift_with_early_closes(exchange):
    close = at(2024, 11, 26, 16, zone=NEW_YORK)
    assert later(exchange("XNYS"), close, "1d", 1) == datetime(2024, 11, 27, 16, tzinfo=NEW_YORK)
    assert later(exchange("XNYS"), close, "1d", 2) == datetime(2024, 11, 29, 13, tzinfo=NEW_YORK)
    midnight = at(2024, 11, 23, 0, zone=NEW_YORK)  # Friday's bar, stamped at the end of the day
    assert later(exchange("XNYS"), midnight, "1d", 1) == datetime(2024, 11, 26, 0, tzinfo=NEW_YORK)


def test_minute_bars_of_an_exchange_stop_at_night_and_for_lunch(exchange):
    assert later(exchange("XNYS"), at(2024, 11, 26, 15, 59, zone=NEW_YORK), "1m") == datetime(
        2024, 11, 26, 16, tzinfo=NEW_YORK
    )
    assert later(exchange("XNYS"), at(2024, 11, 27, 16, zone=NEW_YORK), "1m", 2) == datetime(
        2024, 11, 29, 9, 32, tzinfo=NEW_YORK
    )
    hong_kong = ZoneInfo("Asia/Hong_Kong")
    assert later(exchange("XHKG"), at(2024, 11, 26, 12, zone=hong_kong), "5m") == datetime(
        2024, 11, 26, 13, 5, tzinfo=hong_kong
    )
    assert later(exchange("CMES"), at(2024, 11, 26, 23, 59), "1m", 3) == datetime(
        2024, 11, 27, 0, 2, tzinfo=UTC
    )


def test_the_last_bar_of_a_session_is_cut_at_its_close(exchange):
    assert later(exchange("XKRX"), at(2024, 11, 26, 15, zone=SEOUL), "1h") == datetime(
        2024, 11, 26, 15, 30, tzinfo=SEOUL
    )
    assert later(exchange("XKRX"), at(2024, 11, 26, 13, zone=SEOUL), "4h", 2) == datetime(
        2024, 11, 27, 13, tzinfo=SEOUL
    )


def test_what_a_calendar_does_not_know_it_does_not_say(exchange):
    assert bars_later(exchange("XNYS"), at(2001, 1, 5, 21), "1d", 1) is None
    assert bars_later(exchange("XNYS"), at(2001, 1, 5, 21), "1m", 1) is None
    assert bars_later(exchange("XNYS"), at(2150, 1, 5, 21), "1d", 1) is None
    assert bars_later(exchange("XNYS"), at(2150, 1, 5, 21), "1m", 1) is None


DAY = timedelta(days=1)
FRIDAY = datetime(2024, 11, 22, 16, tzinfo=NEW_YORK)


def workday(moment):
    return moment.weekday() < 5


@pytest.mark.parametrize(
    ("keep", "expected"),
    [
        (workday, datetime(2024, 11, 25, 16, tzinfo=NEW_YORK)),
        (lambda moment: True, datetime(2024, 11, 23, 16, tzinfo=NEW_YORK)),
        (lambda moment: moment.weekday() != 5, datetime(2024, 11, 24, 16, tzinfo=NEW_YORK)),
        (lambda moment: moment.weekday() in (2, 4), datetime(2024, 11, 27, 16, tzinfo=NEW_YORK)),
    ],
)
def test_daily_bars_come_on_the_weekdays_that_a_symbol_traded(keep, expected):
    learner = PatternLearner("America/New_York", closes(FRIDAY - 40 * DAY, FRIDAY, DAY, keep))
    assert later(learner.pattern, int(FRIDAY.timestamp()) * SECOND, "1d") == expected


def test_a_short_history_assumes_monday_to_friday_until_a_weekend_bar_is_seen():
    friday = int(FRIDAY.timestamp()) * SECOND
    learner = PatternLearner("America/New_York", [friday])
    assert later(learner.pattern, friday, "1d") == FRIDAY + 3 * DAY
    learner.see(friday + 86_400 * SECOND)
    assert later(learner.pattern, friday, "1d") == FRIDAY + DAY


def test_bars_that_close_at_midnight_belong_to_the_day_that_ends():
    midnight = datetime(2024, 11, 23, tzinfo=NEW_YORK)  # Friday's bar
    stamps = closes(midnight - 40 * DAY, midnight, DAY, lambda moment: workday(moment - DAY))
    learner = PatternLearner("America/New_York", stamps)
    assert later(learner.pattern, stamps[-1], "1d") == datetime(2024, 11, 26, tzinfo=NEW_YORK)


def test_a_holiday_changes_no_pattern_and_a_weekday_that_is_no_longer_traded_is_forgotten():
    kept = closes(FRIDAY - 40 * DAY, FRIDAY, DAY, lambda m: workday(m) and m.date() != (FRIDAY - DAY).date())
    monday = int((FRIDAY - 4 * DAY).timestamp()) * SECOND
    learner = PatternLearner("America/New_York", kept)
    assert later(learner.pattern, monday, "1d", 3) == FRIDAY - DAY
    without = closes(FRIDAY + DAY, FRIDAY + 30 * DAY, DAY, lambda m: workday(m) and m.weekday() != 3)
    for close in without:
        learner.see(close)
    assert later(learner.pattern, monday, "1d", 3) == FRIDAY


MINUTE = timedelta(minutes=1)


def in_session(moment):
    return workday(moment) and 9 * 60 < moment.hour * 60 + moment.minute <= 15 * 60 + 30


def test_minute_bars_come_in_the_hours_that_a_symbol_traded():
    last = datetime(2024, 11, 22, 15, 30, tzinfo=SEOUL)
    learner = PatternLearner("Asia/Seoul", closes(last - 20 * DAY, last, MINUTE, in_session))
    friday = int(last.timestamp()) * SECOND
    assert later(learner.pattern, friday - 60 * SECOND, "1m") == last
    assert later(learner.pattern, friday, "1m", 2) == datetime(2024, 11, 25, 9, 2, tzinfo=SEOUL)
    assert later(learner.pattern, friday - 90 * 60 * SECOND, "2h") == last, "cut at the last close"


def test_minute_bars_of_a_market_that_trades_through_the_night():
    """Foreign exchange: from Sunday 17:00 to Friday 17:00 in New York."""

    def trades(moment):
        minute = moment.hour * 60 + moment.minute
        started = moment.weekday() != 6 or minute > 17 * 60
        return started and moment.weekday() != 5 and not (moment.weekday() == 4 and minute > 17 * 60)

    last = datetime(2024, 10, 25, 17, tzinfo=NEW_YORK)
    learner = PatternLearner("America/New_York", closes(last - 20 * DAY, last, 5 * MINUTE, trades))
    pattern, friday = learner.pattern, int(last.timestamp()) * SECOND
    assert later(pattern, friday, "5m") == datetime(2024, 10, 27, 17, 5, tzinfo=NEW_YORK)
    midnight = at(2024, 10, 24, 0, zone=NEW_YORK)
    assert later(pattern, midnight - 300 * SECOND, "5m", 2) == datetime(2024, 10, 24, 0, 5, tzinfo=NEW_YORK)


def test_the_hours_are_local_when_clocks_change():
    last = datetime(2024, 11, 1, 15, 30, tzinfo=NEW_YORK)  # Friday before the clocks go back
    learner = PatternLearner("America/New_York", closes(last - 20 * DAY, last, MINUTE, in_session))
    friday = int(last.timestamp()) * SECOND
    assert later(learner.pattern, friday, "1m") == datetime(2024, 11, 4, 9, 1, tzinfo=NEW_YORK)


def test_symbols_with_the_same_pattern_share_it():
    stamps = closes(FRIDAY - 40 * DAY, FRIDAY, DAY, workday)
    one, two = (PatternLearner("America/New_York", stamps[-days:]).pattern for days in (20, 25))
    assert one is two
