"""finance-datareader: daily bars of Naver and Yahoo, against a local server that answers for both."""

import argparse
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

import pytest
from glasstape.sources import RateLimitedError, SourceError, SourceUnavailableError, UnknownSymbolError
from source_markets import FakeClock, collect, moment
from tls_proxy import answer_for

pytest.importorskip("FinanceDataReader")
pytest.importorskip("exchange_calendars")

from glasstape.sources.finance_datareader import FinanceDataReaderSource, exchange_of

HOSTS = ("fchart.stock.naver.com", "query2.finance.yahoo.com")
NAVER = "/sise.nhn"
NOW = "2025-11-14T00:00"


@pytest.fixture
async def provider(market, tmp_path, monkeypatch):
    async with answer_for(market, HOSTS, tmp_path, monkeypatch) as serving:
        yield serving


def naver(*rows, known=("005930",)):
    """Answer with rows `20251112|open|high|low|close|volume` for known symbols."""

    def answer(query):
        items = "".join(f'<item data="{row}" />\n' for row in rows if query["symbol"] in known)
        return (
            200,
            f'<?xml version="1.0" encoding="EUC-KR" ?><protocol><chartdata>{items}</chartdata></protocol>',
        )

    return answer


def yahoo(days, zone="America/New_York", opens=time(9, 30)):
    """Answer as Yahoo: days are stamped by the session's open, in seconds."""
    stamps = [int(datetime.combine(day, opens, ZoneInfo(zone)).timestamp()) for day in days]
    values = [100.0 + number for number in range(len(days))]
    quote = dict.fromkeys(("open", "high", "low", "close"), values) | {"volume": [1000] * len(days)}
    indicators = {"quote": [quote], "adjclose": [{"adjclose": [value / 2 for value in values]}]}
    return {"chart": {"result": [{"meta": {}, "timestamp": stamps, "indicators": indicators}], "error": None}}


def make(now=NOW, **options):
    return FinanceDataReaderSource(clock=FakeClock(now), **options)


async def history(source, symbol, interval, start, end=NOW):
    return await collect(source.history(symbol, interval, moment(start), moment(end)))


async def test_dates_of_naver_close_with_the_korean_session(provider):
    rows = ("20251112|71000|71900|70500|71500|1000", "20251113|71500|72000|71000|71800|900")
    provider.routes[NAVER] = naver("20251111|1|1|1|1|1", *rows)
    bars = await history(make(), "005930", "1d", "2025-11-11T06:30")
    assert [bar.close_time for bar in bars] == [moment("2025-11-12T06:30"), moment("2025-11-13T07:30")]
    first = bars[0]
    assert (first.symbol, first.open, first.high, first.low, first.close, first.volume) == (
        "005930", 71000, 71900, 70500, 71500, 1000,
    )  # fmt: skip


@pytest.mark.parametrize(
    ("symbol", "path", "zone", "opens", "close"),
    [
        ("AAPL", "AAPL", "America/New_York", time(9, 30), "2024-07-03T17:00"),
        ("BRK-B", "BRK-B", "America/New_York", time(9, 30), "2024-07-03T17:00"),
        ("US500", "^GSPC", "America/New_York", time(9, 30), "2024-07-03T17:00"),
        ("TSE:7203", "7203.T", "Asia/Tokyo", time(9), "2024-07-03T06:00"),
        ("HKEX:0700", "0700.HK", "Asia/Hong_Kong", time(9, 30), "2024-07-03T08:00"),
        ("FTSE", "^FTSE", "Europe/London", time(8), "2024-07-03T15:30"),
    ],
)
async def test_dates_of_yahoo_close_with_the_session_of_the_symbol(
    provider, symbol, path, zone, opens, close
):
    provider.routes[f"/v8/finance/chart/{path}"] = yahoo([date(2024, 7, 3)], zone, opens)
    (bar,) = await history(make(), symbol, "1d", "2024-07-01T00:00")
    assert (bar.symbol, bar.close_time, bar.open) == (symbol, moment(close), 100)


async def test_prices_adjusted_for_dividends_are_an_option(provider):
    provider.routes["/v8/finance/chart/AAPL"] = yahoo([date(2024, 7, 3)])
    (bar,) = await history(make(adjusted=True), "AAPL", "1d", "2024-07-01T00:00")
    assert (bar.open, bar.high, bar.low, bar.close, bar.volume) == (50, 50, 50, 50, 1000)


async def test_a_day_is_final_hours_after_its_close(provider):
    provider.routes[NAVER] = naver("20251111|1|1|1|1|1", "20251112|2|2|2|2|2")
    for now, count in [("2025-11-12T05:00", 1), ("2025-11-12T10:29", 1), ("2025-11-12T10:30", 2)]:
        assert len(await history(make(now), "005930", "1d", "2025-11-10T06:30", now)) == count, now


async def test_weeks_are_merged_from_days(provider):
    provider.routes[NAVER] = naver("20251103|5|6|5|6|10", "20251107|6|9|4|7|20", "20251110|7|7|7|7|7")
    (week,) = await history(make(), "005930", "1w", "2025-11-05T00:00", "2025-11-10T00:00")
    assert (week.close_time, week.open, week.high, week.low, week.close, week.volume) == (
        moment("2025-11-07T06:30"), 5, 9, 4, 7, 30,
    )  # fmt: skip


async def test_the_newer_of_two_rows_of_a_day_counts(provider):
    provider.routes["/v8/finance/chart/AAPL"] = yahoo([date(2024, 7, 3), date(2024, 7, 3)])
    (bar,) = await history(make(), "AAPL", "1d", "2024-07-01T00:00")
    assert (bar.open, bar.close, bar.volume) == (101, 101, 1000)


async def test_rows_of_holidays_are_left_out(provider, caplog):
    provider.routes["/v8/finance/chart/AAPL"] = yahoo([date(2024, 7, 3), date(2024, 7, 4)])
    assert len(await history(make(), "AAPL", "1d", "2024-07-01T00:00")) == 1
    assert "AAPL has a row of 2024-07-04, when its exchange was closed" in caplog.text


async def test_a_symbol_without_prices_is_unknown_while_the_provider_answers(provider):
    provider.routes[NAVER] = naver("20251112|1|1|1|1|1")
    with pytest.raises(UnknownSymbolError, match=r"^999990: the provider has no prices of it"):
        await history(make(), "999990", "1d", "2025-11-11T06:30")
    provider.routes[NAVER] = (503, "<html>maintenance</html>")
    with pytest.raises(SourceUnavailableError, match="answers without prices"):
        await history(make(), "999990", "1d", "2025-11-11T06:30")


@pytest.mark.parametrize(
    ("answer", "error", "text"),
    [
        ((404, "{}"), UnknownSymbolError, r"^AAPL: the provider has no such symbol"),
        ((429, "Too Many Requests"), RateLimitedError, "too many requests"),
        ((503, "<html>"), SourceUnavailableError, "AAPL: HTTP 503"),
        ((200, "<html>"), SourceUnavailableError, "no answer for AAPL: JSONDecodeError"),
        ((200, '{"chart":{"result":[{}]}}'), SourceUnavailableError, "no answer for AAPL: KeyError"),
    ],
)
async def test_faults_are_translated(provider, answer, error, text):
    provider.routes["/v8/finance/chart/AAPL"] = answer
    with pytest.raises(SourceError, match=text) as caught:
        await history(make(), "AAPL", "1d", "2024-07-01T00:00")
    assert type(caught.value) is error
    if error is RateLimitedError:
        assert caught.value.retry_after == timedelta(minutes=1)


@pytest.mark.parametrize(
    "symbol", ["KS11", "KOSPI", "USD/KRW", "BTC/USD", "FRED:DEXKOUS", "ASX:BHP", "aapl", "5930"]
)
def test_symbols_whose_dates_would_be_wrong_are_refused(symbol):
    with pytest.raises(UnknownSymbolError, match=symbol):
        exchange_of(symbol)


def test_korean_codes_with_letters_are_read():
    assert exchange_of("0126Z0") == "XKRX"


async def test_an_exchange_whose_dates_would_be_early_is_refused(provider):
    with pytest.raises(SourceError, match="--exchange: dates of XASX may be a day early here"):
        make(exchange="XASX")
    provider.routes["/v8/finance/chart/LONGER"] = yahoo([date(2024, 7, 3)])
    (bar,) = await history(make(exchange="XNYS"), "LONGER", "1d", "2024-07-01T00:00")
    assert bar.close_time == datetime(2024, 7, 3, 17, tzinfo=UTC)


async def test_instruments_are_described_by_their_exchange():
    samsung, toyota = await make().instruments(["005930", "TSE:7203"])
    assert (samsung.exchange, samsung.currency, samsung.price_decimals) == ("XKRX", "KRW", 0)
    assert (toyota.exchange, toyota.time_zone, toyota.price_limit) == ("XTKS", "Asia/Tokyo", None)


async def test_closes_are_polled(provider):
    provider.routes[NAVER] = naver("20251111|1|1|1|1|1", "20251112|2|2|2|2|2")
    source = make("2025-11-12T00:00")
    bars = source.live(["005930"], "1d")
    bar = await anext(bars)
    await bars.aclose()
    assert (bar.close_time, bar.close) == (moment("2025-11-12T06:30"), 2)
    assert source._clock.now() >= moment("2025-11-12T10:30")


def test_options_make_a_source():
    parser = argparse.ArgumentParser()
    FinanceDataReaderSource.add_arguments(parser)
    assert isinstance(FinanceDataReaderSource.from_options(parser.parse_args([])), FinanceDataReaderSource)
