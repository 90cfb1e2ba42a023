"""What may become of an append, and what a writer does about it."""

import pytest
from glasstape_server.domain.errors import ResourceExhausted
from glasstape_server.signals.journal.journal import AppendUnknown, Fenced
from glasstape_server.signals.journal.sqlite.journal import SqliteJournal
from journals import BUY, A, B, append, make_batch
from limits import file_limit
from replicas import Replica, SharedLog


@pytest.fixture
def log():
    return SharedLog()


async def test_a_batch_whose_acknowledgment_was_lost_is_stored_once(log):
    journal = Replica(log)
    await append(journal, A)
    batch = make_batch(A, BUY)
    log.lose_next_acknowledgment = True
    with pytest.raises(AppendUnknown):
        await journal.append(batch, 1)
    end = await journal.append(batch, 1)
    assert [record.sequence for record in journal.history.read(0, 9)] == [1, 2, 3]
    assert journal.bounds.end == end


async def test_of_two_writers_one_is_fenced(log):
    first, second = Replica(log), Replica(log)
    second.held = True  # it does not know yet that the other one wrote
    await append(first, A, BUY)
    with pytest.raises(Fenced):
        await append(second, B)
    second.held = False
    second.apply()
    assert (await append(second, B))[0].sequence == 3
    assert first.history.read(0, 9) == second.history.read(0, 9)


async def test_a_full_log_stores_nothing_and_says_when_to_try_again(log):
    journal = Replica(log)
    log.full = True
    await _refuses(journal)
    log.full = False
    assert (await append(journal, A))[0].sequence == 1


async def test_a_full_disk_stores_nothing_and_says_when_to_try_again(tmp_path):
    journal = SqliteJournal(tmp_path / "j")
    with file_limit(tmp_path / "j-wal"):
        await _refuses(journal)
        assert not await journal.confirm_loss(journal.bounds.epoch, journal.bounds.end)
        with pytest.raises(ResourceExhausted):
            await journal.confirm_loss(
                journal.bounds.epoch, make_batch(A).records(journal.bounds.end)[0].position
            )
    assert (await append(journal, A))[0].sequence == 1
    journal.close()


async def _refuses(journal):
    before = journal.bounds
    with pytest.raises(ResourceExhausted) as error:
        await append(journal, *[A] * 500, progress={("A", "1d"): 1})
    assert error.value.reason == "STORAGE_FULL"
    assert error.value.retry_after > 0
    assert journal.bounds == before
    assert journal.history.read(0, 9) == []
    assert journal.history.progress() == {}
