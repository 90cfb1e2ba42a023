"""What every journal guarantees."""

import asyncio
import contextlib
from dataclasses import replace

import pytest
from glasstape_server.signals.journal.chain import JOURNAL_ORIGIN, NO_CHAIN, follows
from glasstape_server.signals.journal.journal import Fenced
from glasstape_server.signals.journal.records import Position
from journals import BUY, A, B, append, make_batch
from plain_batch import PlainBatch


async def _follow(journal, after, until):
    """Records of the tail up to a sequence, by commit."""
    commits = []
    async with asyncio.timeout(5):
        async for commit in journal.tail(after):
            commits.append(list(commit.records))
            if commit.records and commit.records[-1].sequence >= until:
                return commits


def _sequences(commits):
    return [record.sequence for records in commits for record in records]


async def test_a_new_journal_is_empty(journal):
    bounds = journal.bounds
    assert (bounds.earliest, bounds.head, bounds.chain, bounds.end) == (1, 0, NO_CHAIN, JOURNAL_ORIGIN)
    assert len(bounds.epoch) == 8
    assert len(journal.secret) == 32
    assert not journal.degraded_reason


async def test_events_are_numbered_from_the_head_on_and_chained(journal):
    records = [*await append(journal, A, BUY), *await append(journal, B)]
    assert [record.sequence for record in records] == [1, 2, 3]
    before = NO_CHAIN
    for record in records:
        assert follows(before, record)
        before = record.chain
    assert journal.bounds.end == records[-1].position


async def test_a_buy_refers_to_its_confidence_by_the_sequence_that_the_journal_gave(journal, history):
    await append(journal, A)
    records = await append(journal, B, BUY)
    assert [record.payload for record in records] == [b"CONFIDENCEB2>", b"BUYA3>2"]


async def test_an_append_returns_the_place_behind_its_last_event(journal, history):
    end = await journal.append(make_batch(A, BUY, B), 0)
    assert end == history.record(3).position == journal.bounds.end
    assert await journal.append(make_batch(progress={("A", "1d"): 3}), 3) == end


async def test_a_batch_behind_another_head_is_fenced_and_leaves_nothing(journal, history):
    await append(journal, A)
    before = journal.bounds
    for expected in (0, 2, 99):
        with pytest.raises(Fenced):
            await journal.append(make_batch(A, BUY, progress={("A", "1d"): 9}), expected)
    assert journal.bounds == before
    assert history.progress() == {}
    assert len(history.read(0, 99)) == 1


async def test_a_batch_that_is_appended_again_is_stored_once(journal, history):
    await append(journal, A)
    batch = make_batch(A, BUY, B, progress={("A", "1d"): 2})
    end = await journal.append(batch, 1)
    records = history.read(0, 99)
    assert await journal.append(batch, 1) == end  # no acknowledgment had come
    assert history.read(0, 99) == records
    await append(journal, A)
    assert await journal.append(batch, 1) == end  # and others have written since
    assert journal.bounds.head == 5


async def test_the_same_decision_has_the_same_id_whoever_makes_it(journal, history):
    batch = make_batch(A, BUY, ("OUTCOME", "A", 0.4), resolves=1)
    events = [replace(event, publish_time=99) for event in batch.events]
    later = PlainBatch(events, batch.windows, {}, lambda event: b"other")
    end = await journal.append(batch, 0)
    assert await journal.append(later, 0) == end
    assert len({record.event_id for record in history.read(0, 9)}) == 3


async def test_a_tail_begins_anywhere_and_goes_on_while_events_are_appended(journal):
    for _ in range(5):
        await append(journal, A, BUY)
    followers = [asyncio.create_task(_follow(journal, after, 40)) for after in range(11)]
    for _ in range(15):
        await append(journal, A, BUY)
        await asyncio.sleep(0)
    for after, commits in enumerate(await asyncio.gather(*followers)):
        assert _sequences(commits) == list(range(after + 1, 41))


async def test_a_tail_that_keeps_up_gets_each_burst_in_one_step(journal):
    tail = journal.tail(0)
    for _ in range(2):
        waiting = asyncio.ensure_future(anext(tail))
        await asyncio.sleep(0)
        records = await append(journal, *[A] * 4_000)
        async with asyncio.timeout(5):
            assert list((await waiting).records) == records
    await tail.aclose()


async def test_what_a_tail_yields_is_in_the_history(journal, history):
    async def check():
        async for commit in journal.tail(0):
            assert [history.record(record.sequence) for record in commit.records] == list(commit.records)
            if commit.records[-1].sequence == 60:
                return

    checking = asyncio.create_task(check())
    for _ in range(20):
        await append(journal, A, BUY, B)
    async with asyncio.timeout(5):
        await checking


async def test_an_append_whose_caller_is_gone_is_whole_or_not_there(journal, history):
    appending = asyncio.create_task(journal.append(make_batch(A, BUY), 0))
    await asyncio.sleep(0)
    appending.cancel()
    await asyncio.wait([appending])
    with contextlib.suppress(Fenced):  # by the one before, which may be under way, or complete by now
        await append(journal, B)
    records = history.read(0, 9)
    assert [record.symbol for record in records] in (["A", "A"], ["B"], ["A", "A", "B"])
    assert journal.bounds.end == records[-1].position
    assert _sequences(await _follow(journal, 0, len(records))) == [record.sequence for record in records]


async def test_bounds_are_at_hand_without_the_store(member):
    await append(member.journal, A)
    before = member.journal.bounds
    member.close()
    assert member.journal.bounds == before


async def test_identity_and_events_outlive_the_process(member):
    records = await append(member.journal, A, BUY, B)
    before, secret = member.journal.bounds, member.journal.secret
    member.reopen()
    assert (member.journal.bounds, member.journal.secret) == (before, secret)
    assert member.journal.history.read(0, 9) == records
    assert (await append(member.journal, A))[0].sequence == 4


async def test_a_position_that_is_held_is_no_loss(journal, history):
    records = await append(journal, A, BUY, B)
    before = journal.bounds
    for position in (JOURNAL_ORIGIN, *(record.position for record in records)):
        assert not await journal.confirm_loss(before.epoch, position)
    assert journal.bounds == before


@pytest.mark.parametrize(
    "lost", [Position(9, b"12345678"), Position(2, b"12345678"), Position(0, b"12345678")]
)
async def test_the_owner_begins_a_new_epoch_for_a_position_that_is_not_held(member, lost):
    records = await append(member.journal, A, BUY, B)
    before = member.journal.bounds
    assert await member.journal.confirm_loss(before.epoch, lost)
    after = member.journal.bounds
    assert after.epoch != before.epoch
    assert after.end == before.end
    assert await member.journal.confirm_loss(before.epoch, lost), "that epoch is over"
    assert member.journal.bounds == after, "and no further one begins"
    member.reopen()
    assert member.journal.bounds == after
    assert member.journal.history.read(0, 9) == records
    assert (await append(member.journal, A))[0].sequence == 4


async def test_a_tail_tells_that_an_epoch_began(journal):
    await append(journal, A)
    old = journal.bounds.epoch
    tail = journal.tail(0)
    assert (await anext(tail)).epoch == old
    waiting = asyncio.ensure_future(anext(tail))
    await journal.confirm_loss(old, Position(9, b"12345678"))
    async with asyncio.timeout(5):
        commit = await waiting
    assert (commit.epoch, list(commit.records)) == (journal.bounds.epoch, [])
    records = await append(journal, B)
    async with asyncio.timeout(5):
        commit = await anext(tail)
    assert (commit.epoch, list(commit.records)) == (journal.bounds.epoch, records)
    await tail.aclose()


async def test_compaction_keeps_the_chain_and_the_numbering(member):
    journal, history = member.journal, member.journal.history
    records = await append(journal, *[A] * 10)
    await journal.prune_before(8)
    assert (journal.bounds.earliest, journal.bounds.end) == (8, records[-1].position)
    assert history.read(0, 99) == records[7:]
    assert history.chain_at(7) == records[6].chain
    assert history.chain_at(6) is None
    assert history.record(7) is history.window(7) is None
    await journal.prune_before(3)
    assert journal.bounds.earliest == 8
    await journal.prune_before(999)
    assert (journal.bounds.earliest, journal.bounds.head) == (10, 10)
    assert (await append(journal, A))[0].sequence == 11


async def test_removed_events_are_no_loss(journal):
    records = await append(journal, *[A] * 10)
    await journal.prune_before(8)
    epoch = journal.bounds.epoch
    for sequence in (0, 3, 6, 7):
        held = records[sequence - 1].position if sequence else JOURNAL_ORIGIN
        assert not await journal.confirm_loss(epoch, held)
    assert journal.bounds.epoch == epoch


async def test_a_tail_behind_which_events_were_removed_shows_the_gap(journal):
    for _ in range(10):
        await append(journal, A)
    await journal.prune_before(8)
    assert _sequences(await _follow(journal, 2, 10)) == [8, 9, 10]
