"""What the times of a file mean: proved, stated or asked for."""

import pytest
from bar_text import NEW_YORK, PRICES, TITLES, closes, day_rows, note
from glasstape.barfile import BarFileError, close_of


@pytest.mark.parametrize(
    ("cells", "expected"),
    [
        (["05/04/2024", "05/13/2024"], "2024-05-04"),
        (["05/04/2024", "13/05/2024"], "2024-04-05"),
        (["5.4.2024", "13.5.2024"], "2024-04-05"),
    ],
)
def test_day_and_month_are_proved_over_the_whole_column(read, cells, expected):
    assert closes(read(day_rows(*cells), **NEW_YORK))[0].startswith(expected)


def test_an_open_order_of_day_and_month_is_asked_for(read):
    text = day_rows("04/08/2024", "05/08/2024")
    with pytest.raises(BarFileError, match="--date-order dmy or --date-order mdy"):
        read(text, **NEW_YORK)
    assert closes(read(text, **NEW_YORK, date_order="dmy"))[0].startswith("2024-08-04")
    with pytest.raises(BarFileError, match=r"the order of day and month changes: line 2 .* line 3"):
        read(day_rows("13/08/2024", "08/13/2024"), **NEW_YORK)


def test_all_that_is_open_is_asked_for_at_once(read):
    with pytest.raises(BarFileError) as refused:
        read(day_rows("04/08/2024"))
    for option in ("--date-order", "--time-zone", "--close"):
        assert option in str(refused.value)


@pytest.mark.parametrize(
    "midnight", ["2024-03-08", "2024-03-08 00:00", "2024-03-08T00:00:00-05:00", "20240308"]
)
def test_daily_rows_at_local_midnight_are_dates(read, midnight):
    assert closes(read(day_rows(midnight), **NEW_YORK)) == ["2024-03-08 21:00"]


def test_midnight_of_the_zone_is_a_date_however_it_is_written(read):
    assert closes(read(day_rows("2024-03-08T05:00:00Z"), **NEW_YORK)) == ["2024-03-08 21:00"]
    assert closes(read(day_rows("2024-03-08T00:00:00+09:00"), close="15:30")) == ["2024-03-08 06:30"]


def test_dates_beside_times_are_told_apart_row_by_row_and_named(read):
    file = read(day_rows("2024-06-27 00:00:00", "2024-06-28 15:41:00"), **NEW_YORK)
    assert closes(file) == ["2024-06-27 20:00", "2024-06-28 19:41"]
    assert "line 2: '2024-06-27 00:00:00'" in note(file, "some rows are dates")


def test_a_stated_close_makes_midnight_a_time(read):
    rows = day_rows("2024-06-28T00:00:00Z").replace("date,", "close_time,")
    assert closes(read(rows)) == ["2024-06-28 00:00"]
    assert closes(read(day_rows("2024-06-28T00:00:00Z"), stamp="close")) == ["2024-06-28 00:00"]


def test_twenty_four_is_the_end_of_a_day_and_zero_is_asked_about(read):
    assert closes(read(day_rows("2024-06-01"), time_zone="UTC", close="24:00")) == ["2024-06-02 00:00"]
    with pytest.raises(BarFileError, match="--close: 00:00 is when a day begins; set 24:00"):
        close_of("0:00")
    for text in ("16:00+09:00", "25:00", "noon", "16:60"):
        with pytest.raises(BarFileError, match="--close: must be HH:MM or HH:MM:SS, 00:00-24:00"):
            close_of(text)


def test_a_date_without_a_time_is_no_intraday_bar(read):
    with pytest.raises(
        BarFileError, match="has the date '2024-06-24' without a time, but the bar interval is 1m"
    ):
        read(day_rows("2024-06-24"), "1m", **NEW_YORK)


def test_all_times_state_their_offset_or_none(read):
    text = day_rows("2024-03-11T09:31:00-04:00", "2024-03-11T09:32:00")
    with pytest.raises(BarFileError, match="line 3 has '2024-03-11T09:32:00' without an offset"):
        read(text, "1m", **NEW_YORK)


def test_hours_that_clocks_skip_are_refused_by_line(read):
    with pytest.raises(
        BarFileError, match=r"skipped: 1 row: time \(date\) must exist in America/New_York.*line 3"
    ):
        read(day_rows("2024-03-10 01:00", "2024-03-10 02:30"), "1h", **NEW_YORK)


@pytest.mark.parametrize("ascending", [True, False])
def test_hours_that_clocks_show_twice_are_resolved_by_order(read, ascending):
    times = ["2023-11-05 00:00", "2023-11-05 01:00", "2023-11-05 01:00", "2023-11-05 02:00"]
    file = read(day_rows(*(times if ascending else times[::-1])), "1h", **NEW_YORK)
    expected = [f"2023-11-05 {hour:02d}:00" for hour in (4, 5, 6, 7)]
    assert closes(file) == (expected if ascending else expected[::-1])
    assert note(file, "2 times that clocks show twice")


def test_the_unit_of_numbers_is_proved_and_a_change_is_named(read):
    text = day_rows("1735603199999", "1735689599999").replace("date,", "close_time,")
    file = read(text)
    assert closes(file) == ["2024-12-31 00:00", "2025-01-01 00:00"]
    assert note(file, "times are ms since 1970 UTC")
    with pytest.raises(BarFileError, match=r"changes from ms \(line 2: 1735603199999\) to us \(line 3: "):
        read(text.replace("1735689599999", "1735689599999999"))
    with pytest.raises(BarFileError, match="has '2025-01-01', line 2 the number"):
        read(text.replace("1735689599999", "2025-01-01"), **NEW_YORK)


def test_times_of_opens_are_noticed_and_can_be_stated(read):
    minutes = [f"2024-03-{day:02d} {9 + m // 60:02d}:{m % 60:02d}" for day in (4, 5) for m in range(30, 420)]
    text = day_rows(*minutes)
    with pytest.raises(BarFileError, match="days begin at 09:30 and end at 15:59, as opens of 1m bars do"):
        read(text, "1m", **NEW_YORK)
    assert closes(read(text, "1m", **NEW_YORK, stamp="open"))[:1] == ["2024-03-04 14:31"]
    assert closes(read(text, "1m", **NEW_YORK, stamp="close"))[:1] == ["2024-03-04 14:30"]
    later = [f"2024-03-04 {9 + m // 60:02d}:{m % 60:02d}" for m in range(31, 421)]
    assert not note(read(day_rows(*later), "1m", **NEW_YORK), "--stamp")


def test_a_day_of_hours_from_midnight_is_warned_about(read):
    file = read(day_rows(*(f"2024-03-04 {hour:02d}:00" for hour in range(24))), "1h", time_zone="UTC")
    assert "--stamp open or --stamp close" in note(file, "may be those of opens")


def test_daily_bars_stamped_at_the_open_of_the_exchange_are_asked_about(read):
    text = day_rows("2024-03-04 09:30", "2024-03-05 09:30")
    with pytest.raises(BarFileError, match="1d bars are stamped 09:30, when exchanges open"):
        read(text, **NEW_YORK)
    assert closes(read(text, **NEW_YORK, stamp="close"))[0] == "2024-03-04 14:30"
    assert closes(read(day_rows("2024-03-04 15:59"), **NEW_YORK)) == ["2024-03-04 20:59"]


def test_weekly_dates_on_mondays_are_asked_about(read):
    text = day_rows("2024-03-04", "2024-03-11")
    with pytest.raises(BarFileError, match="Mondays or Sundays"):
        read(text, "1w", **NEW_YORK)
    assert closes(read(text, "1w", **NEW_YORK, stamp="open")) == ["2024-03-08 21:00", "2024-03-15 20:00"]


def test_weeks_close_on_the_friday_of_their_week(read):
    dates = ("2024-02-20", "2024-02-25", "2024-03-04", "2024-03-15", "2024-03-16")
    fridays = [
        "2024-02-23 21:00",
        "2024-03-01 21:00",
        "2024-03-08 21:00",
        "2024-03-15 20:00",
        "2024-03-22 20:00",
    ]
    assert closes(read(day_rows(*dates), "1w", **NEW_YORK, stamp="open")) == fridays


def test_weeks_that_mostly_open_on_mondays_are_asked_about(read):
    text = day_rows("2024-02-20", "2024-02-26", "2024-03-04", "2024-03-11", "2024-03-15")
    with pytest.raises(BarFileError, match="3 of 5 weekly bars are dated on Mondays or Sundays"):
        read(text, "1w", **NEW_YORK)
    with pytest.raises(BarFileError, match="when exchanges open"):
        read(day_rows("2024-03-11T09:30:00-04:00", "2024-03-18T09:30:00-04:00"), "1w")


def test_daily_times_in_utc_do_not_show_the_day_of_the_exchange(read):
    for first, second in (
        ("2024-03-12 04:00:00+00:00", "2024-03-13 04:00:00+00:00"),
        ("1710216000000", "1710302400000"),
    ):
        text = day_rows(first, second)
        with pytest.raises(BarFileError, match="do not show the day of the exchange, set --time-zone"):
            read(text)
        assert closes(read(text, **NEW_YORK)) == ["2024-03-12 20:00", "2024-03-13 20:00"]
        assert closes(read(text, stamp="close")) == ["2024-03-12 04:00", "2024-03-13 04:00"]


@pytest.mark.parametrize(
    "times",
    [
        ("1710163800", "1710250200"),
        ("2024-03-11T13:30:00Z", "2024-03-12T13:30:00Z"),
        ("2024-03-11T09:30:00-04:00",),
    ],
)
def test_daily_opens_are_noticed_in_the_zone_of_the_exchange(read, times):
    with pytest.raises(BarFileError, match="1d bars are stamped 09:30, when exchanges open"):
        read(day_rows(*times), **NEW_YORK)
    if "-04:00" in times[0]:
        with pytest.raises(BarFileError, match="when exchanges open"):
            read(day_rows(*times))


@pytest.mark.parametrize(
    ("zone", "offset", "hours"),
    [
        ("", "-04:00", (9.5, 15.5)),
        ("America/New_York", "Z", (13.5, 19.5)),
        ("US/Eastern", "", (9.5, 15.5)),
        ("America/Chicago", "", (8.5, 14.5)),
    ],
)
def test_hours_that_may_be_opens_or_closes_are_asked_about(read, zone, offset, hours):
    first, last = hours
    times = [
        f"2024-03-{day}T{int(hour):02d}:{int(hour % 1 * 60):02d}:00{offset}"
        for day in (12, 13, 14)
        for hour in (first + number for number in range(int(last - first) + 1))
    ]
    with pytest.raises(BarFileError, match="--stamp open"):
        read(day_rows(*times), "1h", time_zone=zone)
    assert len(read(day_rows(*times), "1h", time_zone=zone, stamp="close").bars) == 21


def test_a_print_at_the_close_does_not_hide_opens(read):
    minutes = [f"2024-03-12 {9 + m // 60:02d}:{m % 60:02d}" for m in range(380)]
    text = day_rows(*minutes, "2024-03-12 15:30")
    with pytest.raises(BarFileError, match="days begin at 09:00"):
        read(text, "1m", time_zone="Asia/Seoul")


@pytest.mark.parametrize("time", ["2024-03-15T23:59:59.999Z", "1710547199999", "2024-03-15T24:00:00Z"])
def test_the_end_of_a_day_is_never_the_next_date(read, time):
    file = read(day_rows(time), time_zone="UTC", close="24:00")
    assert closes(file) == ["2024-03-16 00:00"]
    assert note(file, "--close is not used")


def test_the_night_of_a_monday_is_that_of_the_friday_before(read):
    text = day_rows("2024-03-18 21:01", "2024-03-18 00:30", "2024-03-18 09:01", "2024-03-19 21:01")
    file = read(text, "1m", time_zone="Asia/Shanghai", night_start="20:00", stamp="close")
    expected = ["2024-03-15 13:01", "2024-03-15 16:30", "2024-03-18 01:01", "2024-03-18 13:01"]
    assert closes(file) == expected


def test_doubled_hours_go_by_the_direction_of_each_symbol(read):
    times = ["2024-11-03 00:00", "2024-11-03 01:00", "2024-11-03 01:00", "2024-11-03 02:00"]
    rows = [f"AAA,{time},{PRICES}\n" for time in times] + [f"BBB,2022-11-06 00:00,{PRICES}\n"]
    file = read(TITLES + "".join(rows), "1h", time_zone="America/New_York", stamp="close")
    assert closes(file)[:4] == [f"2024-11-03 {hour:02d}:00" for hour in (4, 5, 6, 7)]


@pytest.mark.parametrize("cell", ["15 marras 2024", "9999-12-31", "0001-01-01", "2024-02-30"])
def test_a_date_that_is_none_is_refused_by_line(read, cell):
    with pytest.raises(BarFileError, match=r"time: 1 row: time \(date\) must be a date or time"):
        read(day_rows("2024-03-12", f'"{cell}"'), **NEW_YORK)


def test_night_sessions_belong_to_the_evening_before_their_date(read):
    text = "date,time,open,high,low,close,volume\n2024-03-05,21:01,1,1,1,1,1\n2024-03-05,09:01,1,1,1,1,1\n"
    file = read(text, "1m", time_zone="Asia/Shanghai", night_start="20:00", stamp="close")
    assert closes(file) == ["2024-03-04 13:01", "2024-03-05 01:01"]


def test_naive_times_have_no_default_zone(read):
    with pytest.raises(BarFileError, match="it states no time zone, set --time-zone"):
        read(day_rows("2024-03-04 09:31"), "1m")
    file = read(day_rows("2024-03-04 09:31"), "1m", time_zone="Asia/Seoul")
    assert "2024-03-04 00:31 UTC (2024-03-04 09:31 Asia/Seoul)" in note(file, "closes from")
    with pytest.raises(
        BarFileError, match="--time-zone: must be an IANA time zone such as Asia/Seoul, is 'KST'"
    ):
        read(day_rows("2024-03-04 09:31"), "1m", time_zone="KST")
    assert note(read(day_rows("2024-07-01 10:00"), "1m", time_zone="EST"), "a fixed offset")
