"""One bar per interval, against stored and drafted bars; the last bar of a session may be shorter."""

import itertools
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from glasstape import calendars
from glasstape_server.domain.bars import Bar, Instrument
from glasstape_server.domain.errors import AlreadyExists
from glasstape_server.domain.times import SECOND
from glasstape_server.market.draft import Batch, BatchMode
from glasstape_server.market.store import BarStore

NEW_YORK = ZoneInfo("America/New_York")
BACKFILL, FINAL = BatchMode.BACKFILL, BatchMode.FINAL


@pytest.fixture
def store(tmp_path):
    opened = BarStore(tmp_path / "bars.sqlite", "1h")
    yield opened
    opened.close()


def micros(text, zone=NEW_YORK):
    """A local time, such as "2024-03-04 10:00", in microseconds UTC."""
    return int(datetime.fromisoformat(text).replace(tzinfo=zone).timestamp() * SECOND)


def bars(interval, *times, zone=NEW_YORK, symbol="A"):
    return [Bar(symbol, interval, micros(time, zone), 10.0, 11.0, 9.0, 10.0, 5.0) for time in times]


def session(day, interval="1h", times=("10:30", "11:30", "12:30", "13:30", "14:30", "15:30", "16:00")):
    """The bars of one day of New York, of which the last one is half an hour long."""
    return bars(interval, *(f"{day} {time}" for time in times))


def publish(store, given, mode=BACKFILL, **described):
    instruments = [Instrument("A", **described)] if described else []
    report = store.publish([Batch(given, instruments, mode)])[0]
    assert {error.reason for _, _, error in report.rejections} <= {"BAR_CONFLICT"}
    return report


def stored(store, interval="1h"):
    return [bar.close_time for bar in store.list_bars(("A", interval), 0, 1 << 52, 999)]


@pytest.mark.parametrize("mode", [BACKFILL, FINAL])
@pytest.mark.parametrize(
    ("interval", "first", "second"),
    [
        ("1h", "2024-03-04 10:00", "2024-03-04 10:05"),
        ("30m", "2024-03-04 10:00", "2024-03-04 10:00:01"),
        ("1m", "2024-03-04 10:00", "2024-03-04 10:00:00.500"),
        ("4h", "2024-03-04 12:00", "2024-03-04 15:59:59"),
        ("1d", "2024-03-04 10:00", "2024-03-04 11:00"),
        ("1w", "2024-03-05 16:00", "2024-03-07 16:00"),
        ("1w", "2024-03-08 16:00", "2024-03-11 00:00"),
    ],
)
def test_two_bars_of_one_interval_are_one_too_many(store, interval, first, second, mode):
    given = bars(interval, first, second)
    report = publish(store, given, mode, time_zone="America/New_York")
    assert report.stored == 1
    ((index, symbol, error),) = report.rejections
    assert (index, symbol) == (1, "A")
    assert isinstance(error, AlreadyExists)
    assert error.violations[0].field == "close_time"
    assert stored(store, interval) == [given[0].close_time]
    assert publish(store, [given[1]], mode).stored == 0, "in a batch of its own"


def test_an_error_names_rule_neighbor_value_and_remedy(store):
    publish(store, bars("1h", "2024-03-04 10:00", zone=ZoneInfo("UTC")))
    report = publish(store, bars("1h", "2024-03-04 10:05", zone=ZoneInfo("UTC")))
    text = report.rejections[0][2].message
    assert text == (
        "close_time: must be at least one interval (1h) after the bar before (2024-03-04T10:00:00+00:00) unless "
        "trading ends there; they are 5 min apart, is 2024-03-04T10:05:00+00:00; remove the stored bar first if it "
        "is the wrong one (RemoveBars, `glasstape bars remove`)"
    )
    assert report.rejections[0][2].metadata["neighbor"] == "2024-03-04T10:00:00+00:00"


@pytest.mark.parametrize("interval", ["1h", "1d", "1w"])
def test_bars_one_interval_apart_are_stored_in_any_order(store, interval):
    length = {"1h": timedelta(hours=1), "1d": timedelta(days=1), "1w": timedelta(weeks=1)}[interval]
    first = datetime(2024, 1, 5, 16)
    times = [(first + number * length).isoformat(" ") for number in range(40)]
    assert publish(store, bars(interval, *times[::-1]), time_zone="America/New_York").stored == 40


def test_drafted_bars_that_are_not_the_newest_count(store):
    """Tuesday's bar comes first, so that Monday's are only drafted when they meet."""
    given = bars("1d", "2024-03-05 16:00", "2024-03-04 16:00", "2024-03-04 15:00")
    assert publish(store, given, time_zone="America/New_York").stored == 2
    hours = bars("1h", "2024-03-05 16:00", "2024-03-05 12:00", "2024-03-05 12:20", "2024-03-05 11:40")
    assert publish(store, hours).stored == 2
    assert [bar.close_time for bar in hours[1::-1]] == stored(store)


def test_a_file_published_again_in_another_zone_does_not_interleave(store):
    hours = [f"2024-07-01 {hour:02d}:00" for hour in range(10)]
    assert publish(store, bars("1h", *hours, zone=ZoneInfo("UTC"))).stored == 10
    again = publish(store, bars("1h", *hours, zone=ZoneInfo("Asia/Kolkata")))
    assert again.stored == 5, "those before the first bar"
    times = stored(store)
    assert min(later - earlier for earlier, later in itertools.pairwise(times)) >= 3600 * SECOND


def test_the_last_bar_of_a_session_may_be_shorter_if_the_next_one_follows_a_pause(store):
    friday, monday = session("2024-03-01"), session("2024-03-04")
    assert publish(store, friday, FINAL).stored == 6, "nothing is known yet of where trading ends"
    assert publish(store, [*friday, monday[0]]).stored == 2, "the pause is seen in the batch"
    assert publish(store, monday[1:], FINAL).stored == 6


def test_the_last_bar_of_a_session_may_be_shorter_at_the_local_time_of_an_earlier_one(store):
    publish(store, [*session("2024-03-07"), *session("2024-03-08")], time_zone="America/New_York")
    monday = session("2024-03-11")  # summer time began on Sunday
    for bar in monday:
        assert publish(store, [bar], FINAL).stored == 1
    early = bars("1h", "2024-03-12 10:30", "2024-03-12 10:45")
    assert publish(store, early, FINAL).stored == 1


def test_without_history_or_exchange_a_live_series_has_its_last_bars_from_the_second_day_on(store):
    days = [session("2024-03-04"), session("2024-03-05"), session("2024-03-06")]
    taken = [sum(publish(store, [bar], FINAL).stored for bar in day) for day in days]
    assert taken == [6, 7, 7]


def test_the_sessions_of_the_exchange_say_where_a_bar_may_be_shorter(store, monkeypatch):
    day = calendars.Calendar(
        "XHALF",
        [(micros("2024-03-04 09:30"), micros("2024-03-04 16:00"))],
        [(micros("2024-03-04 12:00"), micros("2024-03-04 13:00"))],
    )
    monkeypatch.setattr(calendars, "find", lambda exchange: day if exchange == "XHALF" else None)
    lunch = bars("1h", "2024-03-04 11:30", "2024-03-04 12:00", "2024-03-04 14:00", "2024-03-04 15:00")
    end = bars("2h", "2024-03-04 15:00", "2024-03-04 16:00", "2024-03-04 16:30")
    premarket = bars("1h", "2024-03-04 09:00", "2024-03-04 09:30")
    for given, mode, taken in ((lunch, FINAL, 4), (end, FINAL, 2), (premarket, BACKFILL, 2)):
        assert publish(store, given, mode, exchange="XHALF", time_zone="America/New_York").stored == taken


def test_a_break_within_a_day_follows_a_bar_of_half_an_interval_or_more(store):
    lunch = ["11:00", "11:30", "13:30", "14:30"]
    assert publish(store, session("2024-03-04", times=lunch)).stored == 4
    assert publish(store, session("2024-03-05", times=["11:00", "11:05", "13:30"])).stored == 2


def test_a_bar_before_a_shorter_one_that_is_not_the_last_is_rejected(store):
    publish(store, session("2024-03-04", times=["11:30", "12:30", "13:30"]))
    report = publish(store, session("2024-03-04", times=["11:00"]))
    assert report.stored == 0
    assert "before the bar after (2024-03-04T16:30:00+00:00)" in report.rejections[0][2].message


def test_neighbors_of_other_series_do_not_matter(store):
    assert publish(store, bars("1h", "2024-03-04 10:00")).stored == 1
    assert publish(store, bars("30m", "2024-03-04 10:05")).stored == 1
    assert publish(store, bars("1h", "2024-03-04 10:05", symbol="B")).stored == 1
