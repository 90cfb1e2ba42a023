"""Alpaca: bars of REST and WebSocket against a local server that speaks its wire format."""

import argparse
import json
from datetime import timedelta

import pytest
from glasstape.sources import (
    CredentialsError,
    RateLimitedError,
    SourceError,
    SourceUnavailableError,
    UnknownSymbolError,
)
from source_markets import FakeClock, collect, moment

pytest.importorskip("alpaca")

from glasstape.sources.alpaca import AlpacaSource, AlpacaUrls
from glasstape.sources.credentials import Credentials

NOW = "2024-07-08T20:00"
KEY, SECRET = "PKTEST", "s3cret"
MINUTE, DAY = timedelta(minutes=1), timedelta(days=1)


def raw(opened, price=100.0, volume=10):
    return {
        "t": opened,
        "o": price,
        "h": price + 2,
        "l": price - 2,
        "c": price + 1,
        "v": volume,
        "n": 3,
        "vw": 1,
    }


def answer(symbol, *bars, token=None):
    return {"bars": {symbol: list(bars)} if bars else {}, "next_page_token": token}


def make(market, now=NOW, **options):
    clock = FakeClock(now)
    market.routes["/v2/clock"] = lambda query: {"timestamp": clock.time.isoformat(), "is_open": True}
    urls = AlpacaUrls(
        data=market.url,
        trading=market.url,
        paper_trading=market.url,
        stream=market.url.replace("http", "ws"),
    )
    credentials = Credentials("alpaca", {"key": KEY, "secret": SECRET})
    return AlpacaSource(credentials, urls=urls, clock=clock, **options)


async def history(source, symbol, interval, start, end):
    return await collect(source.history(symbol, interval, moment(start), moment(end)))


def query_of(market, path):
    return next(query for requested, query, _, _ in market.requests if requested == path)


async def test_minutes_are_stamped_by_their_close(market):
    market.routes["/v2/stocks/bars"] = answer(
        "AAPL",
        raw("2024-07-03T13:29:00Z"),  # before the open
        raw("2024-07-03T13:30:00Z", 200.5, 7),
        raw("2024-07-03T16:59:00Z"),  # the last minute of a half day
        raw("2024-07-03T17:00:00Z"),
    )
    source = make(market)
    first, last = await history(source, "AAPL", "1m", "2024-07-03T13:00", "2024-07-03T20:00")
    assert first.close_time == moment("2024-07-03T13:31")
    assert (first.open, first.high, first.low, first.close) == (200.5, 202.5, 198.5, 201.5)
    assert (first.symbol, first.interval, first.volume, first.provisional) == ("AAPL", "1m", 7, False)
    assert last.close_time == moment("2024-07-03T17:00")
    _, query, headers, _ = market.requests[-1]
    assert headers["APCA-API-KEY-ID"] == KEY
    assert query | {"timeframe": "1Min", "adjustment": "raw", "feed": "iex", "symbols": "AAPL"} == query


async def test_days_close_with_their_session(market):
    market.routes["/v2/stocks/bars"] = answer(
        "AAPL",
        raw("2024-03-08T05:00:00Z"),  # midnight of New York in winter
        raw("2024-03-11T04:00:00Z"),  # and in summer
        raw("2024-07-03T04:00:00Z"),
    )
    bars = await history(make(market), "AAPL", "1d", "2024-03-01T00:00", "2024-07-08T00:00")
    assert [bar.close_time for bar in bars] == [
        moment("2024-03-08T21:00"),
        moment("2024-03-11T20:00"),
        moment("2024-07-03T17:00"),
    ]


async def test_a_day_is_final_once_trading_after_hours_ended(market):
    market.routes["/v2/stocks/bars"] = answer("AAPL", raw("2024-07-08T04:00:00Z"))
    for now, count in [("2024-07-08T20:00", 0), ("2024-07-09T00:14", 0), ("2024-07-09T00:15", 1)]:
        assert len(await history(make(market, now), "AAPL", "1d", "2024-07-05T20:00", now)) == count, now


async def test_weeks_are_merged_from_days(market):
    days = [raw(f"2024-07-0{day}T04:00:00Z", price=day) for day in (1, 2, 3, 5)]
    market.routes["/v2/stocks/bars"] = answer("AAPL", *days)
    (week,) = await history(make(market), "AAPL", "1w", "2024-07-03T00:00", "2024-07-08T00:00")
    assert (week.close_time, week.open, week.close) == (moment("2024-07-05T20:00"), 1, 6)
    assert query_of(market, "/v2/stocks/bars")["start"] == "2024-07-01T00:00:00-04:00"


async def test_hours_are_counted_from_the_open(market):
    halves = [
        raw(f"2024-07-03T{time}:00Z") for time in ("13:00", "13:30", "14:00", "14:30", "16:30", "17:00")
    ]
    market.routes["/v2/stocks/bars"] = answer("AAPL", *halves)
    bars = await history(make(market), "AAPL", "1h", "2024-07-03T00:00", "2024-07-04T00:00")
    assert [bar.close_time for bar in bars] == [
        moment("2024-07-03T14:30"),
        moment("2024-07-03T15:30"),
        moment("2024-07-03T17:00"),
    ]
    assert [bar.volume for bar in bars] == [20, 10, 10]
    assert query_of(market, "/v2/stocks/bars")["timeframe"] == "30Min"


async def test_extended_hours_are_an_option(market):
    opens = ("07:59", "08:00", "17:00", "20:59", "21:00")
    market.routes["/v2/stocks/bars"] = answer("AAPL", *(raw(f"2024-07-03T{time}:00Z") for time in opens))
    source = make(market, extended_hours=True)
    bars = await history(source, "AAPL", "1m", "2024-07-03T00:00", "2024-07-04T00:00")
    assert [f"{bar.close_time:%H:%M}" for bar in bars] == ["08:01", "17:01", "21:00"]


async def test_crypto_trades_around_the_clock(market):
    path = "/v1beta3/crypto/us/bars"
    market.routes[path] = answer("BTC/USD", raw("2024-07-06T23:00:00Z"), raw("2024-07-07T00:00:00Z"))
    bars = await history(make(market), "BTC/USD", "1h", "2024-07-06T00:00", "2024-07-08T00:00")
    assert [bar.close_time for bar in bars] == [moment("2024-07-07T00:00"), moment("2024-07-07T01:00")]
    query = query_of(market, path)
    assert query["timeframe"] == "1Hour"
    assert "feed" not in query


@pytest.mark.parametrize(
    ("opened", "close"),
    [
        ("2024-07-06T05:00:00Z", "2024-07-07T05:00"),  # midnight of Chicago
        ("2024-03-10T06:00:00Z", "2024-03-11T05:00"),  # 23 hours
        ("2024-07-06T00:00:00Z", "2024-07-07T00:00"),  # midnight of UTC
    ],
)
async def test_days_of_crypto_end_at_the_next_midnight_of_their_zone(market, opened, close):
    market.routes["/v1beta3/crypto/us/bars"] = answer("BTC/USD", raw(opened))
    (bar,) = await history(make(market), "BTC/USD", "1d", "2024-03-01T00:00", "2024-07-08T00:00")
    assert bar.close_time == moment(close)


async def test_a_daily_bar_that_does_not_begin_at_midnight_is_refused(market):
    market.routes["/v1beta3/crypto/us/bars"] = answer("BTC/USD", raw("2024-07-06T03:00:00Z"))
    with pytest.raises(SourceError, match=r"daily bar of BTC/USD begins at .* expected midnight"):
        await history(make(market), "BTC/USD", "1d", "2024-03-01T00:00", "2024-07-08T00:00")


async def test_pages_are_followed_at_the_pace_of_the_rate_limit(market):
    pages = {
        None: answer("AAPL", raw("2024-07-03T13:30:00Z"), token="next"),
        "next": answer("AAPL", raw("2024-07-03T13:31:00Z")),
    }
    market.routes["/v2/stocks/bars"] = lambda query: pages[query.get("page_token")]
    source = make(market)
    bars = await history(source, "AAPL", "1m", "2024-07-03T13:00", "2024-07-03T20:00")
    assert len(bars) == 2
    assert source._clock.slept == pytest.approx([1 / 3, 1 / 3])


async def test_the_markets_clock_decides_what_is_final(market):
    market.routes["/v2/stocks/bars"] = answer("AAPL", raw("2024-07-08T19:00:00Z"))
    source = make(market, "2024-07-08T19:00")  # this machine is an hour behind
    market.routes["/v2/clock"] = {"timestamp": "2024-07-08T16:00:30.123456789-04:00"[:26] + "-04:00"}
    assert (await source.now()) > moment("2024-07-08T20:00:30")
    assert len(await history(source, "AAPL", "1m", "2024-07-08T18:00", "2024-07-08T20:00")) == 1


async def test_adjusted_prices_are_an_option(market):
    market.routes["/v2/stocks/bars"] = answer("AAPL")
    assert await history(make(market, adjusted=True), "AAPL", "1d", "2024-03-01T00:00", NOW) == []
    assert query_of(market, "/v2/stocks/bars")["adjustment"] == "all"


async def test_instruments_are_described(market):
    market.routes["/v2/assets/AAPL"] = {"name": "Apple Inc.", "exchange": "NASDAQ", "status": "active"}
    pair = {"name": "Bitcoin", "exchange": "CRYPTO", "status": "active", "price_increment": "0.01"}
    market.routes["/v2/assets/BTC/USD"] = pair
    apple, bitcoin = await make(market).instruments(["AAPL", "BTC/USD"])
    assert (apple.name, apple.exchange, apple.time_zone, apple.currency) == (
        "Apple Inc.", "XNAS", "America/New_York", "USD",
    )  # fmt: skip
    assert (bitcoin.exchange, bitcoin.time_zone, bitcoin.tick_size) == ("24/7", "UTC", 0.01)


async def test_delisted_and_unknown_symbols_are_named(market):
    market.routes["/v2/assets/OLD"] = {"name": "Old", "exchange": "NYSE", "status": "inactive"}
    market.routes["/v2/assets/NONE"] = (404, '{"code":40410000,"message":"asset not found for NONE"}')
    source = make(market)
    with pytest.raises(UnknownSymbolError, match=r"^OLD: inactive: delisted or renamed$"):
        await source.instruments(["OLD"])
    with pytest.raises(UnknownSymbolError, match=r"^NONE: alpaca has no such symbol"):
        await source.instruments(["NONE"])
    market.routes["/v2/stocks/bars"] = (400, '{"message":"invalid symbol: A$"}')
    with pytest.raises(UnknownSymbolError, match="invalid symbol"):
        await history(source, "A$", "1m", "2024-07-03T13:00", "2024-07-03T20:00")


@pytest.mark.parametrize(
    ("fault", "error", "text"),
    [
        (
            (401, '{"message":"unauthorized PKTEST s3cret"}'),
            CredentialsError,
            r"HTTP 401: unauthorized \*\*\* \*\*\*",
        ),
        ((403, '{"message":"forbidden."}'), CredentialsError, "HTTP 403"),
        (
            (403, '{"message":"subscription does not permit querying recent SIP data"}'),
            SourceError,
            "use --feed iex",
        ),
        ((422, '{"message":"invalid timeframe"}'), SourceError, "invalid timeframe"),
        ((429, '{"message":"too many requests."}'), RateLimitedError, "HTTP 429"),
        ((503, "<html>Maintenance</html>"), SourceUnavailableError, "HTTP 503: no JSON"),
        ((200, "<html>Sign in</html>"), SourceUnavailableError, "no answer to /stocks/bars"),
        ((200, '{"bars": {"AAPL": [{"t": "2024-07-03"}]}}'), SourceUnavailableError, "cannot be read"),
        ((200, "[1]"), SourceUnavailableError, "not a JSON object"),
    ],
)
async def test_faults_are_translated(market, fault, error, text):
    source = make(market)
    await source.now()
    market.faults.append(fault)
    with pytest.raises(SourceError, match=text) as caught:
        await history(source, "AAPL", "1m", "2024-07-03T13:00", "2024-07-03T20:00")
    assert type(caught.value) is error
    assert caught.value.__cause__ is None
    if error is RateLimitedError:
        assert caught.value.retry_after == MINUTE
    for credential in (KEY, SECRET):
        assert credential not in str(caught.value)


async def test_an_unreachable_market_is_unavailable(unused_tcp_port):
    urls = AlpacaUrls(*[f"http://127.0.0.1:{unused_tcp_port}"] * 4)
    source = AlpacaSource(Credentials("alpaca", {"key": KEY, "secret": SECRET}), urls=urls)
    with pytest.raises(SourceUnavailableError, match="no answer to /clock: ConnectionError"):
        await source.now()


def test_options_make_a_source(monkeypatch):
    parser = argparse.ArgumentParser()
    AlpacaSource.add_arguments(parser)
    monkeypatch.setenv("APCA_API_KEY_ID", KEY)
    monkeypatch.setenv("APCA_API_SECRET_KEY", SECRET)
    options = parser.parse_args(["--feed", "sip", "--extended-hours"])
    assert isinstance(AlpacaSource.from_options(options), AlpacaSource)
    assert json.dumps(vars(options), default=str).find(SECRET) == -1
    with pytest.raises(SourceError, match="--settle: must be 0 to 3600 seconds, is -1"):
        AlpacaSource.from_options(parser.parse_args(["--settle", "-1"]))
