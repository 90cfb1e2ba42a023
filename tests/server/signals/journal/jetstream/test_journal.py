"""What only a journal of several servers can get wrong."""

import asyncio

import pytest
from glasstape_server.broker import append as appends
from glasstape_server.broker.append import append_entry
from glasstape_server.broker.connection import BrokerUnavailable
from glasstape_server.broker.streams import AnotherCluster
from glasstape_server.signals.journal.jetstream import journal as journals
from glasstape_server.signals.journal.jetstream import projection_writer
from glasstape_server.signals.journal.journal import AppendUnknown, Fenced
from glasstape_server.signals.journal.records import Position
from journals import BUY, A, B, append, change, make_batch

TABLES = ("events", "windows", "progress", "models")


def rows(journal):
    """What a projection holds."""
    tables = {name: journal.history._rows(f"SELECT * FROM {name}", ()) for name in TABLES}
    return tables, journal.bounds, journal.applied


async def alarm_of(journal):
    """The alarm that a journal raises."""
    for _ in range(500):
        if journal.alarm:
            break
        await asyncio.sleep(0.01)
    return journal.alarm


async def test_every_member_applies_the_same(members):
    first, second = await members.start("a"), await members.start("b", leads=False)
    await append(first, A, BUY, B, progress={("A", "1d"): 7})
    await second.catch_up()
    await append(second, ("OUTCOME", "A", 0.4), resolves=1)
    await first.prune_before(2)
    late = await members.start("c", leads=False)
    await second.catch_up()
    assert rows(first) == rows(second) == rows(late)
    assert first.bounds.earliest == 2
    assert first.secret == second.secret


async def test_of_two_that_both_believe_to_lead_one_is_fenced(members, monkeypatch):
    first, second = await members.start("a"), await members.start("b", reads=False)
    await append(first, A, BUY)
    monkeypatch.setattr(projection_writer, "APPLY_TIMEOUT_S", 0.2)
    with pytest.raises(AppendUnknown, match="has applied message 0 of 1"):
        await append(second, B)  # it reads nothing, as one that was frozen
    second.start()
    await second.catch_up()
    with pytest.raises(Fenced):
        await second.append(make_batch(B), 0)
    await append(second, B)
    await first.catch_up()
    assert rows(first) == rows(second)
    assert [record.symbol for record in first.history.read(0, 9)] == ["A", "A", "B"]


@pytest.mark.parametrize("stored", [True, False])
async def test_an_append_without_an_answer_is_stored_once(members, monkeypatch, stored):
    journal = await members.start()
    await append(journal, A)
    batch = make_batch(A, BUY, progress={("A", "1d"): 3})

    async def unanswered(*arguments):
        if stored:
            await append_entry(*arguments)
        raise BrokerUnavailable("no answer")

    with monkeypatch.context() as patched:
        patched.setattr(journals, "append_entry", unanswered)
        with pytest.raises(AppendUnknown):
            await journal.append(batch, 1)
    end = await journal.append(batch, 1)
    assert [record.sequence for record in journal.history.read(0, 9)] == [1, 2, 3]
    assert journal.bounds.end == end
    assert journal.applied == 2


async def test_an_entry_of_many_messages_is_whole_or_absent(members, monkeypatch):
    monkeypatch.setattr(appends, "PART_BYTES", 1_000)
    first, second = await members.start("a"), await members.start("b", leads=False)
    batch = make_batch(*[A, BUY] * 40)
    await first.append(batch, 0)
    await second.catch_up()
    assert first.applied > 10, "messages"
    assert rows(first) == rows(second)
    with pytest.raises(Fenced):
        await second.append(make_batch(*[A] * 40), 3)
    assert first.bounds.head == 80


async def test_what_is_not_of_the_chain_is_not_applied_and_raises_an_alarm(members, monkeypatch):
    journal = await members.start()
    await append(journal, A)
    other = await members.start("b", leads=False)
    forged = make_batch(B)
    payload = journals.encode_burst(forged, forged.records(Position(1, b"12345678")), Position(1, b""))
    await append_entry(members.broker, members.stream, payload, "forged")
    for each in (journal, other):
        assert "event 2 does not follow the chain" in await alarm_of(each)
        assert each.bounds.head == 1
    monkeypatch.setattr(projection_writer, "APPLY_TIMEOUT_S", 0.2)
    with pytest.raises(AppendUnknown):
        await append(journal, A)


async def test_messages_that_the_brokers_lost_raise_an_alarm_instead_of_a_jump(members):
    first = await members.start("a")
    for _ in range(3):
        await append(first, A)
    await members.broker.api(f"STREAM.PURGE.{members.stream.name}", {"seq": 3})
    late = await members.start("b", leads=False, reads=False)
    late.start()
    assert "message 1 is gone" in await alarm_of(late)
    assert late.bounds.head == 0
    assert not first.alarm, "it had read them"


async def test_an_entry_of_a_newer_version_is_not_skipped(members, monkeypatch):
    first = await members.start("a")
    monkeypatch.setattr("glasstape_server.signals.journal.jetstream.entries.FORMAT", 2)
    await append(first, A)
    monkeypatch.undo()
    late = await members.start("b", leads=False, reads=False)
    late.start()
    assert "format 2, expected 1: a newer version wrote it" in await alarm_of(late)


async def test_a_damaged_projection_is_made_anew(members):
    journal = await members.start("a")
    await append(journal, A, BUY, B)
    whole = rows(journal)
    members.stop(journal)
    change(members.path("a"), "UPDATE events SET payload = x'00' WHERE sequence = 2")
    again = await members.start("a")
    assert rows(again) == whole
    assert members.path("a").with_name("a.sqlite.damaged-1").exists(), "nothing is deleted"


async def test_a_projection_of_another_cluster_is_left_alone(members):
    members.stop(await members.start("a"))
    before = members.path("a").read_bytes()
    with pytest.raises(AnotherCluster, match="belongs to cluster c, the brokers hold cluster other"):
        await members.start("a", cluster_id="other")
    assert members.path("a").read_bytes() == before


async def test_a_follower_confirms_no_loss(members):
    leader, follower = await members.start("a"), await members.start("b", leads=False)
    await append(leader, A)
    await follower.catch_up()
    lost = Position(9, b"12345678")
    epoch = leader.bounds.epoch
    assert not await follower.confirm_loss(epoch, lost)
    assert await leader.confirm_loss(epoch, lost)
    await follower.catch_up()
    assert await follower.confirm_loss(epoch, lost), "that epoch is over"
    assert rows(leader) == rows(follower)
    late = await members.start("c", leads=False)
    assert await late.confirm_loss(epoch, lost)
    assert late.bounds == leader.bounds
