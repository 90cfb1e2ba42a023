import asyncio
from contextlib import asynccontextmanager
from datetime import timedelta

import pytest
from glasstape import AsyncClient, PermissionDeniedError, UnavailableError
from glasstape.sources import CredentialsError, SourceUnavailableError, UnknownSymbolError
from glasstape.sources.follow_stats import FollowState
from glasstape.sources.follower import Follower, FollowOptions, NothingToFollowError
from glasstape.testing import FakeServer
from scripted_source import MINUTE, START, ScriptedSource, minute_bar
from simulated_time import SimulatedTime

NOW = START + timedelta(minutes=200, seconds=5)


@pytest.fixture
def time():
    return SimulatedTime(NOW, 300)


@pytest.fixture
def server():
    with FakeServer() as server:
        yield server


def market(time, *symbols):
    return ScriptedSource(
        time, *(minute_bar(symbol, minute) for symbol in symbols for minute in range(1, 201))
    )


@asynccontextmanager
async def following(source, server, time, *symbols, **options):
    wanted = FollowOptions(symbols=symbols, interval="1m", since=START, **options)
    async with AsyncClient(server.address) as client:
        follower = Follower(source, client, wanted, time)
        task = asyncio.create_task(follower.run())
        try:
            yield follower
        finally:
            if task.done():
                task.result()
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)


async def until(condition):
    async with asyncio.timeout(20):
        while not condition():  # noqa: ASYNC110  # polls a server in another thread
            await asyncio.sleep(0.002)


async def ended(source, server, time, *symbols):
    """The error that ends a follower."""
    wanted = FollowOptions(symbols=symbols, interval="1m", since=START)
    async with AsyncClient(server.address) as client:
        with pytest.raises(Exception) as caught:  # the caller checks which
            async with asyncio.timeout(20):
                await Follower(source, client, wanted, time).run()
    return caught.value


async def test_old_bars_are_history_and_recent_closes_are_signaled(time, server):
    async with following(market(time, "A", "B"), server, time, "A", "B"):
        await until(lambda: len(server.published) >= 400)
    modes = server.published_modes[1:]  # the first call carries the instruments
    assert modes.count("backfill") == 2
    assert modes.count("final") == 60  # closes of the last hour, both symbols in each
    for symbol in ("A", "B"):
        closes = [bar.close_time for bar in server.published if bar.symbol == symbol]
        assert closes == [START + minute * MINUTE for minute in range(1, 201)]
    assert server.instruments["A"].name == "Name of A"


async def test_a_follower_continues_after_the_stored_bars(time, server):
    source = market(time, "A")
    async with AsyncClient(server.address) as client:
        await client.publish_bars(source.bars[:190])
    async with following(source, server, time, "A"):
        await until(lambda: len(server.published) >= 200)
    assert server.published == source.bars
    assert source.requests[0][1] >= START + 180 * MINUTE


@pytest.mark.parametrize(
    ("replace", "modes"), [(True, {"replace", "backfill"}), (False, set())], ids=["replace", "report"]
)
async def test_corrected_and_late_bars_are_sent_only_on_request(time, server, replace, modes):
    source = market(time, "A")
    del source.bars[197]  # minute 198
    async with following(source, server, time, "A", replace=replace) as follower:
        await until(lambda: len(server.published) >= 199)
        before = len(server.published_modes)
        source.bars += [minute_bar("A", 198)]
        source.bars[198] = minute_bar("A", 200, close=150.0)
        source.bars.sort(key=lambda bar: bar.close_time)
        source.feed.put_nowait(SourceUnavailableError("lost"))  # the next back-fill finds them
        await until(lambda: sum(follower.stats.revisions.values()) == 2)
        await until(lambda: not replace or len(server.published_modes) == before + 2)
    assert follower.stats.revisions == {"late": 1, "corrected": 1}
    assert set(server.published_modes[before:]) == modes


async def test_a_final_bar_before_its_close_is_not_believed(time, server):
    source = market(time, "A")
    async with following(source, server, time, "A"):
        await until(lambda: len(server.published) >= 200)
        with time.stopped():  # so that the bar is read before its close on a busy machine, too
            source.feed.put_nowait(minute_bar("A", 205, close=1.5))
            await until(source.feed.empty)
            await asyncio.sleep(0.02)
        source.bars += [minute_bar("A", number, close=2.5) for number in range(201, 206)]
        await until(lambda: len(server.published) >= 205)
    assert [bar.close for bar in server.published[200:205]] == [2.5] * 5


async def test_bars_without_numbers_are_ignored(time, server):
    source = market(time, "A")
    source.bars[100] = minute_bar("A", 101, close=float("nan"))
    async with following(source, server, time, "A"):
        await until(lambda: len(server.published) >= 199)
        source.feed.put_nowait(minute_bar("A", 201, close=float("inf"), provisional=True))
        await until(source.feed.empty)
        source.bars.append(minute_bar("A", 201))
        source.feed.put_nowait(minute_bar("A", 201, provisional=True))
        await until(lambda: len(server.published) >= 200)
    minutes = {round((bar.close_time - START) / MINUTE) for bar in server.published}
    assert minutes == set(range(1, 202)) - {101}


async def test_forming_bars_are_published_on_request(time, server):
    source = market(time, "A")
    async with following(source, server, time, "A", provisional=True):
        await until(lambda: len(server.published) >= 200)
        source.feed.put_nowait(minute_bar("A", 202, close=3.0, provisional=True))
        await until(lambda: "provisional" in server.published_modes)
    assert server.published[-1].close == 3.0


async def test_a_removed_symbol_is_dropped_and_the_others_go_on(time, server, caplog):
    source = market(time, "A", "B")
    async with following(source, server, time, "A", "B") as follower:
        await until(lambda: len(server.published) >= 400)
        source.unknown.add("B")
        source.feed.put_nowait(UnknownSymbolError("B", "it was removed"))
        await until(lambda: source.subscriptions[-1] == ["A"])
        source.bars.append(minute_bar("A", 201))
        source.feed.put_nowait(minute_bar("A", 201, provisional=True))
        await until(lambda: server.published[-1].close_time == START + 201 * MINUTE)
    assert follower.stats.dropped == ["B"]
    assert len([record for record in caplog.records if "B: it was removed" in record.getMessage()]) == 1


async def test_it_ends_when_the_market_has_none_of_the_symbols(time, server):
    source = market(time)
    source.unknown |= {"A", "B"}
    assert isinstance(await ended(source, server, time, "A", "B"), NothingToFollowError)


async def test_it_ends_when_the_credentials_are_refused(time, server):
    source = market(time, "A")
    source.failures.append(CredentialsError("the key was revoked"))
    assert str(await ended(source, server, time, "A")) == "the key was revoked"


async def test_it_ends_when_the_server_refuses_the_caller(time, server):
    server.fail("PublishBars", PermissionDeniedError("the token lack the scope publish"))
    assert isinstance(await ended(market(time, "A"), server, time, "A"), PermissionDeniedError)


async def test_it_waits_for_the_server_and_then_sends_everything(time, server):
    server.fail("PublishBars", UnavailableError("the server is starting"))
    source = market(time, "A")
    async with following(source, server, time, "A") as follower:
        await until(lambda: follower.stats.state is FollowState.SERVER_UNAVAILABLE)
        server.fail("PublishBars", None)
        await until(lambda: len(server.published) >= 200)
    assert server.published == source.bars


async def test_failed_requests_are_repeated(time, server):
    source = market(time, "A")
    source.failures = [SourceUnavailableError("lost", timedelta(seconds=30)) for _ in range(3)]
    async with following(source, server, time, "A") as follower:
        await until(lambda: len(server.published) >= 200)
    assert server.published == source.bars
    assert follower.stats.last_error == "lost"
