"""The seven promises, at the hub: what is journalled reaches every subscriber as declared."""

import asyncio
from dataclasses import replace

import pytest
from glasstape_server.domain.errors import InvalidArgument, OutOfRange, Unavailable
from glasstape_server.domain.values import Kind
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
from glasstape_server.signals.journal.log import Selection

QUICK = Subscription(conflation_seconds=0.0, heartbeat_seconds=0.15)
A, B = ("CONFIDENCE", "A", 0.4), ("CONFIDENCE", "B", 0.4)
BUY = ("BUY", "A", 0.4)


@pytest.fixture
async def hub(log):
    opened = Hub(log, now=lambda: 1000, queue=50)
    yield opened
    opened.close()


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


async def started(hub, **changes):
    stream = Stream(hub, replace(QUICK, **changes))
    return stream, await stream.next()


async def test_a_snapshot_comes_first_then_live(hub, log, append):
    hub.publish(append(log, A, A, BUY, B))
    stream, opened = await started(hub)
    assert (opened.body.result, opened.token) == (OpenResult.STARTED, b"")
    snapshot = await stream.next()
    assert snapshot.body.snapshot
    assert [r.sequence for r in snapshot.body.records] == [2, 3, 4]
    assert snapshot.sequence == 4
    hub.publish(append(log, A))
    assert (await stream.sequences_until(5))[0] == [5]
    await stream.close()


async def test_a_snapshot_leaves_expired_buys_out(hub, log, append):
    hub.publish(append(log, BUY, expire=999))
    stream, _ = await started(hub)
    assert (await stream.next()).body.records == []
    await stream.close()


async def test_a_snapshot_has_every_unexpired_buy_also_after_a_restart(hub, log, append):
    hub.publish(append(log, BUY, BUY))
    hub.publish(append(log, BUY, expire=999))
    for source in (hub, Hub(log, now=lambda: 1000)):
        assert [r.sequence for r in source.snapshot(Selection())] == [1, 2]


async def test_a_long_catch_up_beats_and_moves_on(hub, log, append, monkeypatch):
    monkeypatch.setattr("glasstape_server.signals.delivery.subscriber.PAGE", 1)
    hub.publish(append(log, *[A] * 300))
    nothing = Selection(symbols=frozenset({"Z"}))
    stream, _ = await started(hub, start=Start.EARLIEST, selection=nothing, heartbeat_seconds=0.01)
    beat = await stream.next()
    assert isinstance(beat.body, Heartbeat)
    assert 0 < beat.sequence < 300
    await stream.close()


async def test_live_begins_with_what_happens_next(hub, log, append):
    hub.publish(append(log, A))
    stream, opened = await started(hub, start=Start.LIVE)
    assert opened.sequence == 1
    hub.publish(append(log, B))
    assert (await stream.sequences_until(2))[0] == [2]
    await stream.close()


async def test_earliest_reads_the_whole_journal_in_pages(hub, log, append, monkeypatch):
    monkeypatch.setattr("glasstape_server.signals.delivery.subscriber.PAGE", 3)
    hub.publish(append(log, *[A, B, BUY] * 4))
    stream, _ = await started(hub, start=Start.EARLIEST, every_event=True)
    assert (await stream.sequences_until(12))[0] == list(range(1, 13))
    await stream.close()


async def test_a_token_goes_on_right_behind_it_from_every_position(hub, log, append):
    hub.publish(append(log, *[A, B, BUY] * 3))
    stream, _ = await started(hub, start=Start.EARLIEST, every_event=True)
    await stream.close()
    for at in range(10):
        token = hub.token(hub.bounds.epoch, at, log.chain_at(at))
        stream, opened = await started(hub, resume_token=token, every_event=True)
        assert opened.body.result is OpenResult.RESUMED
        if at < 9:
            assert (await stream.sequences_until(9))[0] == list(range(at + 1, 10))
        await stream.close()


async def test_tokens_are_independent_of_the_filter(hub, log, append):
    hub.publish(append(log, A, BUY, B))
    only_b = Selection(symbols=frozenset({"B"}))
    stream, _ = await started(hub, start=Start.EARLIEST, selection=Selection(kinds=frozenset({Kind.BUY})))
    found, message = await stream.sequences_until(3)
    assert found == [2]
    await stream.close()
    hub.publish(append(log, B, A))
    stream, _ = await started(hub, resume_token=message.token, selection=only_b)
    assert (await stream.sequences_until(5))[0] == [4]
    await stream.close()


async def test_nothing_is_missed_or_doubled_between_catching_up_and_live(hub, log, append, monkeypatch):
    monkeypatch.setattr("glasstape_server.signals.delivery.subscriber.PAGE", 2)
    hub.publish(append(log, *[A] * 20))
    streams = [Stream(hub, replace(QUICK, start=Start.EARLIEST, every_event=True)) for _ in range(5)]

    async def produce():
        for _ in range(60):
            records = await asyncio.to_thread(append, log, A)
            await asyncio.sleep(0)  # committed, and not yet published: nobody may see it
            hub.publish(records)

    results = await asyncio.gather(produce(), *(stream.sequences_until(80) for stream in streams))
    for found, _ in results[1:]:
        assert found == list(range(1, 81))
    for stream in streams:
        await stream.close()


async def test_what_was_committed_and_failed_on_its_way_is_told_before_what_follows(hub, log, append):
    stream, _ = await started(hub, start=Start.LIVE)
    append(log, A, BUY)  # nobody publishes it
    hub.publish(append(log, B))
    assert (await stream.sequences_until(3))[0] == [1, 2, 3]
    await stream.close()


async def test_conflation_keeps_the_last_confidence_and_every_buy(hub, log, append):
    stream, _ = await started(hub, start=Start.LIVE, conflation_seconds=0.2, heartbeat_seconds=5.0)
    for _ in range(5):
        hub.publish(append(log, A, BUY))
    message = await stream.next()
    assert [r.sequence for r in message.body.records] == [2, 4, 6, 8, 9, 10]
    assert message.body.conflated == 4
    assert message.sequence == 10
    await stream.close()


async def test_a_heartbeat_carries_a_position_that_is_true_while_events_wait(hub, log, append):
    stream, opened = await started(hub, start=Start.LIVE, conflation_seconds=1.0)
    hub.publish(append(log, A))
    beat = await stream.next()
    assert isinstance(beat.body, Heartbeat)
    assert beat.sequence == opened.sequence == 0
    assert (await stream.sequences_until(1))[0] == [1]
    await stream.close()


async def test_a_heartbeat_moves_on_when_nothing_matches(hub, log, append):
    stream, _ = await started(hub, start=Start.LIVE, selection=Selection(symbols=frozenset({"Z"})))
    hub.publish(append(log, A, B))
    beat = await stream.next()
    assert isinstance(beat.body, Heartbeat)
    assert beat.sequence == 2
    await stream.close()


async def test_min_confidence_tests_confidences_and_buys_alone(hub, log, append):
    stream, _ = await started(hub, start=Start.LIVE, selection=Selection(min_confidence=0.5))
    hub.publish(append(log, A, BUY, ("OUTCOME", "A", 0.4), ("CONFIDENCE", "A", 0.5)))
    assert (await stream.sequences_until(4))[0] == [3, 4]
    await stream.close()


async def test_too_many_waiting_buys_are_told_and_confidences_are_not(hub, log, append):
    stream, _ = await started(hub, start=Start.LIVE, conflation_seconds=60.0)
    hub.publish(append(log, *[A] * 200))
    assert not stream.subscriber.too_slow.is_set()
    hub.publish(append(log, *[BUY] * 51))
    assert not stream.subscriber.too_slow.is_set(), "any burst fits a reader that keeps up"
    hub.publish(append(log, A))
    assert stream.subscriber.too_slow.is_set()
    await stream.close()


async def test_a_token_from_before_the_journal_is_out_of_range(hub, log, append):
    hub.publish(append(log, *[A] * 10))
    token = hub.token(hub.bounds.epoch, 2, log.chain_at(2))
    edge = hub.token(hub.bounds.epoch, 4, log.chain_at(4))
    log.compact(5)
    with pytest.raises(OutOfRange) as caught:
        await started(hub, resume_token=token)
    assert caught.value.metadata == {"earliest_sequence": "5", "sequence": "2"}
    stream, opened = await started(hub, resume_token=edge)
    assert opened.body.result is OpenResult.RESUMED
    await stream.close()


async def test_a_resume_that_a_compaction_overtakes_is_out_of_range(hub, log, append, monkeypatch):
    hub.publish(append(log, *[A] * 10))
    before = hub.bounds.epoch
    token = hub.token(before, 3, log.chain_at(3))
    chain_at = log.chain_at

    def compacted_first(sequence):
        monkeypatch.undo()
        log.compact(8)
        return chain_at(sequence)

    monkeypatch.setattr(log, "chain_at", compacted_first)
    with pytest.raises(OutOfRange):
        await started(hub, resume_token=token)
    assert hub.bounds.epoch == before


async def test_compaction_under_a_reader_is_a_gap_not_silence(hub, log, append, monkeypatch):
    monkeypatch.setattr("glasstape_server.signals.delivery.subscriber.PAGE", 2)
    hub.publish(append(log, *[A] * 10))
    stream, _ = await started(hub, start=Start.EARLIEST, every_event=True)
    await stream.next()
    log.compact(7)
    gap = await stream.next()
    assert gap.body == Gap(3, 6)
    assert (await stream.sequences_until(10))[0] == [7, 8, 9, 10]
    await stream.close()


async def test_a_token_of_another_epoch_is_reset(hub, log, append):
    hub.publish(append(log, A))
    token = hub.token(hub.bounds.epoch, 1, log.chain_at(1))
    log.begin_epoch(hub.bounds.epoch)
    stream, opened = await started(hub, resume_token=token)
    assert opened.body == Opened(OpenResult.RESET, ResetReason.EPOCH_CHANGED, hub.bounds)
    assert (await stream.next()).body.snapshot
    await stream.close()


@pytest.mark.parametrize("lost", ["ahead", "other"])
async def test_a_token_that_the_journal_cannot_hold_begins_a_new_epoch_for_all(hub, log, append, lost):
    hub.publish(append(log, A))
    other, _ = await started(hub, start=Start.LIVE)
    before = hub.bounds.epoch
    token = hub.token(before, 9, b"12345678") if lost == "ahead" else hub.token(before, 1, b"12345678")
    stream, opened = await started(hub, resume_token=token)
    assert (opened.body.result, opened.body.reason) == (OpenResult.RESET, ResetReason.HISTORY_LOST)
    assert hub.bounds.epoch != before
    while not isinstance((message := await other.next()).body, Goodbye):
        pass
    assert message.body.reason is GoodbyeReason.EPOCH_CHANGED
    again, reset = await started(hub, resume_token=message.token)
    assert (reset.body.result, reset.body.reason) == (OpenResult.RESET, ResetReason.EPOCH_CHANGED)
    await again.close()
    assert (await stream.next()).body.snapshot
    await stream.close()


async def test_a_made_up_token_changes_nothing(hub, log, append):
    hub.publish(append(log, A))
    forged = bytearray(hub.token(hub.bounds.epoch, 1, log.chain_at(1)))
    forged[16] = 9
    before = hub.bounds
    with pytest.raises(InvalidArgument):
        await started(hub, resume_token=bytes(forged))
    assert hub.bounds == before


async def test_draining_delivers_what_waits_then_says_goodbye(hub, log, append):
    stream, _ = await started(hub, start=Start.LIVE, conflation_seconds=60.0)
    hub.publish(append(log, A, BUY))
    draining = asyncio.create_task(hub.drain(5))
    batch, goodbye = await stream.next(), await stream.next()
    assert [r.sequence for r in batch.body.records] == [1, 2]
    assert goodbye.body == Goodbye(GoodbyeReason.DRAIN)
    assert goodbye.sequence == 2
    with pytest.raises(StopAsyncIteration):
        await stream.next()
    await draining
    with pytest.raises(Unavailable):
        hub.subscribe(QUICK)


async def test_a_reader_that_went_away_is_forgotten(hub):
    stream, _ = await started(hub)
    assert hub.subscribers == 1
    await stream.close()
    assert hub.subscribers == 0
