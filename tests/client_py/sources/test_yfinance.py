"""Yahoo Finance: daily bars by the package yfinance, against a local server that answers for Yahoo."""

import argparse
from datetime import date, datetime, time, timedelta
from zoneinfo import ZoneInfo

import pytest
from glasstape.sources import RateLimitedError, SourceError, SourceUnavailableError, UnknownSymbolError
from source_markets import FakeClock, collect, moment
from tls_proxy import answer_for

pytest.importorskip("yfinance")
pytest.importorskip("exchange_calendars")

import yfinance
from glasstape.sources.yfinance import YfinanceSource

HOSTS = (
    "query1.finance.yahoo.com",
    "query2.finance.yahoo.com",
    "fc.yahoo.com",
    "guce.yahoo.com",
    "consent.yahoo.com",
)
NEW_YORK = ("NMS", "America/New_York", time(9, 30))
NOW = "2024-07-09T12:00"


@pytest.fixture
async def yahoo(market, tmp_path, monkeypatch):
    yfinance.set_tz_cache_location(str(tmp_path / "cache"))
    monkeypatch.setattr("yfinance.data.SingletonMeta._instances", {})
    market.routes["/"] = {}
    market.routes["/v1/test/getcrumb"] = (200, "crumb")
    async with answer_for(market, HOSTS, tmp_path, monkeypatch) as serving:
        yield serving


def chart(days, place=NEW_YORK, price=100.0, **meta):
    """Return Yahoo's answer: days are stamped by the session's open, in seconds."""
    exchange, zone, opens = place
    stamps = [int(datetime.combine(day, opens, ZoneInfo(zone)).timestamp()) for day in days]
    values = [price + number for number in range(len(days))]
    quote = dict.fromkeys(("open", "high", "low", "close"), values) | {"volume": [1000] * len(days)}
    details = {
        "exchangeName": exchange,
        "exchangeTimezoneName": zone,
        "instrumentType": "EQUITY",
        "currency": "USD",
        "priceHint": 2,
        "longName": "Apple Inc.",
        "validRanges": ["1d", "max"],
    }
    indicators = {"quote": [quote], "adjclose": [{"adjclose": [value / 2 for value in values]}]}
    result = {"meta": details | meta, "timestamp": stamps, "indicators": indicators}
    return {"chart": {"result": [result], "error": None}}


def make(now=NOW, **options):
    return YfinanceSource(clock=FakeClock(now), **options)


async def history(source, symbol, interval, start, end=NOW):
    return await collect(source.history(symbol, interval, moment(start), moment(end)))


async def test_dates_close_with_their_session(yahoo):
    days = [date(2024, 3, 8), date(2024, 3, 11), date(2024, 7, 3)]
    yahoo.routes["/v8/finance/chart/AAPL"] = chart(days)
    bars = await history(make(), "AAPL", "1d", "2024-03-01T00:00")
    assert [bar.close_time for bar in bars] == [
        moment("2024-03-08T21:00"),
        moment("2024-03-11T20:00"),
        moment("2024-07-03T17:00"),
    ]
    first = bars[0]
    assert (first.symbol, first.interval, first.open, first.close, first.volume) == (
        "AAPL",
        "1d",
        100,
        100,
        1000,
    )
    query = next(query for path, query, *_ in yahoo.requests if "period1" in query)
    assert query["interval"] == "1d"


@pytest.mark.parametrize(
    ("symbol", "place", "day", "close"),
    [
        ("005930.KS", ("KSC", "Asia/Seoul", time(9)), date(2024, 7, 5), "2024-07-05T06:30"),
        ("7203.T", ("JPX", "Asia/Tokyo", time(9)), date(2024, 7, 5), "2024-07-05T06:00"),
        ("BHP.AX", ("ASX", "Australia/Sydney", time(10)), date(2024, 1, 5), "2024-01-05T05:00"),
        ("^GSPC", ("SNP", "America/New_York", time(9, 30)), date(2024, 7, 3), "2024-07-03T17:00"),
        ("EURUSD=X", ("CCY", "Europe/London", time(0)), date(2024, 7, 5), "2024-07-05T23:00"),
        ("EURUSD=X", ("CCY", "Europe/London", time(0)), date(2024, 1, 5), "2024-01-06T00:00"),
        ("BTC-USD", ("CCC", "UTC", time(0)), date(2024, 7, 6), "2024-07-07T00:00"),
        ("ES=F", ("CME", "America/New_York", time(0)), date(2024, 7, 5), "2024-07-05T22:00"),
    ],
)
async def test_dates_are_of_the_symbols_own_exchange(yahoo, symbol, place, day, close):
    yahoo.routes[f"/v8/finance/chart/{symbol}"] = chart([day], place)
    (bar,) = await history(make(), symbol, "1d", "2024-01-02T00:00")
    assert bar.symbol == symbol
    assert bar.close_time == moment(close)


async def test_a_day_is_final_hours_after_its_close(yahoo):
    yahoo.routes["/v8/finance/chart/AAPL"] = chart([date(2024, 7, 5), date(2024, 7, 8)])
    for now, count in [("2024-07-08T15:00", 1), ("2024-07-08T23:59", 1), ("2024-07-09T00:00", 2)]:
        assert len(await history(make(now), "AAPL", "1d", "2024-07-03T20:00", now)) == count, now


async def test_weeks_are_merged_from_days(yahoo):
    days = [date(2024, 7, day) for day in (1, 2, 3, 5, 8)]
    yahoo.routes["/v8/finance/chart/AAPL"] = chart(days)
    (week,) = await history(make(), "AAPL", "1w", "2024-07-04T00:00")
    assert (week.close_time, week.open, week.close, week.volume) == (
        moment("2024-07-05T20:00"),
        100,
        103,
        4000,
    )


async def test_rows_without_prices_and_of_holidays_are_left_out(yahoo, caplog):
    answer = chart([date(2024, 7, 2), date(2024, 7, 3), date(2024, 7, 4)])
    answer["chart"]["result"][0]["indicators"]["quote"][0]["low"][0] = None
    yahoo.routes["/v8/finance/chart/AAPL"] = answer
    bars = await history(make(), "AAPL", "1d", "2024-07-01T00:00")
    assert [f"{bar.close_time:%m-%d}" for bar in bars] == ["07-03"]
    assert "AAPL has a row of 2024-07-04, when its exchange was closed" in caplog.text


async def test_prices_adjusted_for_dividends_are_an_option(yahoo):
    yahoo.routes["/v8/finance/chart/AAPL"] = chart([date(2024, 7, 3)])
    (bar,) = await history(make(adjusted=True), "AAPL", "1d", "2024-07-01T00:00")
    assert (bar.open, bar.close) == (50, 50)


async def test_an_unknown_exchange_is_asked_for(yahoo):
    yahoo.routes["/v8/finance/chart/X"] = chart([date(2024, 7, 3)], ("ZZZ", "Europe/Paris", time(9)))
    with pytest.raises(
        SourceError, match=r"X: the sessions of Yahoo's exchange 'ZZZ' are unknown; state --exchange"
    ):
        await history(make(), "X", "1d", "2024-07-01T00:00")
    (bar,) = await history(make(exchange="XPAR"), "X", "1d", "2024-07-01T00:00")
    assert bar.close_time == moment("2024-07-03T15:30")
    with pytest.raises(SourceError, match="--exchange: 'PARIS' is unknown; expected an ISO 10383 code"):
        make(exchange="PARIS")


async def test_intervals_of_less_than_a_day_are_refused(yahoo):
    with pytest.raises(SourceError, match="yfinance: has bars of 1d and 1w, not of 5m"):
        await history(make(), "AAPL", "5m", "2024-07-01T00:00")
    with pytest.raises(SourceError, match="not of 5m"):
        await anext(make().live(["AAPL"], "5m"))


async def test_instruments_are_described(yahoo):
    yahoo.routes["/v8/finance/chart/AAPL"] = chart([date(2024, 7, 8)])
    (apple,) = await make().instruments(["AAPL"])
    assert (apple.symbol, apple.name, apple.exchange) == ("AAPL", "Apple Inc.", "XNAS")
    assert (apple.time_zone, apple.currency, apple.price_decimals) == ("America/New_York", "USD", 2)


NOT_FOUND = '{"chart":{"result":null,"error":{"description":"No data found, symbol may be delisted"}}}'
UNREADABLE = '{"chart":{"result":[{"meta":{}}],"error":null}}'


@pytest.mark.parametrize(
    ("answer", "error", "text"),
    [
        ((404, NOT_FOUND), UnknownSymbolError, r"^AAPL: Yahoo has no such symbol"),
        ((429, "Too Many Requests"), RateLimitedError, "too many requests"),
        ((503, "<html>Will be right back"), SourceUnavailableError, "no answer for AAPL"),
        ((401, '{"finance":{"error":{"code":"Unauthorized"}}}'), SourceUnavailableError, "AAPL"),
        ((200, UNREADABLE), SourceUnavailableError, "AAPL"),
        ((200, "<html>"), SourceUnavailableError, "no answer for AAPL"),
    ],
)
@pytest.mark.parametrize("zone_known", [False, True])
async def test_faults_are_translated(yahoo, answer, error, text, zone_known):
    path = "/v8/finance/chart/AAPL"
    source = make()
    if zone_known:
        yahoo.routes[path] = chart([date(2024, 7, 8)])
        await history(source, "AAPL", "1d", "2024-07-01T00:00")
    yahoo.routes[path] = answer
    yahoo.routes["/v10/finance/quoteSummary/AAPL"] = yahoo.routes["/v7/finance/quote"] = answer
    with pytest.raises(SourceError, match=text) as caught:
        await history(source, "AAPL", "1d", "2024-06-03T00:00")
    assert type(caught.value) is error
    if error is RateLimitedError:
        assert caught.value.retry_after == timedelta(minutes=1)


async def test_closes_of_several_exchanges_are_polled(yahoo):
    apple, samsung = "/v8/finance/chart/AAPL", "/v8/finance/chart/005930.KS"
    seoul = ("KSC", "Asia/Seoul", time(9))
    yahoo.routes[apple] = chart([date(2024, 7, 5), date(2024, 7, 8)])
    yahoo.routes[samsung] = chart([date(2024, 7, 5), date(2024, 7, 8), date(2024, 7, 9)], seoul)
    source = make("2024-07-08T12:00")
    bars = source.live(["AAPL", "005930.KS"], "1d")
    found = {(bar.symbol, bar.close_time) for bar in [await anext(bars), await anext(bars)]}
    await bars.aclose()
    assert found == {
        ("AAPL", moment("2024-07-08T20:00")),
        ("005930.KS", moment("2024-07-09T06:30")),
    }


def test_options_make_a_source():
    parser = argparse.ArgumentParser()
    YfinanceSource.add_arguments(parser)
    options = parser.parse_args(["--exchange", "XPAR", "--adjusted"])
    assert isinstance(YfinanceSource.from_options(options), YfinanceSource)
