"""The feed over the wire."""

import base64
import math
import time
from dataclasses import replace

import grpc
import numpy as np
import pytest
from glasstape import (
    BuyEvent,
    Client,
    ConfidenceEvent,
    DataState,
    Direction,
    EventBatch,
    GlasstapeError,
    Heartbeat,
    HeatmapBatch,
    Opened,
    OutcomeEvent,
    QuoteBatch,
)
from glasstape.errors import from_rpc
from glasstape.v1 import inference_pb2 as ipb
from glasstape.v1 import signals_pb2 as pb
from glasstape.v1 import signals_pb2_grpc
from made_up import daily
from markets import open_market
from running import ServerProcess


@pytest.fixture(scope="module")
def stub(market):
    with grpc.insecure_channel(market.address) as channel:
        yield signals_pb2_grpc.SignalServiceStub(channel)


def test_every_bar_close_makes_a_confidence_and_every_up_a_buy_right_behind_it(market):
    events = list(market.client.history(symbols=["AAA", "BBB", "005930"]))
    confidences = {e.sequence: e for e in events if isinstance(e, ConfidenceEvent)}
    buys = [e for e in events if isinstance(e, BuyEvent)]
    closed = {(e.symbol, e.bar_close_time) for e in confidences.values()}
    expected = {
        (symbol, bar.close_time)
        for symbol, bars in market.bars.items()
        for bar in bars[80 : market.published]
    }
    assert expected <= closed
    for buy in buys:
        assert buy.confidence_sequence == buy.sequence - 1
        assert confidences[buy.confidence_sequence].signal == buy.signal
    ups = [e.sequence for e in confidences.values() if e.signal.probabilities.direction is Direction.UP]
    assert [buy.confidence_sequence for buy in buys] == ups


def test_a_signal_says_what_a_trader_needs(market):
    event = next(e for e in market.client.history(symbols=["BBB"]) if isinstance(e, ConfidenceEvent))
    bars = market.bars["BBB"]
    at = next(n for n, bar in enumerate(bars) if bar.close_time == event.bar_close_time)
    signal = event.signal
    assert signal.bar == bars[at]
    assert signal.previous_session_close == bars[at - 1].close
    assert signal.change == pytest.approx(bars[at].close / bars[at - 1].close - 1)
    assert signal.expire_time > event.bar_close_time
    assert signal.data_state is DataState.DELAYED
    assert event.model.name == "sample-conv1d"
    assert signal.flat_threshold > 0


def test_outcomes_are_what_the_bars_say(market):
    outcomes = [e for e in market.client.history(kinds=["outcome"]) if isinstance(e, OutcomeEvent)]
    assert outcomes
    closes = {(s, b.close_time): n for s, bars in market.bars.items() for n, b in enumerate(bars)}
    for outcome in outcomes:
        bars = market.bars[outcome.symbol]
        at = closes[outcome.symbol, outcome.signal_bar_close_time]
        assert outcome.realized_return == pytest.approx(math.log(bars[at + 2].close / bars[at + 1].close))
        assert outcome.bar_close_time == bars[at + 2].close_time
    record = market.client.track_record()
    assert record.outcomes == len(outcomes)
    assert record.records[2].count == sum(o.predicted is not Direction.FLAT for o in outcomes)


def test_filters_are_on_the_server(market):
    for kinds, symbols in ((["buy"], []), (["confidence"], ["AAA"]), ([], ["005930"])):
        for event in market.client.history(kinds=kinds, symbols=symbols):
            assert not kinds or event.kind.value in kinds
            assert not symbols or event.symbol in symbols
    high = max(e.signal.probabilities.winning for e in market.client.history(kinds=["confidence"]))
    assert len(list(market.client.history(kinds=["confidence"], min_confidence=high))) >= 1
    assert not list(market.client.history(kinds=["confidence"], min_confidence=1.0))


def test_history_goes_both_ways_and_page_by_page(market, stub):
    up = [e.sequence for e in market.client.history()]
    assert up == list(range(1, len(up) + 1))
    request = pb.ListSignalsRequest(page_size=4, descending=True)
    down = []
    while True:
        page = stub.ListSignals(request)
        down += [e.sequence for e in page.events]
        if not page.next_page_token:
            break
        request.page_token = page.next_page_token
    assert down == up[::-1]
    assert [e.sequence for e in market.client.history(start_sequence=3, end_sequence=5)] == [3, 4, 5]


def test_heat_maps_come_with_the_feed_when_asked_for(market):
    with market.client.signals(heatmap_method="gradient") as stream:
        delivered = {}
        for message in stream.messages():
            if isinstance(message, EventBatch):
                delivered.update({e.sequence: e for e in message.events})
            if isinstance(message, HeatmapBatch):
                break
    assert message.explanations
    for sequence, explanation in message.explanations.items():
        event = delivered[sequence]
        again = market.client.explain(signals=[sequence], method="gradient")[0]
        assert (again.prediction.symbol, again.prediction.confidence) == (
            event.symbol,
            event.signal.probabilities,
        )
        np.testing.assert_allclose(explanation.heatmap.values, again.heatmap.values, atol=1e-6)
        assert explanation.score == pytest.approx(again.score, abs=1e-6)
        assert explanation.prediction is None  # the feed's maps carry map and score alone


def test_an_idle_stream_beats_with_its_position(market):
    with market.client.signals(start="live", heartbeat_interval=0.1) as stream:
        beats = (m for m in stream.messages() if isinstance(m, Heartbeat))
        first = next(beats)
        begun = time.monotonic()
        next(beats)
        assert time.monotonic() - begun < 2
        assert stream.through_sequence == max(e.sequence for e in market.client.history())
    assert first.data_state is DataState.STALE
    assert first.last_bar_close_time is not None


def test_events_arrive_live_in_order(market):
    with market.client.signals(start="live", delivery="every_event", conflation_interval=0) as stream:
        messages = stream.messages()
        next(messages)
        before = max(e.sequence for e in market.client.history())
        market.close_bar()
        found = []
        while stream.through_sequence < before + 6:
            message = next(messages)
            if isinstance(message, EventBatch):
                found += [e.sequence for e in message.events]
    assert found == list(range(before + 1, found[-1] + 1))


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"symbols": ["a b"]}, "symbols[0]"),
        ({"kinds": [9]}, "kinds[0]"),
        ({"min_confidence": 1.5}, "min_confidence"),
        ({"min_confidence": float("nan")}, "min_confidence"),
        ({"start": 9}, "start"),
        ({"delivery": 9}, "delivery"),
        ({"resume_token": b"x"}, "resume_token"),
        ({"resume_token": bytes(200)}, "resume_token"),
        ({"conflation_interval": {"seconds": 61}}, "conflation_interval"),
        ({"heartbeat_interval": {"nanos": 1}}, "heartbeat_interval"),
        ({"heartbeat_interval": {"seconds": -1}}, "heartbeat_interval"),
        ({"heartbeat_interval": {"seconds": 1, "nanos": -1}}, "heartbeat_interval.nanos"),
        ({"conflation_interval": {"nanos": 2**31 - 1}}, "conflation_interval.nanos"),
        ({"heatmap_method": 99}, "heatmap_method"),
    ],
)
def test_malformed_subscriptions_name_the_field(stub, change, field):
    with pytest.raises(grpc.RpcError) as caught:
        list(stub.Signals(pb.SignalsRequest(**change), timeout=5))
    error = from_rpc(caught.value)
    assert error.code == "INVALID_ARGUMENT"
    assert [v.field for v in error.violations] == [field]


def test_a_heat_map_method_that_the_model_cannot_serve_is_refused(stub):
    with pytest.raises(grpc.RpcError) as caught:
        list(stub.Signals(pb.SignalsRequest(heatmap_method=ipb.Explanation.METHOD_ATTENTION), timeout=5))
    assert caught.value.code() is grpc.StatusCode.FAILED_PRECONDITION


def test_a_page_token_of_somewhere_else_is_refused(stub):
    with pytest.raises(grpc.RpcError) as caught:
        stub.ListSignals(pb.ListSignalsRequest(page_token="nope:1"))
    assert from_rpc(caught.value).violations[0].field == "page_token"


def test_a_reader_that_never_reads_is_cut_off_with_its_token_and_loses_nothing(tmp_path):
    server = ServerProcess(tmp_path, "--subscriber-queue", "16")
    with server, Client(server.address) as client:
        market = open_market(server, client, bars=600)
        # Every event is lossless for this reader, and one flush a minute lets them pile up.
        stream = client.signals(start="live", delivery="every_event", conflation_interval=60.0)
        notices = stream.messages()
        next(notices)
        for _ in range(8):
            market.close_bar()
        told = next(m for m in notices if not isinstance(m, Heartbeat))
        assert isinstance(told.error, GlasstapeError)
        assert told.error.reason == "SLOW_CONSUMER"
        token = base64.b64decode(told.error.metadata["resume_token"])
        stream.close()
        found = []
        again = client.signals(resume_token=token, delivery="every_event")
        head = max(e.sequence for e in client.history())
        for event in again:
            found.append(event.sequence)
            if event.sequence == head:
                break
        assert found == list(range(1, head + 1))


def test_the_first_message_names_contract_epoch_and_model(stub):
    call = stub.Signals(pb.SignalsRequest(start=pb.SignalsRequest.START_LIVE))
    opened = next(call).opened
    call.cancel()
    assert opened.contract_version == "1.0"
    assert len(opened.epoch) == 16
    assert opened.model.name == "sample-conv1d"


@pytest.mark.parametrize("position", ["²", "9" * 30, "-1", ""])
def test_a_page_token_with_no_position_is_refused(stub, position):
    epoch = stub.ListSignals(pb.ListSignalsRequest(page_size=1)).epoch
    with pytest.raises(grpc.RpcError) as caught:
        stub.ListSignals(pb.ListSignalsRequest(page_token=f"{epoch}:{position}"))
    assert from_rpc(caught.value).violations[0].field == "page_token"


def test_a_sequence_that_no_journal_can_hold_is_refused(stub):
    with pytest.raises(grpc.RpcError) as caught:
        stub.ListSignals(pb.ListSignalsRequest(start_sequence=1 << 63))
    assert from_rpc(caught.value).violations[0].field == "start_sequence"


def test_outcomes_come_also_when_history_was_backfilled_past_them(tmp_path):
    server = ServerProcess(tmp_path)
    with server, Client(server.address) as client:
        market = open_market(server, client)
        market.close_bar()
        signalled = {e.symbol: e.sequence for e in client.history(kinds=["confidence"])}
        for bars in market.bars.values():
            client.publish_bars(bars[market.published : market.published + 150], mode="backfill")
        market.published += 150
        market.close_bar()
        outcomes = {e.symbol: e for e in client.history(kinds=["outcome"])}
        for symbol, sequence in signalled.items():
            assert outcomes[symbol].confidence_sequence == sequence


def test_freshness_survives_a_restart(tmp_path, spawn):
    server = spawn(tmp_path)
    with Client(server.address) as client:
        market = open_market(server, client)
        server.stop()
        server.start()
        with client.signals(start="live", heartbeat_interval=0.1) as stream:
            beat = next(m for m in stream.messages() if isinstance(m, Heartbeat))
    assert beat.last_bar_close_time == market.bars["AAA"][market.published - 1].close_time


def forming(symbol, close):
    template = daily(symbol, 1)[0]
    return replace(template, symbol=symbol, open=close, high=close, low=close, close=close, provisional=True)


def test_quotes_come_to_who_asks_for_them_conflated_and_outside_the_position(market):
    options = {"start": "live", "symbols": ["QUOTED"], "heartbeat_interval": 0.5}
    with (
        market.client.signals(**options, quotes=True, conflation_interval=0.2) as asked,
        market.client.signals(**options) as other,
    ):
        streams = [stream.messages() for stream in (asked, other)]
        opened = [next(messages) for messages in streams]
        assert all(isinstance(message, Opened) for message in opened)
        bars = [forming("QUOTED", close) for close in (10.0, 11.0, 12.0)]
        report = market.client.publish_bars([*bars, forming("OTHER", 5.0)], mode="provisional")
        assert report.provisional == 4
        quotes = next(message for message in streams[0] if isinstance(message, QuoteBatch))
        assert [(bar.symbol, bar.close, bar.provisional) for bar in quotes.bars] == [("QUOTED", 12.0, True)]
        assert isinstance(next(streams[1]), Heartbeat)
        assert isinstance(next(streams[0]), Heartbeat)
        # Quotes move no position: both streams resume from the same place.
        assert asked.resume_token == other.resume_token
