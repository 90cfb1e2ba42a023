"""Any server takes bars, and all of them decide the same about each, in the same order."""

import asyncio
import sqlite3
from contextlib import closing

import pytest
from glasstape_server.broker.append import append_entry
from glasstape_server.broker.connection import BrokerUnavailable
from glasstape_server.broker.streams import AnotherCluster
from glasstape_server.cluster import bars as bars_module
from glasstape_server.domain.bars import Bar, Instrument
from glasstape_server.domain.errors import InvalidArgument, NotFound, Unavailable
from glasstape_server.domain.times import SECOND
from glasstape_server.market.clock import wall_time
from glasstape_server.market.draft import Batch, BatchMode

MINUTE = 60 * SECOND
NOW = wall_time() // MINUTE * MINUTE
TABLES = ("bars", "instruments", "corrections", "sealed_closes")


def bar(symbol, minutes_ago, close=10.0):
    return Bar(symbol, "1m", NOW - minutes_ago * MINUTE, close, close + 1, close - 1, close, 5.0)


def stored(path):
    """What a store holds on disk."""
    with closing(sqlite3.connect(path)) as db:
        return [db.execute(f"SELECT * FROM {name}").fetchall() for name in (*TABLES, "stream")]


async def test_bars_that_one_server_takes_are_stored_by_all(takers):
    first, second = await takers.start("a"), await takers.start("b")
    closed = []
    second.on_closed = closed.extend
    batch = Batch([bar("A", 3), bar("B", 3)], [Instrument("A", name="Alpha", time_zone="UTC")])
    assert (await first.publish(batch)).stored == 2
    assert (await second.publish(Batch([bar("A", 2)]))).stored == 1
    assert [key[0] for key, _ in closed] == ["A", "B", "A"]
    await first.catch_up()
    late = await takers.start("c")
    assert stored(takers.path("a")) == stored(takers.path("b")) == stored(takers.path("c"))
    assert late.store.instruments["A"].name == "Alpha"


async def test_verdicts_are_those_of_the_order_in_the_stream(takers):
    first, second = await takers.start("a"), await takers.start("b")
    reports = await asyncio.gather(
        *(
            each.publish(Batch([bar("A", 5, 10.0 + place % 2)]))
            for place, each in enumerate([first, second] * 8)
        )
    )
    assert sum(report.stored for report in reports) == 1
    assert sum(report.duplicates for report in reports) == 7
    rejected = [error.reason for report in reports for _, _, error in report.rejections]
    assert rejected == ["BAR_CONFLICT"] * 8
    for each in (first, second):
        await each.catch_up()
    assert stored(takers.path("a")) == stored(takers.path("b"))


async def test_a_correction_that_is_undone_and_done_again_is_three_changes(takers):
    first, second = await takers.start("a"), await takers.start("b")
    await first.publish(Batch([bar("A", 5), bar("A", 4)]))
    for close in (20.0, 10.0, 20.0):
        report = await second.publish(Batch([bar("A", 5, close)], mode=BatchMode.REPLACE))
        assert report.replaced == 1
    await first.catch_up()
    assert first.store.list_bars(("A", "1m"), 0, NOW, 1)[0].close == 20.0
    assert await first.remove_bars(("A", "1m"), NOW - 4 * MINUTE, NOW) == 1
    assert await second.rename_symbol("A", "Z") == 1
    with pytest.raises(NotFound):
        await first.rename_symbol("A", "Y")
    await second.catch_up()
    assert second.store.symbols() == ["Z"]
    assert stored(takers.path("a")) == stored(takers.path("b"))


async def test_a_server_goes_on_where_it_stopped(takers):
    first, second = await takers.start("a"), await takers.start("b")
    await second.publish(Batch([bar("A", 5)]))
    await takers.stop(first)
    await second.publish(Batch([bar("A", 4, 11.0)], mode=BatchMode.FINAL))
    await second.publish(Batch([bar("A", 4, 12.0)], mode=BatchMode.REPLACE))
    again = await takers.start("a", reads=False)
    assert again.applied == 1
    again.start()
    await again.catch_up()
    assert stored(takers.path("a")) == stored(takers.path("b"))


@pytest.mark.parametrize("sent", [True, False])
async def test_a_batch_without_an_acknowledgment_is_stored_once(takers, monkeypatch, sent):
    ingest = await takers.start("a")
    calls = []

    async def flaky(*arguments):
        calls.append(arguments)
        if len(calls) > 1:
            return await append_entry(*arguments)
        if sent:
            await append_entry(*arguments)
        raise BrokerUnavailable("no answer")

    monkeypatch.setattr(bars_module, "append_entry", flaky)
    monkeypatch.setattr(bars_module, "RESEND_S", 0.01)
    report = await ingest.publish(Batch([bar("A", 5)]))
    assert (report.stored, report.duplicates) == (1, 0)
    assert ingest.applied == 1
    again = await ingest.publish(Batch([bar("A", 5)]))
    assert (again.stored, again.duplicates) == (0, 1), "the caller repeated it"


async def test_without_a_broker_bars_are_refused_with_a_retry_delay(takers, monkeypatch):
    ingest = await takers.start("a")
    await ingest.publish(Batch([bar("A", 5)]))
    await takers.broker.close()
    with pytest.raises(Unavailable, match="no broker is connected") as error:
        await ingest.publish(Batch([bar("A", 4)]))
    assert error.value.reason == "BROKER_UNAVAILABLE"
    assert error.value.retry_after > 0
    assert ingest.store.symbols() == ["A"], "reads go on"


async def test_what_is_refused_leaves_no_entry(takers):
    ingest = await takers.start("a")
    with pytest.raises(InvalidArgument):
        await ingest.publish(Batch([bar("A", 5)], [Instrument("A", time_zone="Mars")]))
    ingest.refuse()
    with pytest.raises(Unavailable):
        await ingest.publish(Batch([bar("A", 5)]))
    await ingest.catch_up()
    assert ingest.applied == 0


async def test_a_disk_that_refuses_delays_what_is_committed_and_loses_nothing(takers, monkeypatch):
    first, second = await takers.start("a"), await takers.start("b")
    monkeypatch.setattr(bars_module, "RETRY_S", 0.01)
    full = True

    def note(db):
        if full:
            raise sqlite3.OperationalError("database or disk is full")
        second._note(db)

    second.store.before_commit = note
    await first.publish(Batch([bar("A", 5)]))
    for _ in range(500):
        if second.last_error:
            break
        await asyncio.sleep(0.01)
    assert "database or disk is full" in second.last_error
    assert second.store.symbols() == []
    full = False
    await second.catch_up()
    assert not second.last_error
    assert stored(takers.path("a")) == stored(takers.path("b"))


async def test_bars_of_another_cluster_are_left_alone(takers):
    ingest = await takers.start("a")
    await ingest.publish(Batch([bar("A", 5)]))
    await takers.stop(ingest)
    takers.stream = type(takers.stream)(takers.stream.name, "other", 1)
    with pytest.raises(AnotherCluster, match="belongs to cluster c, the brokers hold cluster other"):
        await takers.start("a")
