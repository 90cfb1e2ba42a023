"""A server whose history lags behind the log resets no client: it waits, bounded, and then says so."""

import asyncio

import pytest
from glasstape_server.domain.errors import InvalidArgument, OutOfRange, Unavailable
from glasstape_server.signals.delivery.feed import FeedLimits
from glasstape_server.signals.delivery.hub import Hub
from glasstape_server.signals.delivery.messages import (
    Batch,
    Goodbye,
    GoodbyeReason,
    OpenResult,
    ResetReason,
    Start,
    Subscription,
)
from glasstape_server.signals.journal.history import HistoryReaders
from glasstape_server.signals.journal.records import Position
from journals import BUY, A, B, append
from replicas import Replica, SharedLog


class Server:
    """A member of the cluster, and the hub that publishes what it has applied."""

    def __init__(self, log, *, owner=False):
        self.journal = Replica(log, owner=owner)
        limits = FeedLimits(catch_up_seconds=0.5)
        self.hub = Hub(self.journal, HistoryReaders(self.journal.history), lambda: 0, limits)

    async def caught_up(self):
        self.journal.held = False
        self.journal.apply()
        assert await self.hub.published(self.journal.bounds.head, 5)

    async def open(self, **wanted):
        """A stream and its first message."""
        request = Subscription(conflation_seconds=0.0, heartbeat_seconds=0.2, **wanted)
        stream = self.hub.subscribe(request).messages()
        async with asyncio.timeout(10):
            return stream, await anext(stream)

    def token(self, sequence):
        """A token of this server at a sequence."""
        position = Position(sequence, self.journal.history.chain_at(sequence))
        return self.hub.token(self.journal.bounds.epoch, position)


@pytest.fixture
async def cluster():
    log = SharedLog()
    servers = [Server(log, owner=True), Server(log)]
    for server in servers:
        await server.hub.start()
    yield servers
    for server in servers:
        await server.hub.close()


@pytest.fixture
def leader(cluster):
    return cluster[0]


@pytest.fixture
def follower(cluster):
    return cluster[1]


async def _lag(leader, follower):
    """Events 1 and 2 everywhere, 3 to 5 on the leader alone; returns the leader's newest token."""
    await append(leader.journal, A, BUY)
    await follower.caught_up()
    follower.journal.held = True
    await append(leader.journal, A, BUY, B)
    assert await leader.hub.published(5, 5)
    return leader.token(5)


async def test_a_token_of_any_server_resumes_on_any_other(leader, follower):
    await append(leader.journal, A, BUY, B)
    await leader.caught_up()
    token = leader.token(2)
    await follower.caught_up()
    stream, opened = await follower.open(resume_token=token, every_event=True)
    assert opened.body.result is OpenResult.RESUMED
    assert [record.sequence for record in (await anext(stream)).body.records] == [3]
    await stream.aclose()


async def test_a_token_ahead_waits_until_the_follower_has_caught_up(leader, follower):
    token = await _lag(leader, follower)
    opening = asyncio.create_task(follower.open(resume_token=token))
    await asyncio.sleep(0.1)
    assert not opening.done()
    await follower.caught_up()
    stream, opened = await opening
    assert (opened.body.result, opened.sequence) == (OpenResult.RESUMED, 5)
    await stream.aclose()


async def test_a_token_that_stays_ahead_is_unavailable_and_nobody_is_reset(leader, follower):
    token = await _lag(leader, follower)
    epoch = leader.journal.bounds.epoch
    with pytest.raises(Unavailable) as error:
        await follower.open(resume_token=token)
    assert error.value.reason == "TOKEN_AHEAD"
    assert error.value.retry_after > 0
    assert error.value.metadata == {"head_sequence": "2", "sequence": "5"}
    await follower.caught_up()
    assert leader.journal.bounds.epoch == follower.journal.bounds.epoch == epoch


async def test_a_token_of_an_epoch_that_the_follower_has_not_seen_waits_too(leader, follower):
    await _lag(leader, follower)
    assert await leader.journal.confirm_loss(leader.journal.bounds.epoch, Position(9, b"12345678"))
    token = leader.token(5)
    with pytest.raises(Unavailable) as error:
        await follower.open(resume_token=token)
    assert error.value.reason == "TOKEN_AHEAD"
    opening = asyncio.create_task(follower.open(resume_token=token))
    await asyncio.sleep(0.05)
    await follower.caught_up()
    stream, opened = await opening
    assert opened.body.result is OpenResult.RESUMED
    await stream.aclose()


async def test_a_loss_that_the_owner_confirms_ends_the_streams_of_every_server(leader, follower):
    await append(leader.journal, A, BUY)
    await leader.caught_up()
    await follower.caught_up()
    before = leader.journal.bounds.epoch
    old = follower.token(2)
    stream, _ = await follower.open(start=Start.LIVE)
    lost = leader.hub.token(before, Position(9, b"12345678"))
    with pytest.raises(Unavailable):
        await follower.open(resume_token=lost)
    owners, opened = await leader.open(resume_token=lost)
    assert (opened.body.result, opened.body.reason) == (OpenResult.RESET, ResetReason.HISTORY_LOST)
    async with asyncio.timeout(5):
        while not isinstance((message := await anext(stream)).body, Goodbye):
            pass
    assert message.body.reason is GoodbyeReason.EPOCH_CHANGED
    for token in (old, lost, message.token):
        again, opened = await follower.open(resume_token=token)
        assert (opened.body.result, opened.body.reason) == (OpenResult.RESET, ResetReason.EPOCH_CHANGED)
        assert isinstance((await anext(again)).body, Batch)
        await again.aclose()
    await owners.aclose()


async def test_what_is_no_token_of_this_cluster_does_not_wait(leader, follower):
    token = await _lag(leader, follower)
    other = Server(SharedLog(), owner=True)
    _, opened = await follower.open(resume_token=other.token(0))
    assert (opened.body.result, opened.body.reason) == (OpenResult.RESET, ResetReason.EPOCH_CHANGED)
    forged = bytearray(token)
    forged[16] += 1
    with pytest.raises(InvalidArgument):
        await follower.open(resume_token=bytes(forged))


async def test_a_token_before_the_journal_is_out_of_range_on_a_follower_too(leader, follower):
    await append(leader.journal, *[A] * 10)
    await follower.caught_up()
    token = follower.token(2)
    await follower.journal.prune_before(8)
    with pytest.raises(OutOfRange):
        await follower.open(resume_token=token)
