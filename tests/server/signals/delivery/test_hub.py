"""The promises of the feed, at the hub: what is journaled reaches every subscriber as declared."""

import asyncio
from dataclasses import replace

import pytest
from feeds import QUEUE_LIMIT, QUICK, Stream
from glasstape_server.domain.errors import Unavailable
from glasstape_server.domain.signals import Kind
from glasstape_server.signals.delivery.messages import (
    Gap,
    Goodbye,
    GoodbyeReason,
    Heartbeat,
    OpenResult,
    Start,
)
from glasstape_server.signals.journal.records import Selection
from journals import BUY, A, B, append, make_batch
from replicas import Replica, SharedLog


async def test_a_snapshot_comes_first_then_live(feed):
    await feed.publish(A, A, BUY, B)
    stream, opened = await feed.open()
    assert (opened.body.result, opened.token) == (OpenResult.STARTED, b"")
    snapshot = await stream.next()
    assert snapshot.body.snapshot
    assert [r.sequence for r in snapshot.body.records] == [2, 3, 4]
    assert snapshot.sequence == 4
    await feed.publish(A)
    assert (await stream.sequences_until(5))[0] == [5]
    await stream.close()


async def test_a_snapshot_leaves_expired_buys_out(feed):
    await feed.publish(BUY, expire=999)
    stream, _ = await feed.open()
    assert (await stream.next()).body.records == []
    await stream.close()


async def test_a_snapshot_has_every_unexpired_buy_also_after_a_restart(feed, feeds, journal):
    await feed.publish(BUY, BUY)
    await feed.publish(BUY, expire=999)
    for source in (feed, await feeds(journal)):
        assert [r.sequence for r in source.hub.snapshot(Selection())] == [1, 2]


async def test_what_was_journaled_before_the_hub_started_is_not_published_again(feeds, journal):
    await append(journal, A, BUY)
    feed = await feeds(journal)
    stream, opened = await feed.open(start=Start.LIVE)
    assert opened.sequence == 2
    await feed.publish(B)
    assert (await stream.sequences_until(3))[0] == [3]
    assert sum(feed.hub.stats.published.values()) == 1
    await stream.close()


async def test_a_long_catch_up_beats_and_moves_on(feeds, journal):
    feed = await feeds(journal, page=1)
    await feed.publish(*[A] * 300)
    nothing = Selection(symbols=frozenset({"Z"}))
    stream, _ = await feed.open(start=Start.EARLIEST, selection=nothing, heartbeat_seconds=0.01)
    beat = await stream.next()
    assert isinstance(beat.body, Heartbeat)
    assert 0 < beat.sequence < 300
    await stream.close()


async def test_live_begins_with_what_happens_next(feed):
    await feed.publish(A)
    stream, opened = await feed.open(start=Start.LIVE)
    assert opened.sequence == 1
    await feed.publish(B)
    assert (await stream.sequences_until(2))[0] == [2]
    await stream.close()


async def test_earliest_reads_the_whole_journal_in_pages(feeds, journal):
    feed = await feeds(journal, page=3)
    await feed.publish(*[A, B, BUY] * 4)
    stream, _ = await feed.open(start=Start.EARLIEST, every_event=True)
    assert (await stream.sequences_until(12))[0] == list(range(1, 13))
    await stream.close()


async def test_nothing_is_missed_or_doubled_between_catching_up_and_live(feeds, journal):
    feed = await feeds(journal, page=2)
    await feed.publish(*[A] * 20)
    streams = [Stream(feed.hub, replace(QUICK, start=Start.EARLIEST, every_event=True)) for _ in range(5)]

    async def produce():
        for _ in range(60):
            await append(journal, A)
            await asyncio.sleep(0)

    results = await asyncio.gather(produce(), *(stream.sequences_until(80) for stream in streams))
    for found, _ in results[1:]:
        assert found == list(range(1, 81))
    for stream in streams:
        await stream.close()


async def test_what_is_committed_is_seen_when_it_is_published_and_not_before(feeds):
    journal = Unfollowed(SharedLog())
    feed = await feeds(journal, page=2)
    await append(journal, A, BUY, A)
    streams = [
        (await feed.open(start=start, every_event=True, selection=Selection(kinds=frozenset({Kind.BUY}))))
        for start in (Start.EARLIEST, Start.LIVE)
    ]
    assert [opened.body.bounds.head for _, opened in streams] == [0, 0]
    assert isinstance((await streams[0][0].next()).body, Heartbeat)
    journal.followed.set()
    for stream, _ in streams:
        assert (await stream.sequences_until(3))[0] == [2]
        await stream.close()


class Unfollowed(Replica):
    """A journal whose tail shows nothing until it is `followed`."""

    def __init__(self, log):
        super().__init__(log, owner=True)
        self.followed = asyncio.Event()

    async def tail(self, after):
        await self.followed.wait()
        async for commit in super().tail(after):
            yield commit


async def test_a_tail_that_fails_is_followed_again_from_where_it_was(feeds, caplog):
    class Failing(Replica):
        left = 1

        async def tail(self, after):
            async for commit in super().tail(after):
                if self.left:
                    self.left -= 1
                    raise Unavailable("JOURNAL_UNAVAILABLE", "too many open files")
                yield commit

    journal = Failing(SharedLog(), owner=True)
    feed = await feeds(journal)
    stream, _ = await feed.open(start=Start.LIVE)
    await append(journal, A, BUY)
    await asyncio.sleep(0.05)
    assert feed.hub.degraded_reason == "too many open files"
    await append(journal, B)
    assert (await stream.sequences_until(3))[0] == [1, 2, 3]
    assert not feed.hub.degraded_reason
    await stream.close()


async def test_events_that_were_removed_before_they_were_published_are_a_gap_for_every_stream(feeds):
    journal = Replica(SharedLog(), owner=True)
    feed = await feeds(journal)
    stream, _ = await feed.open(start=Start.LIVE, every_event=True)
    await feed.publish(A)
    assert (await stream.sequences_until(1))[0] == [1]
    journal.held = True
    for _ in range(8):
        await journal.append(make_batch(A), journal.log.end.sequence)
    journal.held = False
    journal.apply()
    await journal.prune_before(7)
    gap = await stream.next()
    assert gap.body == Gap(2, 6)
    assert (await stream.sequences_until(9))[0] == [7, 8, 9]
    await feed.publish(B)
    assert (await stream.sequences_until(10))[0] == [10]
    await stream.close()


async def test_conflation_keeps_the_last_confidence_and_every_buy(feed):
    stream, _ = await feed.open(start=Start.LIVE, conflation_seconds=0.5, heartbeat_seconds=5.0)
    for _ in range(5):
        await feed.publish(A, BUY)
    message = await stream.next()
    assert [r.sequence for r in message.body.records] == [2, 4, 6, 8, 9, 10]
    assert message.body.conflated == 4
    assert message.sequence == 10
    await stream.close()


async def test_a_heartbeat_carries_a_position_that_is_true_while_events_wait(feed):
    stream, opened = await feed.open(start=Start.LIVE, conflation_seconds=1.0)
    await feed.publish(A)
    beat = await stream.next()
    assert isinstance(beat.body, Heartbeat)
    assert beat.sequence == opened.sequence == 0
    assert (await stream.sequences_until(1))[0] == [1]
    await stream.close()


async def test_a_heartbeat_moves_on_when_nothing_matches(feed):
    stream, _ = await feed.open(start=Start.LIVE, selection=Selection(symbols=frozenset({"Z"})))
    await feed.publish(A, B)
    beat = await stream.next()
    assert isinstance(beat.body, Heartbeat)
    assert beat.sequence == 2
    await stream.close()


async def test_min_confidence_tests_confidences_and_buys_alone(feed):
    stream, _ = await feed.open(start=Start.LIVE, selection=Selection(min_confidence=0.5))
    await feed.publish(A, BUY, ("OUTCOME", "A", 0.4), ("CONFIDENCE", "A", 0.5), resolves=1)
    assert (await stream.sequences_until(4))[0] == [3, 4]
    await stream.close()


async def test_too_many_waiting_buys_are_told_and_confidences_are_not(feed):
    stream, _ = await feed.open(start=Start.LIVE, conflation_seconds=60.0)
    await feed.publish(*[A] * 200)
    assert not stream.subscriber.too_slow.is_set()
    await feed.publish(*[BUY] * (QUEUE_LIMIT + 1))
    assert not stream.subscriber.too_slow.is_set(), "any batch fits a reader that keeps up"
    await feed.publish(A)
    assert stream.subscriber.too_slow.is_set()
    assert feed.hub.stats.disconnected_slow == 1
    await stream.close()


async def test_the_lag_is_that_of_the_slowest_stream(feed):
    stream, _ = await feed.open(start=Start.LIVE, conflation_seconds=60.0)
    assert feed.hub.max_lag == 0
    await feed.publish(A, B)
    assert feed.hub.max_lag == 2
    await stream.close()
    assert feed.hub.max_lag == 0


async def test_compaction_under_a_reader_is_a_gap_not_silence(feeds, journal):
    feed = await feeds(journal, page=2)
    await feed.publish(*[A] * 10)
    stream, _ = await feed.open(start=Start.EARLIEST, every_event=True)
    await stream.next()
    await journal.prune_before(7)
    gap = await stream.next()
    assert gap.body == Gap(3, 6)
    assert (await stream.sequences_until(10))[0] == [7, 8, 9, 10]
    await stream.close()


async def test_draining_delivers_what_was_committed_then_says_goodbye(feed):
    stream, _ = await feed.open(start=Start.LIVE, conflation_seconds=60.0)
    await append(feed.journal, A, BUY)  # and not yet published
    draining = asyncio.create_task(feed.hub.drain(5))
    batch, goodbye = await stream.next(), await stream.next()
    assert [r.sequence for r in batch.body.records] == [1, 2]
    assert goodbye.body == Goodbye(GoodbyeReason.DRAIN)
    assert goodbye.sequence == 2
    with pytest.raises(StopAsyncIteration):
        await stream.next()
    await draining
    with pytest.raises(Unavailable):
        feed.hub.subscribe(QUICK)


async def test_a_reader_that_went_away_is_forgotten(feed):
    stream, _ = await feed.open()
    assert feed.hub.subscribers == 1
    await stream.close()
    assert feed.hub.subscribers == 0
