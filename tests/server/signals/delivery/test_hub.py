"""The promises of the feed, at the hub: what is journaled reaches every subscriber as declared."""

import asyncio
from dataclasses import replace

import pytest
from glasstape_server.domain.errors import InvalidArgument, OutOfRange, Unavailable
from glasstape_server.domain.values import Kind
from glasstape_server.signals.delivery.feed import FeedLimits
from glasstape_server.signals.delivery.hub import Hub
from glasstape_server.signals.delivery.messages import (
    Batch,
    Gap,
    Goodbye,
    GoodbyeReason,
    Heartbeat,
    Opened,
    OpenResult,
    ResetReason,
    Start,
    Subscription,
)
from glasstape_server.signals.journal.history import HistoryReaders
from glasstape_server.signals.journal.records import Position, Selection
from journals import BUY, A, B, append, make_batch
from replicas import Replica, SharedLog

QUICK = Subscription(conflation_seconds=0.0, heartbeat_seconds=0.15)


class Feed:
    """A hub over a journal, and what is appended to it."""

    def __init__(self, journal, page=4096, history=None):
        self.journal = journal
        limits = FeedLimits(queue=50, page=page, catch_up_seconds=0.2)
        self.hub = Hub(journal, HistoryReaders(history or journal.history), lambda: 1000, limits)

    @property
    def epoch(self):
        return self.journal.bounds.epoch

    async def publish(self, *described, **changes):
        """Append, and wait until it is published."""
        records = await append(self.journal, *described, **changes)
        assert await self.hub.published(records[-1].sequence, 5)
        return records

    def token(self, sequence, chain=None):
        return self.hub.token(
            self.epoch, Position(sequence, chain or self.journal.history.chain_at(sequence))
        )

    async def open(self, **changes):
        """A stream and its first message."""
        stream = Stream(self.hub, replace(QUICK, **changes))
        return stream, await stream.next()


class Stream:
    """A subscriber whose messages are taken one by one."""

    def __init__(self, hub, wanted):
        self.subscriber = hub.subscribe(wanted)
        self.messages = self.subscriber.messages()

    async def next(self):
        async with asyncio.timeout(5):
            return await anext(self.messages)

    async def sequences_until(self, head):
        found, message = [], None
        while message is None or message.sequence < head:
            message = await self.next()
            if isinstance(message.body, Batch):
                found += [r.sequence for r in message.body.records]
        return found, message

    async def close(self):
        await self.messages.aclose()


@pytest.fixture
async def feeds():
    """Makes feeds."""
    made = []

    async def make(journal, **options):
        made.append(Feed(journal, **options))
        await made[-1].hub.start()
        return made[-1]

    yield make
    for feed in made:
        await feed.hub.close()


@pytest.fixture
async def feed(feeds, journal):
    return await feeds(journal)


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


async def test_a_token_goes_on_right_behind_it_from_every_position(feed):
    await feed.publish(*[A, B, BUY] * 3)
    for at in range(10):
        stream, opened = await feed.open(resume_token=feed.token(at), every_event=True)
        assert opened.body.result is OpenResult.RESUMED
        if at < 9:
            assert (await stream.sequences_until(9))[0] == list(range(at + 1, 10))
        await stream.close()


async def test_tokens_are_independent_of_the_filter(feed):
    await feed.publish(A, BUY, B)
    buys = Selection(kinds=frozenset({Kind.BUY}))
    stream, _ = await feed.open(start=Start.EARLIEST, selection=buys)
    found, message = await stream.sequences_until(3)
    assert found == [2]
    await stream.close()
    await feed.publish(B, A)
    only_b = Selection(symbols=frozenset({"B"}))
    stream, _ = await feed.open(resume_token=message.token, selection=only_b)
    assert (await stream.sequences_until(5))[0] == [4]
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
    await journal.compact(7)
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
    await feed.publish(*[BUY] * 51)
    assert not stream.subscriber.too_slow.is_set(), "any burst fits a reader that keeps up"
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


async def test_a_token_from_before_the_journal_is_out_of_range(feed):
    await feed.publish(*[A] * 10)
    token, edge = feed.token(2), feed.token(4)
    await feed.journal.compact(5)
    with pytest.raises(OutOfRange) as caught:
        await feed.open(resume_token=token)
    assert caught.value.metadata == {"earliest_sequence": "5", "sequence": "2"}
    stream, opened = await feed.open(resume_token=edge)
    assert opened.body.result is OpenResult.RESUMED
    await stream.close()


async def test_a_resume_that_a_compaction_overtakes_is_out_of_range(feeds, journal):
    loop = asyncio.get_running_loop()

    class Overtaken:
        """Has events removed before it is asked for their chain."""

        latest = journal.history.latest

        def chain_at(self, sequence):
            asyncio.run_coroutine_threadsafe(journal.compact(8), loop).result(5)
            return journal.history.chain_at(sequence)

    feed = await feeds(journal, history=Overtaken())
    await feed.publish(*[A] * 10)
    before = feed.epoch
    with pytest.raises(OutOfRange):
        await feed.open(resume_token=feed.token(3))
    assert feed.epoch == before


async def test_compaction_under_a_reader_is_a_gap_not_silence(feeds, journal):
    feed = await feeds(journal, page=2)
    await feed.publish(*[A] * 10)
    stream, _ = await feed.open(start=Start.EARLIEST, every_event=True)
    await stream.next()
    await journal.compact(7)
    gap = await stream.next()
    assert gap.body == Gap(3, 6)
    assert (await stream.sequences_until(10))[0] == [7, 8, 9, 10]
    await stream.close()


async def test_a_token_of_another_journal_is_reset(feed):
    await feed.publish(A)
    other = Feed(Replica(SharedLog(), owner=True))
    stream, opened = await feed.open(resume_token=other.token(0))
    assert opened.body == Opened(OpenResult.RESET, ResetReason.EPOCH_CHANGED, feed.hub.bounds)
    assert (await stream.next()).body.snapshot
    await stream.close()
    await other.hub.close()


@pytest.mark.parametrize("sequence", [9, 1])
async def test_a_token_that_the_journal_cannot_hold_begins_a_new_epoch_for_all(feed, sequence):
    await feed.publish(A)
    other, _ = await feed.open(start=Start.LIVE)
    before = feed.epoch
    stream, opened = await feed.open(resume_token=feed.token(sequence, b"12345678"))
    assert (opened.body.result, opened.body.reason) == (OpenResult.RESET, ResetReason.HISTORY_LOST)
    assert opened.body.bounds.epoch == feed.epoch != before
    while not isinstance((message := await other.next()).body, Goodbye):
        pass
    assert message.body.reason is GoodbyeReason.EPOCH_CHANGED
    again, reset = await feed.open(resume_token=message.token)
    assert (reset.body.result, reset.body.reason) == (OpenResult.RESET, ResetReason.EPOCH_CHANGED)
    await again.close()
    assert (await stream.next()).body.snapshot
    await feed.publish(B)
    assert (await stream.sequences_until(2))[0] == [2], "the one that told of the loss goes on"
    await stream.close()


async def test_a_forged_token_changes_nothing(feed):
    await feed.publish(A)
    forged = bytearray(feed.token(1))
    forged[16] = 9
    before = feed.hub.bounds
    with pytest.raises(InvalidArgument):
        await feed.open(resume_token=bytes(forged))
    assert feed.hub.bounds == before


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
