from dataclasses import replace
from datetime import UTC, datetime, timedelta

import grpc
import pytest
from glasstape import Instrument, InvalidRequestError
from glasstape.errors import from_rpc
from glasstape.v1 import market_pb2 as pb
from glasstape.v1 import market_pb2_grpc
from made_up import daily


def test_each_batch_is_answered_in_its_turn(market):
    with grpc.insecure_channel(market.address) as channel:
        batches = [pb.StreamBarsRequest(batch_id=n) for n in (7, 3, 5)]
        answers = list(market_pb2_grpc.MarketServiceStub(channel).StreamBars(iter(batches)))
    assert [answer.batch_id for answer in answers] == [7, 3, 5]


def test_one_batch_is_published_without_a_stream(market):
    bar = pb.Bar(symbol="ONE", interval="1d", open=1, high=1, low=1, close=1, volume=0)
    bar.close_time.FromSeconds(86_400)
    with grpc.insecure_channel(market.address) as channel:
        publish = market_pb2_grpc.MarketServiceStub(channel).PublishBars
        first, again = publish(pb.PublishBarsRequest(bars=[bar])), publish(pb.PublishBarsRequest(bars=[bar]))
    assert (first.stored, again.duplicates) == (1, 1)


@pytest.mark.parametrize("field", ["open", "high", "low", "volume"])
def test_an_absent_number_is_not_zero(market, field):
    bar = pb.Bar(symbol="ABS", interval="1d", open=1, high=1, low=1, close=1, volume=0)
    bar.close_time.FromSeconds(86_400)
    bar.ClearField(field)
    with grpc.insecure_channel(market.address) as channel:
        answer = market_pb2_grpc.MarketServiceStub(channel).PublishBars(pb.PublishBarsRequest(bars=[bar]))
    assert answer.rejected == 1
    assert answer.rejections[0].problem.violations[0].field == field
    assert "unset" in answer.rejections[0].problem.violations[0].description


def test_a_batch_of_provisional_bars_is_not_durable(market):
    bar = pb.Bar(symbol="FORMING", interval="1d", open=1, high=1, low=1, close=1, volume=0)
    bar.close_time.FromSeconds(86_400)
    with grpc.insecure_channel(market.address) as channel:
        stub = market_pb2_grpc.MarketServiceStub(channel)
        answer = stub.PublishBars(pb.PublishBarsRequest(bars=[bar], mode=pb.BAR_MODE_PROVISIONAL))
        listed = stub.ListBars(pb.ListBarsRequest(symbol="FORMING", interval="1d")).bars
    assert (answer.stored, answer.provisional) == (0, 1)
    assert [bar.provisional for bar in listed] == [True]


def test_rejections_say_which_bar_and_why(market):
    bars = daily("REJ", 4)
    given = [bars[0], replace(bars[1], high=1.0), bars[2], bars[1], replace(bars[0], close=bars[0].low)]
    report = market.client.publish_bars(given)
    assert (report.stored, report.duplicates) == (2, 0)
    codes = {r.index: (r.error.code, r.error.reason) for r in report.rejections}
    assert codes == {
        1: ("INVALID_ARGUMENT", "BAR_INVALID"),
        3: ("INVALID_ARGUMENT", "BAR_OUT_OF_ORDER"),
        4: ("ALREADY_EXISTS", "BAR_CONFLICT"),
    }
    assert report.rejections[0].error.violations[0].field == "high"
    again = market.client.publish_bars([bars[0], bars[2]])
    assert (again.stored, again.duplicates, again.rejections) == (0, 2, ())


def test_bars_and_instruments_come_back(market):
    bars = daily("LST", 30)
    described = Instrument(
        symbol="LST", name="Listed", local_name="상장", exchange="XKRX", time_zone="Asia/Seoul", tick_size=0.5
    )
    market.client.publish_bars(bars, instruments=[described], mode="backfill")
    assert market.client.bars("LST", "1d") == bars
    assert market.client.bars("LST", "1d", start=bars[5].close_time, end=bars[9].close_time) == bars[5:10]
    assert described in market.client.instruments()
    assert market.client.bars("NONE", "1d") == []


def test_lists_go_on_page_by_page(market):
    with grpc.insecure_channel(market.address) as channel:
        stub = market_pb2_grpc.MarketServiceStub(channel)
        request = pb.ListBarsRequest(symbol="AAA", interval="1d", page_size=30)
        found = []
        while True:
            page = stub.ListBars(request)
            found += [bar.close_time.seconds for bar in page.bars]
            if not page.next_page_token:
                break
            assert len(page.bars) == 30
            request.page_token = page.next_page_token
    assert len(found) == market.published
    assert found == sorted(set(found))


@pytest.mark.parametrize(
    ("symbol", "interval", "field"), [("", "1d", "symbol"), ("A", "", "interval"), ("A", "2d", "interval")]
)
def test_malformed_lists_name_the_field(market, symbol, interval, field):
    with pytest.raises(InvalidRequestError) as caught:
        market.client.bars(symbol, interval)
    assert caught.value.violations[0].field == field


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"start_time": {"nanos": -1}}, "start_time.nanos"),
        ({"end_time": {"nanos": 1_000_000_000}}, "end_time.nanos"),
    ],
)
def test_times_that_are_none_are_rejected(market, changes, field):
    request = pb.ListBarsRequest(symbol="AAA", interval="1d", **changes)
    with grpc.insecure_channel(market.address) as channel, pytest.raises(grpc.RpcError) as caught:
        market_pb2_grpc.MarketServiceStub(channel).ListBars(request)
    assert from_rpc(caught.value).violations[0].field == field


@pytest.mark.parametrize("token", ["no token", "é", "x" * 1_000_000])
def test_only_symbols_are_page_tokens_of_instruments(market, token):
    with grpc.insecure_channel(market.address) as channel, pytest.raises(grpc.RpcError) as caught:
        market_pb2_grpc.MarketServiceStub(channel).ListInstruments(
            pb.ListInstrumentsRequest(page_token=token)
        )
    (violation,) = from_rpc(caught.value).violations
    assert violation.field == "page_token"
    assert len(violation.rule) < 200


def test_a_provisional_bar_shows_and_makes_no_signal(market):
    before = len(list(market.client.history(symbols=["AAA"])))
    forming = replace(market.bars["AAA"][market.published], provisional=True)
    assert market.client.publish_bars([forming]).provisional == 1
    assert market.client.bars("AAA", "1d")[-1] == forming
    assert len(list(market.client.history(symbols=["AAA"]))) == before


def test_bars_of_another_interval_are_stored_and_not_signalled(market):
    hourly = [replace(b, symbol="HRS", interval="1h") for b in daily("HRS", 90)]
    assert market.client.publish_bars(hourly).stored == 90
    assert list(market.client.history(symbols=["HRS"])) == []


def test_times_without_a_zone_are_refused_before_anything_is_sent(market):
    naive = replace(daily("NAI", 1)[0], close_time=datetime(2024, 1, 1))
    with pytest.raises(InvalidRequestError, match="time zone"):
        market.client.publish_bars([naive])


def test_too_large_a_batch_is_refused_whole(market):
    bar = pb.Bar(symbol="BIG", interval="1d")
    with grpc.insecure_channel(market.address) as channel, pytest.raises(grpc.RpcError) as caught:
        market_pb2_grpc.MarketServiceStub(channel).PublishBars(pb.PublishBarsRequest(bars=[bar] * 16_385))
    assert caught.value.code() is grpc.StatusCode.INVALID_ARGUMENT
    assert "16384" in caught.value.details()


def test_far_away_times_do_not_break_the_server(market):
    early = replace(daily("FAR", 1)[0], close_time=datetime(1960, 1, 1, tzinfo=UTC))
    late = replace(daily("FAR", 1)[0], close_time=datetime(2200, 1, 1, tzinfo=UTC) + timedelta(1))
    report = market.client.publish_bars([early, late])
    assert {r.error.violations[0].field for r in report.rejections} == {"close_time"}


def test_a_batch_of_nothing_but_bad_bars_is_answered(market):
    good = pb.Bar(symbol="MIX", interval="1d", open=1, high=1, low=1, close=1, volume=0)
    good.close_time.FromSeconds(86_400)
    bad = pb.Bar(symbol="x y" * 20, interval="?" * 16, open=-1, high=-1, low=-1, close=-1, volume=-1)
    bad.close_time.nanos = 2_000_000_000
    with grpc.insecure_channel(market.address) as channel:
        request = pb.PublishBarsRequest(bars=[good, *[bad] * 16_383])
        answer = market_pb2_grpc.MarketServiceStub(channel).PublishBars(request)
    assert (answer.stored, answer.rejected, len(answer.rejections)) == (1, 16_383, 1000)


@pytest.mark.parametrize(
    "change", [{"start_time": {"seconds": 1 << 62}}, {"end_time": {"seconds": -(1 << 62)}}]
)
def test_times_beyond_all_bars_list_nothing(market, change):
    with grpc.insecure_channel(market.address) as channel:
        page = market_pb2_grpc.MarketServiceStub(channel).ListBars(
            pb.ListBarsRequest(symbol="AAA", interval="1d", **change)
        )
    assert list(page.bars) == []


@pytest.mark.parametrize(("field", "tag"), [("bars", b"\x0a"), ("instruments", b"\x12")])
def test_millions_of_empty_items_are_refused_before_they_are_read(market, field, tag):
    with grpc.insecure_channel(market.address) as channel:
        call = channel.unary_unary("/glasstape.v1.MarketService/PublishBars")
        with pytest.raises(grpc.RpcError) as caught:
            call((tag + b"\0") * 2_000_000, timeout=20)
    error = from_rpc(caught.value)
    assert error.violations[0].field == field
    assert error.violations[0].rule == "at most 16384 in a batch, has 2000000"
