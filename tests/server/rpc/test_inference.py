"""Predict and Explain over the wire: the rules of design, as a foreign client sees them."""

import grpc
import numpy as np
import pytest
from asking import maps
from glasstape.errors import from_rpc
from glasstape.v1 import inference_pb2 as pb
from glasstape.v1 import inference_pb2_grpc, signals_pb2, signals_pb2_grpc

OPTIONS = (("grpc.max_send_message_length", 64 << 20), ("grpc.max_receive_message_length", 64 << 20))


@pytest.fixture(scope="module")
def channel(market):
    with grpc.insecure_channel(market.address, OPTIONS) as opened:
        yield opened


@pytest.fixture(scope="module")
def stub(channel):
    return inference_pb2_grpc.InferenceServiceStub(channel)


def windows(count=1, seed=0, **changes):
    values = np.random.default_rng(seed).normal(size=(count, 6, 8)).astype("<f4")
    for (row, time, feature), value in changes.get("cells", {}).items():
        values[row, time, feature] = value
    return pb.PredictionInput(windows=pb.Windows(count=count, data=values.tobytes()))


def refused(call, *arguments):
    with pytest.raises(grpc.RpcError) as caught:
        call(*arguments, timeout=10)
    return from_rpc(caught.value)


@pytest.mark.parametrize(
    ("source", "code", "field", "text"),
    [
        (pb.PredictionInput(), "INVALID_ARGUMENT", "input.source", "must be set"),
        (
            pb.PredictionInput(windows=pb.Windows(count=1, data=b"x" * 190)),
            "INVALID_ARGUMENT",
            "input.windows.data",
            "190 bytes, expected count x 6 x 8 x 4 = 192",
        ),
        (pb.PredictionInput(windows=pb.Windows()), "INVALID_ARGUMENT", "input.windows.count", "is 0"),
        (pb.PredictionInput(symbols=pb.Symbols()), "INVALID_ARGUMENT", "input.symbols.symbols", "is 0"),
        (pb.PredictionInput(bars=pb.BarSeries()), "INVALID_ARGUMENT", "input.bars.series", "is 0"),
        (pb.PredictionInput(signals=pb.SignalRefs()), "INVALID_ARGUMENT", "input.signals.sequences", "is 0"),
        (
            pb.PredictionInput(windows=pb.Windows(count=100_000)),
            "INVALID_ARGUMENT",
            "input.windows.count",
            "at most 16384",
        ),
        (
            pb.PredictionInput(windows=pb.Windows(count=100_000, data=bytes(100_000 * 192))),
            "INVALID_ARGUMENT",
            None,
            "larger",
        ),
    ],
)
def test_broken_framing_fails_the_call_and_the_server_goes_on(stub, source, code, field, text):
    for call, request in ((stub.Predict, pb.PredictRequest), (stub.Explain, pb.ExplainRequest)):
        error = refused(call, request(input=source))
        assert error.code == code
        assert text in error.message
        if field:
            assert [v.field for v in error.violations] == [field]
            assert error.reason
    assert len(stub.Predict(pb.PredictRequest(input=windows(3))).predictions) == 3


def test_bad_values_fail_their_item_alone_and_name_the_cell(stub):
    source = windows(4, cells={(1, 2, 3): np.nan, (2, 5, 7): 1e9})
    answers = stub.Predict(pb.PredictRequest(input=source)).predictions
    assert [a.WhichOneof("result") for a in answers] == ["confidence", "problem", "problem", "confidence"]
    assert "window 1, time 2, feature close_return" in answers[1].problem.message
    assert "window 2, time 5, feature macd_histogram" in answers[2].problem.message
    assert answers[1].problem.code == grpc.StatusCode.INVALID_ARGUMENT.value[0]


def test_an_unknown_symbol_among_good_ones(stub):
    source = pb.PredictionInput(symbols=pb.Symbols(symbols=["AAA", "NOPE", "005930", "a b"]))
    answers = stub.Predict(pb.PredictRequest(input=source)).predictions
    assert [a.WhichOneof("result") for a in answers] == ["confidence", "problem", "confidence", "problem"]
    assert [a.symbol for a in answers] == ["AAA", "NOPE", "005930", "a b"]
    assert answers[1].problem.code == grpc.StatusCode.NOT_FOUND.value[0]
    assert answers[3].problem.code == grpc.StatusCode.INVALID_ARGUMENT.value[0]


def test_confidences_sum_to_one_and_the_class_index_travels_apart(stub):
    for answer in stub.Predict(pb.PredictRequest(input=windows(50))).predictions:
        said = answer.confidence
        assert said.down + said.flat + said.up == pytest.approx(1, abs=1e-9)
        assert said.HasField("class_index")
        assert said.direction == said.class_index + 1
        assert 0 <= said.novelty <= 1


def test_prediction_and_map_agree_with_predict(stub):
    source = windows(5)
    predicted = stub.Predict(pb.PredictRequest(input=source)).predictions
    for method in (1, 4, 9, 13):
        explained = maps(stub.Explain(pb.ExplainRequest(input=source, method=method)))
        for one, other in zip(predicted, explained, strict=True):
            assert other.prediction.model_index == other.model_index == one.model_index == 0
            assert other.prediction.confidence.up == pytest.approx(one.confidence.up, abs=1e-6)
            assert other.target == one.confidence.direction
            assert len(other.heatmap.values) == 48


def test_a_bad_item_among_explained_ones(stub):
    source = windows(2, cells={(0, 0, 0): np.inf})
    made = maps(stub.Explain(pb.ExplainRequest(input=source)))
    assert made[0] is None
    assert made[1].HasField("heatmap")


def test_bars_give_the_same_answer_as_the_servers_own_features(stub, market):
    have = market.bars["AAA"][: market.published]
    by_symbol, by_bars = (
        market.client.predict(**source)[0] for source in ({"symbols": ["AAA"]}, {"bars": [have]})
    )
    assert by_bars.confidence == by_symbol.confidence
    assert by_bars.bar_close_time == by_symbol.bar_close_time == have[-1].close_time


def test_bars_that_make_no_window_fail_their_item(market):
    have = market.bars["AAA"][:80]
    answers = market.client.predict(bars=[have[:10], have, have[::-1], [*have[:79], have[80 - 1], have[0]]])
    assert answers[0].error.code == "FAILED_PRECONDITION"
    assert "'AAA' has 10 bars, the model needs 74" in answers[0].error.message
    assert answers[1].confidence is not None
    assert "input.bars.series[2].bars[1].close_time" in answers[2].error.message
    assert "input.bars.series[3].bars[80].close_time" in answers[3].error.message


def test_past_signals_come_back_bit_for_bit_and_recompute(stub, channel, market):
    kinds = [signals_pb2.EVENT_KIND_CONFIDENCE, signals_pb2.EVENT_KIND_BUY]
    listed = signals_pb2_grpc.SignalServiceStub(channel).ListSignals(
        signals_pb2.ListSignalsRequest(kinds=kinds)
    )
    sequences = [event.sequence for event in listed.events]
    source = pb.PredictionInput(signals=pb.SignalRefs(sequences=sequences, epoch=listed.epoch))
    predicted = stub.Predict(pb.PredictRequest(input=source))
    for event, answer in zip(listed.events, predicted.predictions, strict=True):
        said = event.confidence if event.WhichOneof("kind") == "confidence" else event.buy.signal
        assert answer.confidence == said.probabilities
        assert predicted.models[answer.model_index] == listed.models[event.model_index]
    explained = maps(
        stub.Explain(pb.ExplainRequest(input=source, score=pb.Explanation.SCORE_LOG_PROBABILITY))
    )
    for answer, made in zip(predicted.predictions, explained, strict=True):
        assert made.prediction.confidence == answer.confidence
    have = market.bars["AAA"]
    for event in listed.events:
        if event.symbol == "AAA" and event.WhichOneof("kind") == "confidence":
            count = [int(b.close_time.timestamp()) for b in have].index(event.bar_close_time.seconds) + 1
            again = market.client.predict(bars=[have[:count]])[0].confidence
            assert again.up == pytest.approx(event.confidence.probabilities.up, abs=1e-5)


def test_past_signals_outside_the_journal_or_of_another_epoch(stub):
    answers = stub.Predict(
        pb.PredictRequest(input=pb.PredictionInput(signals=pb.SignalRefs(sequences=[1, 10**9])))
    ).predictions
    assert [a.WhichOneof("result") for a in answers] == ["confidence", "problem"]
    assert answers[1].problem.code == grpc.StatusCode.OUT_OF_RANGE.value[0]
    other = pb.PredictionInput(signals=pb.SignalRefs(sequences=[1], epoch="0" * 16))
    assert refused(stub.Predict, pb.PredictRequest(input=other)).reason == "EPOCH_CHANGED"
    both = pb.PredictRequest(
        model="sample-conv1d", input=pb.PredictionInput(signals=pb.SignalRefs(sequences=[1]))
    )
    assert [v.field for v in refused(stub.Predict, both).violations] == ["model"]


def test_an_expired_deadline_is_told_as_such(stub):
    with pytest.raises(grpc.RpcError) as caught:
        stub.Explain(
            pb.ExplainRequest(input=windows(16_384), method=pb.Explanation.METHOD_OCCLUSION), timeout=0.05
        )
    assert caught.value.code() is grpc.StatusCode.DEADLINE_EXCEEDED
    assert len(stub.Predict(pb.PredictRequest(input=windows(1)), timeout=5).predictions) == 1


def test_many_callers_at_once_get_their_own_answers(stub):
    inputs = [windows(1 + n % 7, seed=n) for n in range(100)]
    expected = [stub.Predict(pb.PredictRequest(input=source)).predictions for source in inputs]
    futures = [stub.Predict.future(pb.PredictRequest(input=source)) for source in inputs]
    for alone, future in zip(expected, futures, strict=True):
        together = future.result().predictions
        assert [a.confidence.up for a in alone] == pytest.approx(
            [a.confidence.up for a in together], abs=1e-6
        )


def test_the_model_describes_itself(stub):
    model = stub.GetModel(pb.GetModelRequest()).model
    assert model.state == pb.MODEL_STATE_ACTIVE
    assert len(model.features) == 8
    assert model.min_bars == 74
    assert list(model.methods) == [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 14, 15, 13]
    assert {check.name for check in model.checks} == {"skill", "parameter_randomization", "completeness"}
    assert model.buy_ramp_high >= model.buy_ramp_low + 0.1 - 1e-9
    assert "2011" in model.training_data
    assert stub.ListModels(pb.ListModelsRequest(view=pb.MODEL_VIEW_FULL)).models[0] == model
    basic = stub.ListModels(pb.ListModelsRequest()).models[0]
    assert basic.ref == model.ref
    assert basic.methods == model.methods
    assert not basic.features
