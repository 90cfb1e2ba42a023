"""Bars are stored at once; what is due after them waits for the calendar of their exchange."""

import asyncio
import threading
from concurrent.futures import Future

import pytest
from glasstape import calendars
from glasstape_server.domain.bars import Bar, DataState, Instrument
from glasstape_server.domain.times import DAY, SECOND
from glasstape_server.market.clock import Clock, wall_time
from glasstape_server.market.draft import Batch, BatchMode
from glasstape_server.market.ingest import Ingest
from glasstape_server.market.store import BarStore


def bar(symbol, close, interval="1m"):
    return Bar(symbol, interval, close, 10.0, 11.0, 9.0, 10.0, 5.0)


@pytest.fixture
def reading(monkeypatch):
    """Calendars that are read when the test says so."""
    futures = {}

    def load(exchange):
        return futures.setdefault(exchange, Future())

    monkeypatch.setattr(calendars, "load_in_background", load)
    return futures


def opened(path, interval="1m", **options):
    return Ingest(BarStore(path / "bars.sqlite", interval), Clock(), **options)


async def test_a_bar_is_acknowledged_while_its_calendar_is_read_and_signals_wait(tmp_path, reading):
    ingest = opened(tmp_path)
    batch = Batch([bar("A", wall_time() - SECOND)], [Instrument("A", exchange="XSLOW")])
    assert (await ingest.publish(batch)).stored == 1
    waiting = asyncio.create_task(ingest.calendars_loaded())
    await asyncio.sleep(0.05)
    assert not waiting.done()
    reading["XSLOW"].set_result(None)
    await asyncio.wait_for(waiting, 5)
    await ingest.close()


async def test_bars_that_may_be_short_wait_for_the_sessions_of_their_exchange(tmp_path, reading):
    ingest = opened(tmp_path)
    hourly = Batch([bar("A", wall_time() - SECOND, "1h")], [Instrument("A", exchange="XSLOW")])
    publishing = asyncio.create_task(ingest.publish(hourly))
    await asyncio.sleep(0.05)
    assert not publishing.done()
    reading["XSLOW"].set_result(None)
    assert (await asyncio.wait_for(publishing, 5)).stored == 1
    await ingest.close()


async def test_a_calendar_that_does_not_come_holds_signals_up_for_a_bounded_time(tmp_path, reading):
    ingest = opened(tmp_path, calendar_timeout=0.05)
    await ingest.publish(Batch([bar("A", wall_time() - SECOND)], [Instrument("A", exchange="XNEVER")]))
    await asyncio.wait_for(ingest.calendars_loaded(), 5)
    await ingest.close()


async def test_without_an_exchange_no_calendar_is_read(tmp_path, reading):
    ingest = opened(tmp_path)
    await ingest.publish(
        Batch([bar("A", wall_time() - SECOND)], [Instrument("A"), Instrument("B", exchange="24/7")])
    )
    await ingest.calendars_loaded()
    assert reading == {}
    await ingest.close()


async def test_minute_bars_are_stale_two_bars_after_they_were_due_and_not_while_the_market_is_closed(
    tmp_path,
):
    """A symbol that trades five minutes a day, which are over."""
    ingest = opened(tmp_path)
    now = wall_time()
    noon = f"Etc/GMT{now // (3600 * SECOND) % 24 - 12:+d}"  # the zone where it is noon: no day ends meanwhile
    last = now - 200 * SECOND
    minute = 60 * SECOND
    history = [bar("A", last - day * DAY - n * minute) for day in range(25) for n in range(5)][1:]
    assert (
        await ingest.publish(Batch(history[::-1], [Instrument("A", time_zone=noon)], mode=BatchMode.BACKFILL))
    ).stored == len(history)
    assert ingest.clock.state() is DataState.DELAYED, "one bar is due; a fresh backfill is not stale"
    assert (await ingest.publish(Batch([bar("A", last)]))).stored == 1
    assert ingest.clock.state() is DataState.LIVE, "closed until tomorrow"
    always = Batch([bar("B", last + 1)], [Instrument("B", exchange="24/7")])
    assert (await ingest.publish(always)).stored == 1
    assert ingest.clock.state() is DataState.STALE, "the other market should have gone on"
    await ingest.close()


async def test_after_a_restart_stored_bars_are_as_fresh_as_before(tmp_path):
    ingest = opened(tmp_path, "1d")
    close = wall_time() - SECOND
    await ingest.publish(Batch([bar("A", close, "1d")], [Instrument("A", exchange="24/7")]))
    await ingest.close()
    again = opened(tmp_path, "1d")
    assert again.clock.last_close == close
    assert again.clock.state() is DataState.LIVE
    await again.close()


async def test_a_fresh_backfill_is_not_stale_after_a_restart_a_removal_and_a_rename(tmp_path):
    now = [wall_time()]

    def reopened():
        return Ingest(BarStore(tmp_path / "bars.sqlite", "1d"), Clock(lambda: now[0]))

    ingest = reopened()
    close = now[0] - 100 * DAY
    bars = [bar("A", close - day * DAY, "1d") for day in range(30)][::-1]
    history = Batch(bars, [Instrument("A", exchange="24/7")], mode=BatchMode.BACKFILL)
    await ingest.publish(history)
    for change in (
        lambda ingest: ingest.publish(history),
        lambda ingest: ingest.remove_bars(("A", "1d"), close, close),
        lambda ingest: ingest.rename_symbol("A", "B"),
    ):
        assert ingest.clock.state() is DataState.DELAYED
        await ingest.close()
        ingest = reopened()
        assert ingest.clock.state() is DataState.DELAYED
        await change(ingest)
    assert ingest.clock.state() is DataState.DELAYED
    now[0] += 2 * DAY + SECOND
    assert ingest.clock.state() is DataState.STALE
    await ingest.close()
    ingest = reopened()
    assert ingest.clock.state() is DataState.STALE
    await ingest.close()


async def test_a_backfill_of_one_market_makes_no_other_fresh_after_a_restart(tmp_path):
    now = [wall_time()]

    def reopened():
        return Ingest(BarStore(tmp_path / "bars.sqlite", "1d"), Clock(lambda: now[0]))

    ingest, close = reopened(), now[0] - 3 * DAY
    live = [bar("A", close - day * DAY, "1d") for day in (2, 1, 0)]
    await ingest.publish(Batch(live, [Instrument("A", exchange="24/7")]))
    await ingest.publish(Batch([bar("B", close, "1d")], [Instrument("B")], mode=BatchMode.BACKFILL))
    state = ingest.clock.state()
    await ingest.close()
    ingest = reopened()
    assert ingest.clock.state() is state
    await ingest.remove_bars(("B", "1d"), 0, now[0])
    assert ingest.clock.state() is DataState.STALE
    await ingest.close()


async def test_reading_a_calendar_never_runs_on_the_event_loop(tmp_path, monkeypatch):
    loop_thread, seen = threading.get_ident(), []
    load = calendars.load

    def noted(*exchanges):
        seen.append(threading.get_ident())
        load(*exchanges)

    monkeypatch.setattr(calendars, "load", noted)
    ingest = opened(tmp_path)
    await ingest.publish(Batch([bar("A", wall_time() - SECOND)], [Instrument("A", exchange="XNONE")]))
    await asyncio.wait_for(ingest.calendars_loaded(), 60)
    assert seen
    assert loop_thread not in seen
    await ingest.close()
