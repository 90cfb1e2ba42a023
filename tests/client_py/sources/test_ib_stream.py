"""Bars that TWS keeps up to date: provisional and final ones, lost connections, and closes that are polled."""

import asyncio

import pytest
from glasstape.sources import CredentialsError, SourceUnavailableError, UnknownSymbolError
from source_markets import moment, until_error
from tws import contract, day_row, row

pytest.importorskip("ib_async")
pytest.importorskip("exchange_calendars")


class Follower:
    """Collects bars of a stream in the background."""

    def __init__(self, bars):
        self.bars = bars
        self.queue = asyncio.Queue()
        self.task = asyncio.create_task(self.run())

    async def run(self):
        async for bar in self.bars:
            self.queue.put_nowait(bar)

    async def next(self):
        """Return the next bar, or raise what ended the stream."""
        getting = asyncio.ensure_future(self.queue.get())
        await asyncio.wait((getting, self.task), return_when=asyncio.FIRST_COMPLETED)
        if not getting.done():
            getting.cancel()
            self.task.result()
        return await getting

    async def stop(self):
        self.task.cancel()
        await asyncio.wait([self.task])
        await self.bars.aclose()


def shown(bar):
    return f"{bar.close_time:%H:%M}", bar.close, bar.volume, bar.provisional


async def test_updates_form_provisional_and_final_bars(tws, make_ib):
    tws.history = lambda request: [row("2024-07-08T14:00", 100)]
    follower = Follower(make_ib("2024-07-08T14:00:30").live(["AAPL"], "1m"))
    assert shown(await follower.next()) == ("14:01", 101, 10, True)
    request = await tws.subscribed.get()
    assert tws.requests[-1]["end"] == ""
    tws.update(request, row("2024-07-08T14:00", 101, 20))
    assert shown(await follower.next()) == ("14:01", 102, 20, True)
    tws.clock.time = moment("2024-07-08T14:01:05")
    tws.update(request, row("2024-07-08T14:01", 103, 5))
    assert [shown(await follower.next()) for _ in range(2)] == [
        ("14:01", 102, 20, True),
        ("14:02", 104, 5, True),
    ]
    tws.update(request, row("2024-07-08T14:01", 104, 9))
    assert shown(await follower.next()) == ("14:02", 105, 9, True)
    tws.clock.time = moment("2024-07-08T14:02:08")
    tws.update(request, row("2024-07-08T14:02", 105, 1))
    found = [shown(await follower.next()) for _ in range(3)]
    assert found == [("14:02", 105, 9, True), ("14:02", 105, 9, False), ("14:03", 106, 1, True)]
    await follower.stop()


async def test_the_bar_in_which_the_stream_began_stays_provisional(tws, make_ib):
    tws.history = lambda request: [row("2024-07-08T14:00", 100)]
    follower = Follower(make_ib("2024-07-08T14:00:30").live(["AAPL"], "1m"))
    await follower.next()
    request = await tws.subscribed.get()
    tws.clock.time = moment("2024-07-08T14:02:30")
    tws.update(request, row("2024-07-08T14:02", 101, 20))
    assert [(await follower.next()).provisional for _ in range(2)] == [True, True]
    await follower.stop()


async def test_half_hours_form_longer_bars(tws, make_ib):
    tws.history = lambda request: [row("2024-07-05T19:30", 100)]
    follower = Follower(make_ib("2024-07-08T13:29:30").live(["AAPL"], "1h"))
    assert (await follower.next()).close_time == moment("2024-07-05T20:00")
    request = await tws.subscribed.get()
    assert tws.requests[-1]["bar_size"] == "30 mins"
    for opened, price in [("13:30", 101), ("14:00", 103)]:
        tws.update(request, row(f"2024-07-08T{opened}", price, 20))
    bars = [await follower.next() for _ in range(4)]  # each update reports the bar that it ended again
    assert {bar.close_time for bar in bars[1:]} == {moment("2024-07-08T14:30")}
    assert (bars[-1].open, bars[-1].close, bars[-1].volume) == (101, 104, 40)
    await follower.stop()


async def test_a_lost_connection_ends_the_stream(tws, make_ib):
    tws.history = lambda request: [row("2024-07-08T14:00", 100)]
    playing = asyncio.create_task(until_error(make_ib("2024-07-08T14:00:30").live(["AAPL"], "1m")))
    await tws.subscribed.get()
    await tws.disconnect()
    _, error = await playing
    assert type(error) is SourceUnavailableError


async def test_lost_servers_of_interactive_brokers_end_the_stream(tws, make_ib):
    tws.history = lambda request: [row("2024-07-08T14:00", 100)]
    playing = asyncio.create_task(until_error(make_ib("2024-07-08T14:00:30").live(["AAPL"], "1m")))
    await tws.subscribed.get()
    tws.send(4, 2, -1, 1100, "Connectivity between IB and Trader Workstation has been lost", "")
    _, error = await playing
    assert type(error) is SourceUnavailableError
    assert "error 1100: Connectivity" in str(error)


@pytest.mark.parametrize(
    ("answer", "error"),
    [
        (
            (162, "Historical Market Data Service error message:HMDS query returned no data"),
            UnknownSymbolError,
        ),
        ((354, "Requested market data is not subscribed"), CredentialsError),
    ],
)
async def test_a_refused_stream_is_translated(tws, make_ib, answer, error):
    tws.history = lambda request: answer
    _, caught = await until_error(make_ib("2024-07-08T14:00:30").live(["AAPL"], "1m"))
    assert type(caught) is error


async def test_days_of_several_exchanges_are_polled(tws, make_ib):
    tws.contracts["7203"] = [contract("7203", "STK", "TSEJ", "JPY", primary="TSEJ")]
    tws.history = lambda request: [day_row("20240708"), day_row("20240709")]
    bars = make_ib("2024-07-08T12:00").live(["AAPL", "7203:TSEJ:JPY"], "1d")
    found = {(bar.symbol, bar.close_time) for bar in [await anext(bars), await anext(bars)]}
    await bars.aclose()
    assert found == {
        ("AAPL", moment("2024-07-08T20:00")),
        ("7203:TSEJ:JPY", moment("2024-07-09T06:00")),
    }
