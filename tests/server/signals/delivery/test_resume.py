"""Where a stream goes on from its token, and how it begins if it cannot."""

import asyncio

import pytest
from feeds import HubFixture
from glasstape_server.domain.errors import InvalidArgument, OutOfRange
from glasstape_server.domain.signals import Kind
from glasstape_server.signals.delivery.messages import (
    Goodbye,
    GoodbyeReason,
    Opened,
    OpenResult,
    ResetReason,
    Start,
)
from glasstape_server.signals.journal.records import Selection
from journals import BUY, A, B
from replicas import Replica, SharedLog


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


async def test_a_token_from_before_the_journal_is_out_of_range(feed):
    await feed.publish(*[A] * 10)
    token, edge = feed.token(2), feed.token(4)
    await feed.journal.prune_before(5)
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
            asyncio.run_coroutine_threadsafe(journal.prune_before(8), loop).result(5)
            return journal.history.chain_at(sequence)

    feed = await feeds(journal, history=Overtaken())
    await feed.publish(*[A] * 10)
    before = feed.epoch
    with pytest.raises(OutOfRange):
        await feed.open(resume_token=feed.token(3))
    assert feed.epoch == before


async def test_a_token_of_another_journal_is_reset(feed):
    await feed.publish(A)
    other = HubFixture(Replica(SharedLog(), owner=True))
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
