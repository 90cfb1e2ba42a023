"""Interactive Brokers: history through ib_async against a local server that speaks the protocol of TWS."""

import argparse
from contextlib import suppress
from datetime import timedelta

import pytest
from glasstape.sources import (
    CredentialsError,
    RateLimitedError,
    SourceError,
    SourceUnavailableError,
    UnknownSymbolError,
)
from source_markets import collect, moment
from tws import contract, day_row, row

pytest.importorskip("ib_async")
pytest.importorskip("exchange_calendars")

from glasstape.sources.ib import IbSource
from glasstape.sources.ib_session import IbAddress

NOW = "2024-07-09T12:00"


async def history(source, symbol, interval, start, end=NOW):
    return await collect(source.history(symbol, interval, moment(start), moment(end)))


async def test_minutes_are_stamped_by_their_close(tws, make_ib):
    opens = ("13:29", "13:30", "16:59", "17:00")  # of a half day
    tws.history = lambda request: [row(f"2024-07-03T{time}", 200.5, 7) for time in opens]
    first, last = await history(make_ib(), "AAPL", "1m", "2024-07-03T00:00", "2024-07-03T20:00")
    assert (first.close_time, last.close_time) == (moment("2024-07-03T13:31"), moment("2024-07-03T17:00"))
    assert (first.symbol, first.open, first.high, first.low, first.close, first.volume) == (
        "AAPL", 200.5, 202.5, 198.5, 201.5, 7,
    )  # fmt: skip
    request = tws.requests[-1]
    assert (request["bar_size"], request["what"], request["regular_hours"]) == ("1 min", "TRADES", "1")
    assert (request["end"], request["duration"], request["updates"]) == ("20240704 04:00:00 UTC", "1 D", "0")


async def test_days_close_with_their_session_and_weeks_with_its_last(tws, make_ib):
    tws.history = lambda request: [
        day_row("20240308"),
        day_row("20240311"),
        day_row("20240703", 50),
        day_row("20240705", 60),
    ]
    bars = await history(make_ib(), "AAPL", "1d", "2024-03-01T00:00")
    assert [f"{bar.close_time:%m-%d %H:%M}" for bar in bars] == [
        "03-08 21:00",
        "03-11 20:00",
        "07-03 17:00",
        "07-05 20:00",
    ]
    (week,) = await history(make_ib(), "AAPL", "1w", "2024-07-04T00:00")
    assert (week.close_time, week.open, week.close) == (moment("2024-07-05T20:00"), 50, 61)


async def test_hours_are_counted_from_the_open(tws, make_ib):
    tws.history = lambda request: [row(f"2024-07-03T{time}") for time in ("13:30", "14:00", "14:30", "16:30")]
    bars = await history(make_ib(), "AAPL", "1h", "2024-07-03T00:00", "2024-07-04T00:00")
    assert [f"{bar.close_time:%H:%M}" for bar in bars] == ["14:30", "15:30", "17:00"]
    assert [bar.volume for bar in bars] == [20, 10, 10]
    assert tws.requests[0]["bar_size"] == "30 mins"


async def test_overlapping_requests_give_each_bar_once(tws, make_ib):
    def answer(request):
        end = moment(f"{request['end'][:8]}T{request['end'][9:17]}")
        opens = [f"2024-07-0{number}T13:30" for number in (1, 2, 3, 5)]
        return [row(opened) for opened in opens if end - timedelta(days=2) < moment(opened) <= end]

    tws.history = answer
    bars = await history(make_ib(), "AAPL", "1m", "2024-07-01T00:00", "2024-07-06T00:00")
    assert [f"{bar.close_time:%d}" for bar in bars] == ["01", "02", "03", "05"]
    assert [bar.volume for bar in bars] == [10] * 4
    assert len(tws.requests) == 6


async def test_a_bar_is_final_once_updates_of_it_are_in(tws, make_ib):
    tws.history = lambda request: [row("2024-07-08T14:00"), row("2024-07-08T14:01")]
    for now, count in [("2024-07-08T14:02:07", 1), ("2024-07-08T14:02:08", 2)]:
        assert len(await history(make_ib(now), "AAPL", "1m", "2024-07-08T13:00", now)) == count
    tws.history = lambda request: [day_row("20240708")]
    for now, count in [("2024-07-09T00:14:59", 0), ("2024-07-09T00:15:00", 1)]:
        assert len(await history(make_ib(now), "AAPL", "1d", "2024-07-05T20:00", now)) == count


async def test_currencies_are_midpoints_around_the_clock(tws, make_ib):
    tws.contracts["EUR"] = [contract("EUR", "CASH", "IDEALPRO", "USD", primary="")]
    tws.history = lambda request: [row("2024-07-03T23:59", volume=-1)]
    (bar,) = await history(make_ib(), "EUR.USD:IDEALPRO", "1m", "2024-07-03T00:00", "2024-07-04T12:00")
    assert (bar.close_time, bar.volume) == (moment("2024-07-04T00:00"), 0)
    request = tws.requests[0]
    assert (request["type"], request["exchange"], request["currency"]) == ("CASH", "IDEALPRO", "USD")
    assert (request["what"], request["regular_hours"]) == ("MIDPOINT", "0")
    with pytest.raises(SourceError, match=r"EUR\.USD:IDEALPRO: has bars of less than a day, not of 1d"):
        await history(make_ib(), "EUR.USD:IDEALPRO", "1d", "2024-07-03T00:00")


async def test_symbols_name_exchange_currency_and_type(tws, make_ib):
    tws.history = lambda request: [day_row("20240705")]
    tws.contracts["7203"] = [contract("7203", "STK", "TSEJ", "JPY", primary="TSEJ")]
    (bar,) = await history(make_ib(), "7203:TSEJ:JPY", "1d", "2024-07-04T12:00")
    assert (bar.symbol, bar.close_time) == ("7203:TSEJ:JPY", moment("2024-07-05T06:00"))
    tws.contracts["BRK B"] = [contract("BRK B", primary="NYSE")]
    (bar,) = await history(make_ib(), "BRK.B", "1d", "2024-07-04T12:00")
    assert bar.symbol == "BRK.B"
    for symbol in (":SMART", "A:B:C:D:E", "EUR:IDEALPRO"):
        with pytest.raises(UnknownSymbolError, match=f"{symbol}: expected"):
            await history(make_ib(), symbol, "1d", "2024-07-04T12:00")


async def test_an_unknown_exchange_must_be_stated(tws, make_ib):
    tws.contracts["X"] = [contract("X", primary="MOON")]
    tws.history = lambda request: [day_row("20240705")]
    with pytest.raises(SourceError, match="X: the sessions of its exchange are unknown; state --exchange"):
        await history(make_ib(), "X", "1d", "2024-07-04T12:00")
    (bar,) = await history(make_ib(exchange="XPAR"), "X", "1d", "2024-07-04T12:00")
    assert bar.close_time == moment("2024-07-05T15:30")
    with pytest.raises(SourceError, match="--exchange: 'PARIS' is unknown"):
        make_ib(exchange="PARIS")


async def test_instruments_are_described(tws, make_ib):
    (apple,) = await make_ib().instruments(["AAPL"])
    assert (apple.symbol, apple.name, apple.exchange, apple.currency) == ("AAPL", "Apple Inc", "XNAS", "USD")
    assert (apple.tick_size, apple.sector, apple.industry) == (0.01, "Technology", "Computers")


async def test_unknown_and_ambiguous_symbols_are_named(tws, make_ib):
    with pytest.raises(UnknownSymbolError, match=r"^NONE: TWS has no such contract: No security definition"):
        await make_ib().instruments(["NONE"])
    tws.contracts["TWO"] = [contract("TWO"), contract("TWO", currency="CAD")]
    with pytest.raises(UnknownSymbolError, match=r"^TWO: 2 contracts match; state"):
        await make_ib().instruments(["TWO"])


HISTORICAL = "Historical Market Data Service error message:"


@pytest.mark.parametrize(
    ("code", "message", "error"),
    [
        (162, f"{HISTORICAL}Historical data request pacing violation", RateLimitedError),
        (162, f"{HISTORICAL}No market data permissions for NYSE STK", CredentialsError),
        (162, f"{HISTORICAL}API historical data query canceled", SourceUnavailableError),
        (354, "Requested market data is not subscribed", CredentialsError),
        (504, "Not connected", SourceUnavailableError),
    ],
)
async def test_errors_of_tws_are_translated(tws, make_ib, code, message, error):
    tws.history = lambda request: (code, message)
    with pytest.raises(SourceError, match=f"AAPL: error {code}") as caught:
        await history(make_ib(), "AAPL", "1d", "2024-07-04T12:00")
    assert type(caught.value) is error


async def test_a_time_without_bars_is_no_error(tws, make_ib):
    tws.history = lambda request: (162, f"{HISTORICAL}HMDS query returned no data: AAPL@SMART Trades")
    assert await history(make_ib(), "AAPL", "1d", "2024-07-04T12:00") == []


async def test_a_lost_connection_is_made_again(tws, make_ib):
    tws.history = lambda request: [day_row("20240705")]
    source = make_ib()
    assert len(await history(source, "AAPL", "1d", "2024-07-04T12:00")) == 1
    await tws.disconnect()
    with suppress(SourceUnavailableError):  # if the loss is not noticed before the request
        await history(source, "AAPL", "1d", "2024-07-04T12:00")
    assert len(await history(source, "AAPL", "1d", "2024-07-04T12:00")) == 1


async def test_what_cannot_be_reached_or_refuses_is_unavailable(tws, make_ib, unused_tcp_port):
    tws.refuse = True
    with pytest.raises(SourceUnavailableError, match=r"as client 7: .* check that its API is enabled"):
        await make_ib().now()
    nowhere = IbSource(IbAddress("127.0.0.1", unused_tcp_port))
    with pytest.raises(SourceUnavailableError, match="ConnectionRefusedError"):
        await nowhere.now()


def test_options_make_a_source():
    parser = argparse.ArgumentParser()
    IbSource.add_arguments(parser)
    assert isinstance(IbSource.from_options(parser.parse_args(["--port", "7497"])), IbSource)
