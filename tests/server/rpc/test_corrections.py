"""Stored bars are listed, removed, renamed and replaced over both wires; corrections are remembered."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import grpc
import numpy as np
import pytest
from glasstape import Bar, ConflictError, CorrectionKind, Instrument, InvalidRequestError, NotFoundError
from glasstape.errors import from_rpc
from glasstape.v1 import market_pb2 as pb
from glasstape.v1 import market_pb2_grpc
from made_up import OLDER, daily


def divided(bars, by):
    return [
        replace(
            bar, open=bar.open / by, high=bar.high / by, low=bar.low / by, close=bar.close / by, volume=bar.volume * by
        )
        for bar in bars
    ]  # fmt: skip


@pytest.fixture
def client(market):
    return market.client


def test_a_split_series_is_replaced_and_forecast_as_if_it_had_always_been_so(market, client):
    bars = daily("SPLIT", 120, seed=7, first=OLDER)
    client.publish_bars(bars, mode="backfill")
    new = divided(bars, 5)
    conflicts = client.publish_bars(new).rejections
    assert {rejection.error.reason for rejection in conflicts} == {"BAR_CONFLICT"}
    assert "BAR_MODE_REPLACE" in str(conflicts[0].error)
    signals = list(client.history())
    for first in range(0, 120, 50):
        part = new[first : first + 50]
        assert client.publish_bars(part, mode="replace").replaced == len(part)
    assert client.bars("SPLIT", "1d") == new
    client.publish_bars([replace(bar, symbol="FRESH") for bar in new], mode="backfill")
    corrected, fresh = client.explain(symbols=["SPLIT", "FRESH"])
    np.testing.assert_array_equal(corrected.window, fresh.window)
    assert corrected.confidence == fresh.confidence
    assert list(client.history()) == signals, "past signals stay as they are"
    kept = client.corrections("SPLIT")
    assert [entry.bar for entry in kept] == bars
    assert {(entry.kind, entry.principal) for entry in kept} == {(CorrectionKind.REPLACED, "anonymous")}


def test_bars_are_removed_between_two_times(client):
    bars = daily("GONE", 5)
    client.publish_bars(bars, mode="backfill")
    start, end = bars[1].close_time, bars[3].close_time
    assert client.remove_bars("GONE", "1d", start=start, end=end) == 3
    assert client.remove_bars("GONE", "1d", start=start, end=end) == 0
    assert client.bars("GONE", "1d") == [bars[0], bars[4]]
    entries = client.corrections("GONE")
    assert [(entry.kind, entry.bar) for entry in entries] == [
        (CorrectionKind.REMOVED, bar) for bar in bars[1:4]
    ]
    assert abs(entries[0].time - datetime.now(UTC)) < timedelta(minutes=10)


def test_a_bar_of_the_future_can_be_removed_by_its_time(client):
    now = datetime.now(UTC)
    (rejection,) = client.publish_bars(
        [replace(daily("AHEAD", 1)[0], close_time=now + timedelta(hours=20))]
    ).rejections
    assert rejection.error.reason == "BAR_NOT_CLOSED"
    assert "closes in 19 h 59 min, tolerance 5 s" in str(rejection.error)
    assert client.publish_bars([replace(daily("AHEAD", 1)[0], close_time=now)]).stored == 1
    assert client.remove_bars("AHEAD", "1d", start=now, end=now) == 1


def test_a_symbol_is_renamed(client):
    bars = daily("OLD", 4)
    client.publish_bars(bars, instruments=[Instrument(symbol="OLD", name="Co")], mode="backfill")
    assert client.rename_symbol("OLD", "NEWER") == 4
    assert client.bars("OLD", "1d") == []
    assert client.bars("NEWER", "1d") == [replace(bar, symbol="NEWER") for bar in bars]
    names = {item.symbol: item.name for item in client.instruments()}
    assert names["NEWER"] == "Co"
    assert "OLD" not in names
    (entry,) = client.corrections("OLD")
    assert (entry.kind, entry.new_symbol, entry.bar) == (CorrectionKind.RENAMED, "NEWER", None)
    assert client.corrections("NEWER") == [entry]
    client.publish_bars(bars[:1], mode="backfill")
    with pytest.raises(ConflictError, match="overlap"):
        client.rename_symbol("OLD", "NEWER")
    with pytest.raises(NotFoundError):
        client.rename_symbol("NEVER", "NEWER")


def test_series_are_listed_with_count_and_age(client):
    bars = daily("SER", 6)
    client.publish_bars([*bars, replace(bars[2], interval="1h")], mode="backfill")
    daily_series, hourly = client.stored_series("SER")
    assert (daily_series.symbol, daily_series.interval, daily_series.bar_count) == ("SER", "1d", 6)
    assert (daily_series.first_close, daily_series.last_close) == (bars[0].close_time, bars[5].close_time)
    assert abs(daily_series.age - (datetime.now(UTC) - bars[5].close_time)) < timedelta(minutes=10)
    assert (hourly.interval, hourly.bar_count) == ("1h", 1)
    assert {(s.symbol, s.interval) for s in client.stored_series()} >= {
        ("SER", "1d"), ("SER", "1h"), ("AAA", "1d")
    }  # fmt: skip


def test_a_symbol_without_bars_for_long_is_retired_until_its_next_bar(client):
    start = datetime(2001, 1, 1, 12, tzinfo=UTC)

    def weekly(symbol, week):
        return Bar(
            symbol=symbol, interval="1w", close_time=start + timedelta(weeks=week), open=1, high=1, low=1, close=1,
            volume=1,
        )  # fmt: skip

    def retired():
        return {s.symbol: s.retired for s in client.stored_series() if s.interval == "1w"}

    for week in range(4):
        client.publish_bars([weekly("WA", week), weekly("WB", week)])
    client.publish_bars([weekly("WA", week) for week in range(4, 8)])
    assert retired() == {"WA": False, "WB": False}
    client.publish_bars([weekly("WA", 8)])
    assert retired() == {"WA": False, "WB": True}
    client.publish_bars([weekly("WB", 9)])
    assert retired() == {"WA": False, "WB": False}


def test_lists_go_on_page_by_page(market, client):
    client.publish_bars(daily("PAGE", 7), mode="backfill")
    moments = [bar.close_time for bar in daily("PAGE", 7)]
    client.remove_bars("PAGE", "1d", start=moments[1], end=moments[5])
    with grpc.insecure_channel(market.address) as channel:
        stub = market_pb2_grpc.MarketServiceStub(channel)
        for call, request, field, whole in (
            (stub.ListCorrections, pb.ListCorrectionsRequest(symbol="PAGE", page_size=2), "corrections", 5),
            (stub.ListSeries, pb.ListSeriesRequest(page_size=2), "series", len(client.stored_series())),
        ):
            found = []
            while True:
                page = call(request)
                found += [item.SerializeToString() for item in getattr(page, field)]
                if not page.next_page_token:
                    break
                assert len(getattr(page, field)) == 2
                request.page_token = page.next_page_token
            assert len(found) == len(set(found)) == whole


@pytest.mark.parametrize(
    ("call", "field"),
    [
        (lambda stub: stub.RemoveBars(pb.RemoveBarsRequest(interval="1d")), "symbol"),
        (lambda stub: stub.RemoveBars(pb.RemoveBarsRequest(symbol="A", interval="2d")), "interval"),
        (lambda stub: stub.RemoveBars(pb.RemoveBarsRequest(symbol="A", interval="1d")), "start_time"),
        (
            lambda stub: stub.RemoveBars(
                pb.RemoveBarsRequest(symbol="A", interval="1d", start_time={"seconds": 5})
            ),
            "end_time",
        ),
        (
            lambda stub: stub.RemoveBars(
                pb.RemoveBarsRequest(
                    symbol="A", interval="1d", start_time={"seconds": 5}, end_time={"seconds": 4}
                )
            ),
            "start_time",
        ),
        (lambda stub: stub.RenameSymbol(pb.RenameSymbolRequest(new_symbol="B")), "symbol"),
        (lambda stub: stub.RenameSymbol(pb.RenameSymbolRequest(symbol="A", new_symbol="b b")), "new_symbol"),
        (lambda stub: stub.RenameSymbol(pb.RenameSymbolRequest(symbol="A", new_symbol="A")), "new_symbol"),
        (lambda stub: stub.ListSeries(pb.ListSeriesRequest(symbol="a b")), "symbol"),
        (lambda stub: stub.ListSeries(pb.ListSeriesRequest(page_token="A 2d")), "page_token"),
        (lambda stub: stub.ListCorrections(pb.ListCorrectionsRequest(symbol="a b")), "symbol"),
        (lambda stub: stub.ListCorrections(pb.ListCorrectionsRequest(page_token="-1")), "page_token"),
        (lambda stub: stub.ListCorrections(pb.ListCorrectionsRequest(page_token="9" * 30)), "page_token"),
    ],
)
def test_malformed_requests_name_the_field(market, call, field):
    with grpc.insecure_channel(market.address) as channel, pytest.raises(grpc.RpcError) as caught:
        call(market_pb2_grpc.MarketServiceStub(channel))
    error = from_rpc(caught.value)
    assert isinstance(error, InvalidRequestError)
    assert error.violations[0].field == field
