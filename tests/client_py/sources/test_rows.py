"""Rows merge into bars, across pages, and live minutes into provisional and final bars."""

from datetime import date, timedelta

from glasstape.sources.live_bars import LiveBars
from glasstape.sources.rows import BarBuilder, Row, bars_of
from source_markets import collect, moment

MINUTE = timedelta(minutes=1)
START = moment("2024-07-02T14:00")


def row(minute, price, volume=10.0):
    return Row(START + minute * MINUTE, price, price + 2, price - 2, price + 1, volume)


def five_minutes(stamp):
    return START + ((stamp - START) // (5 * MINUTE) + 1) * 5 * MINUTE


async def pages(*parts):
    for part in parts:
        yield part


async def test_rows_of_one_bar_merge_across_pages():
    parts = pages([row(0, 100), row(1, 110)], [row(4, 90), row(5, 95)], [])
    builder = BarBuilder("AAA", "5m", five_minutes)
    first, second = await collect(bars_of(parts, builder, START, START + 10 * MINUTE))
    assert (first.open, first.high, first.low, first.close, first.volume) == (100, 112, 88, 91, 30)
    assert (first.symbol, first.interval, first.provisional) == ("AAA", "5m", False)
    assert first.close_time == START + 5 * MINUTE
    assert (second.close_time, second.open) == (START + 10 * MINUTE, 95)


async def test_bars_outside_of_the_range_and_rows_without_a_bar_are_left_out():
    parts = pages([row(-3, 1), row(0, 100), row(5, 95), row(10, 99)])
    builder = BarBuilder("AAA", "5m", lambda stamp: None if stamp < START else five_minutes(stamp))
    bars = await collect(bars_of(parts, builder, START + 5 * MINUTE, START + 10 * MINUTE))
    assert [bar.close_time for bar in bars] == [START + 10 * MINUTE]


async def test_days_merge_into_a_week():
    builder = BarBuilder("AAA", "1w", lambda day: moment("2024-07-05T20:00"))
    days = pages([Row(date(2024, 7, day), day, day + 1, day - 1, day, 5.0) for day in (1, 2, 3, 5)])
    (week,) = await collect(bars_of(days, builder, START - timedelta(days=9), START + timedelta(days=9)))
    assert (week.open, week.high, week.low, week.close, week.volume) == (1, 6, 0, 5, 20)


def live(connected=START, settle=8):
    bars = LiveBars("5m", lambda symbol, stamp: five_minutes(stamp), lambda _: timedelta(seconds=settle))
    bars.begin(connected)
    return bars


def test_minutes_form_a_provisional_bar_that_becomes_final_when_due():
    bars = live()
    assert bars.next_due() is None
    first = bars.update("AAA", row(0, 100))
    assert first.provisional
    assert (first.close_time, first.high, first.volume) == (START + 5 * MINUTE, 102, 10)
    assert bars.update("AAA", row(4, 90)).volume == 20
    due = START + 5 * MINUTE + timedelta(seconds=8)
    assert bars.next_due() == due
    assert bars.due(due - timedelta(seconds=1)) == []
    (final,) = bars.due(due)
    assert not final.provisional
    assert (final.open, final.low, final.close, final.volume) == (100, 88, 91, 20)
    assert bars.next_due() is None
    assert bars.due(due + 9 * MINUTE) == []


def test_a_corrected_minute_replaces_the_first_one():
    bars = live()
    bars.update("AAA", row(0, 100))
    bars.update("AAA", row(1, 100))
    corrected = bars.update("AAA", row(0, 105, volume=25.0))
    assert (corrected.open, corrected.high, corrected.close, corrected.volume) == (105, 107, 101, 35)


def test_a_bar_that_began_before_the_connection_is_never_final():
    bars = live(connected=START + MINUTE)
    assert bars.update("AAA", row(2, 100)).provisional
    bars.update("BBB", row(6, 100))
    assert [bar.symbol for bar in bars.due(START + 20 * MINUTE)] == ["BBB"]


def test_a_bar_with_lost_trades_is_never_final():
    bars = live()
    bars.update("AAA", row(0, 100))
    bars.spoil("AAA", START + MINUTE)
    assert bars.update("AAA", row(2, 100)).provisional
    bars.update("AAA", row(6, 100))
    assert [bar.close_time for bar in bars.due(START + 20 * MINUTE)] == [START + 10 * MINUTE]


def test_a_bar_that_becomes_final_late_has_no_provisional_one():
    bars = live(settle=9)
    assert bars.update("AAA", row(0, 100)) is None
    assert [bar.provisional for bar in bars.due(START + 6 * MINUTE)] == [False]
