"""Alpaca's stream: handshake, provisional and final bars, corrections, and connections that fail."""

import asyncio
from datetime import timedelta

import pytest
from glasstape.sources import (
    CredentialsError,
    RateLimitedError,
    SourceError,
    SourceUnavailableError,
)
from source_markets import FakeClock, PlayedClock, moment, until_error

pytest.importorskip("alpaca")

from glasstape.sources.alpaca import LATE_TRADES, AlpacaSource, AlpacaUrls
from glasstape.sources.credentials import Credentials

SECRET = "s3cret"
IEX = "/v2/iex"


def message(kind, opened, price=100.0, volume=10, symbol="AAPL"):
    return {"T": kind, "S": symbol, "t": opened, "o": price, "h": price, "l": price, "c": price, "v": volume}


class Stream:
    """Alpaca's side of the connection: answers the handshake, then plays steps of messages and of time."""

    def __init__(self, clock, steps, greeting="connected", auth="authenticated"):
        self.clock, self.steps, self.received = clock, steps, []
        self.answers = [greeting, auth]

    async def __call__(self, socket):
        await self.send(socket, self.answers[0])
        self.received.append(await socket.receive_json())
        await self.send(socket, self.answers[1])
        self.received.append(await socket.receive_json())
        await socket.send_json([{"T": "subscription", "bars": ["AAPL"]}])
        for step in self.steps:
            if isinstance(step, timedelta):
                await socket.ping()  # answered after the messages before it were read
                await socket.receive()
                self.clock.time += step
            elif isinstance(step, str):
                await socket.send_str(step)
            else:
                await socket.send_json(step)
        await socket.close()

    async def send(self, socket, answer):
        await socket.send_json([{"T": "success", "msg": answer} if isinstance(answer, str) else answer])


def make(market, now, steps, path=IEX, settle=LATE_TRADES, clock=PlayedClock, **options):
    clock = clock(now)
    market.routes.setdefault("/v2/stocks/bars", {"bars": {}, "next_page_token": None})
    market.routes.setdefault("/v1beta3/crypto/us/bars", {"bars": {}, "next_page_token": None})
    market.routes["/v2/clock"] = lambda query: {"timestamp": clock.time.isoformat()}
    stream = Stream(clock, steps, **options)
    market.sockets[path] = stream
    credentials = Credentials("alpaca", {"key": "PKTEST", "secret": SECRET})
    urls = AlpacaUrls(market.url, market.url.replace("http", "ws"), market.url, market.url)
    return AlpacaSource(credentials, urls=urls, clock=clock, settle=settle), stream


class Idle(Stream):
    """Accepts a subscription and sends nothing."""

    def __init__(self, end):
        super().__init__(None, [])
        self.end, self.subscribed = end, asyncio.Event()

    async def __call__(self, socket):
        await self.send(socket, self.answers[0])
        await socket.receive_json()
        await self.send(socket, self.answers[1])
        await socket.receive_json()
        self.subscribed.set()
        await self.end.wait()
        await socket.close()


async def take(bars, count):
    return [await anext(bars) for _ in range(count)]


async def play(source, symbols=("AAPL",), interval="1m"):
    return await until_error(source.live(symbols, interval))


def shown(bars):
    return [(f"{bar.close_time:%H:%M}", bar.close, bar.volume, bar.provisional) for bar in bars]


async def test_a_minute_is_final_once_late_trades_are_in(market):
    steps = [
        [message("b", "2024-07-03T13:45:00Z", 101)],
        timedelta(seconds=90),
        [message("u", "2024-07-03T13:45:00Z", 101.5, 12)],
        timedelta(seconds=10),
        [message("b", "2024-07-03T13:46:00Z", 102)],
    ]
    source, stream = make(market, "2024-07-03T13:45:00", steps)
    bars, error = await play(source)
    assert shown(bars) == [("13:46", 101.5, 12, False)]
    assert type(error) is SourceUnavailableError
    assert stream.received == [
        {"action": "auth", "key": "PKTEST", "secret": SECRET},
        {"action": "subscribe", "bars": ["AAPL"], "updatedBars": ["AAPL"]},
    ]


async def test_minutes_are_provisional_if_they_settle_soon(market):
    steps = [
        [message("b", "2024-07-03T13:45:00Z", 101)],
        [message("u", "2024-07-03T13:45:00Z", 101.5, 12)],
        timedelta(seconds=68),
        [message("b", "2024-07-03T13:46:00Z", 102)],
    ]
    source, _ = make(market, "2024-07-03T13:45:00", steps, settle=timedelta(seconds=8))
    assert shown((await play(source))[0]) == [
        ("13:46", 101, 10, True),
        ("13:46", 101.5, 12, True),
        ("13:47", 102, 10, True),
        ("13:46", 101.5, 12, False),
    ]


async def test_minutes_form_longer_bars(market):
    minutes = [[message("b", f"2024-07-03T13:{minute}:00Z", minute)] for minute in (30, 31, 34)]
    steps = [*minutes, timedelta(minutes=10), [message("b", "2024-07-03T13:35:00Z", 35)]]
    source, _ = make(market, "2024-07-03T13:29:00", steps)
    bars, _ = await play(source, interval="5m")
    final = [bar for bar in bars if not bar.provisional]
    assert shown(final) == [("13:35", 34, 30, False)]
    assert (final[0].open, final[0].high) == (30, 34)


async def test_a_bar_that_began_before_the_connection_is_not_final(market):
    steps = [
        [message("b", "2024-07-03T13:33:00Z")],
        timedelta(minutes=10),
        [message("b", "2024-07-03T13:42:00Z")],
    ]
    source, _ = make(market, "2024-07-03T13:32:00", steps)
    bars, _ = await play(source, interval="5m")
    assert bars == []


async def test_bars_that_the_stream_began_too_late_for_are_requested(market):
    raw = [
        {"t": f"2024-07-03T13:{minute}:00Z", "o": 1, "h": 1, "l": 1, "c": minute, "v": 1}
        for minute in range(42, 48)
    ]
    market.routes["/v2/stocks/bars"] = {"bars": {"AAPL": raw}, "next_page_token": None}
    source, _ = make(market, "2024-07-03T13:45:30", [])
    source_clock = source._clock
    bars = source.live(["AAPL"], "1m")
    stream_stays_open = asyncio.Event()
    market.sockets[IEX] = Idle(stream_stays_open)
    reading = asyncio.ensure_future(take(bars, 3))
    await market.sockets[IEX].subscribed.wait()
    source_clock.time = moment("2024-07-03T13:46:40")
    assert [bar.close for bar in await reading] == [43, 44, 45]
    await bars.aclose()
    stream_stays_open.set()


async def test_other_symbols_and_trading_outside_of_sessions_are_left_out(market):
    opens = ("2024-07-03T13:29:00Z", "2024-07-03T17:00:00Z")
    other = message("b", "2024-07-03T13:45:00Z", symbol="MSFT")
    source, _ = make(market, "2024-07-03T13:00", [[message("b", opened) for opened in opens], [other]])
    assert (await play(source))[0] == []


async def test_crypto_has_a_stream_of_its_own(market):
    last = message("b", "2024-07-06T23:59:00Z", symbol="BTC/USD")
    steps = [[last], timedelta(hours=1, minutes=1), [last | {"t": "2024-07-07T00:00:00Z"}]]
    source, _ = make(market, "2024-07-06T23:00", steps, path="/v1beta3/crypto/us")
    (bar,), _ = await play(source, ["BTC/USD"])
    assert bar.close_time == moment("2024-07-07T00:00")
    with pytest.raises(SourceError, match="separate streams"):
        await anext(source.live(["AAPL", "BTC/USD"], "1m"))


@pytest.mark.parametrize(
    ("code", "text", "error"),
    [
        (402, "auth failed", CredentialsError),
        (405, "symbol limit exceeded", SourceError),
        (406, "connection limit exceeded", RateLimitedError),
        (409, "insufficient subscription", SourceError),
        (500, "internal error", SourceUnavailableError),
    ],
)
async def test_errors_of_the_protocol_are_translated(market, code, text, error):
    source, _ = make(market, "2024-07-03T13:45", [], auth={"T": "error", "code": code, "msg": text})
    bars, caught = await play(source)
    assert bars == []
    assert type(caught) is error
    assert text in str(caught)
    assert SECRET not in str(caught)


@pytest.mark.parametrize(
    ("step", "text"),
    [
        ("<html>", "not JSON: '<html>'"),
        ({"T": "b"}, "not a list of objects"),
        ([{"T": "b", "S": "AAPL"}], "cannot be read"),
        ([{"T": "error", "code": 407, "msg": "slow client"}], "slow client"),
    ],
)
async def test_messages_that_cannot_be_read_end_the_stream(market, step, text):
    source, _ = make(market, "2024-07-03T13:45", [step])
    _, error = await play(source)
    assert type(error) is SourceUnavailableError
    assert text in str(error)


async def test_a_refused_handshake_is_translated(market):
    source, _ = make(market, "2024-07-03T13:45", [], path="/elsewhere")
    await source.now()
    for status, error in [(401, CredentialsError), (429, RateLimitedError), (503, SourceUnavailableError)]:
        market.routes[IEX] = (status, "no")
        assert type((await play(source))[1]) is error, status
    source, _ = make(market, "2024-07-03T13:45", [], greeting="welcome")
    assert "did not answer 'connected'" in str((await play(source))[1])


async def test_days_are_polled_after_trading_ended(market):
    source, _ = make(market, "2024-07-03T12:00", [], clock=FakeClock)
    day = {"t": "2024-07-03T04:00:00Z", "o": 1, "h": 2, "l": 1, "c": 2, "v": 9}
    market.routes["/v2/stocks/bars"] = {"bars": {"AAPL": [day]}, "next_page_token": None}
    bars = source.live(["AAPL"], "1d")
    bar = await anext(bars)
    await bars.aclose()
    assert (bar.close_time, bar.provisional) == (moment("2024-07-03T17:00"), False)
    assert source._clock.now() >= moment("2024-07-03T21:15")
    assert [path for path, *_ in market.requests].count("/v2/stocks/bars") == 1
