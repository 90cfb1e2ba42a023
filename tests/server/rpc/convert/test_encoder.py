"""The packed encoder writes the messages of the plain one, field by field."""

import numpy as np
import pytest
from glasstape.v1 import inference_pb2 as pb
from glasstape_server.engine.work import ExplainWork, ForecastWork, Maps, forecasts
from glasstape_server.explain.method import MethodName, Request
from glasstape_server.explain.scores import Score, ScoreSpec
from glasstape_server.rpc.convert.encoder import PlainEncoder
from glasstape_server.rpc.convert.packed import PackedEncoder
from glasstape_server.serving.explanation import MapBatch
from glasstape_server.serving.requests import Include, QualityLevel
from hypothesis import given, settings
from hypothesis import strategies as st

UNSET_FOR_READY_WINDOWS = {
    # Index 0, and known only of items that name a symbol or bars.
    "Prediction": {
        "missing_bars", "missing_symbols", "model_index", "problem", "symbol", "bar_close_time", "rank_score",
    },
    # Of methods with a baseline or draws, of counterfactuals, and of windows that the caller has.
    "Explanation": {
        "model_index", "baseline_score", "completeness_error", "samples", "bar_close_times", "window",
        "counterfactual",
    },
    "ExplanationResult": {"problem", "symbol"},
    "Heatmap": {"upsampled", "sign_stability"},
    "Quality": {"checks", "trust"},
    "Driver": {"share", "bar_close_time"},
    "Confidence": set(),
    "Shape": set(),
}  # fmt: skip


def windows_of(model, count, seed, kind="normal"):
    random = np.random.default_rng(seed)
    windows = random.normal(size=(count, *model.window_shape)).astype(np.float32)
    if kind == "zero":
        windows[::2] = 0
    if kind == "mean":
        windows[:] = model.statistics.mean.numpy()
    return windows


def batch_of(model, windows, request, quality, include):
    work = ExplainWork(model, request)
    maps = Maps.of(work.run((windows,)))
    return MapBatch(work, quality, include, windows, forecasts(model, windows, maps.logits), maps)


def rows(encoded, response, field):
    messages = []
    for row in range(len(encoded.ends) - 1):
        message = response.FromString(encoded.rows(row, row + 1))
        assert len(getattr(message, field)) == 1
        messages.append(getattr(message, field)[0])
    whole = response.FromString(encoded.data)
    assert list(getattr(whole, field)) == messages
    return messages


@settings(max_examples=30, deadline=None)
@given(count=st.integers(1, 40), seed=st.integers(0, 1000), kind=st.sampled_from(["normal", "zero", "mean"]))
def test_predictions_are_equal(bundled, count, seed, kind):
    windows = windows_of(bundled, count, seed, kind)
    stated = forecasts(bundled, windows, ForecastWork(bundled).run((windows,))[0])
    plain, packed = (encoder().predictions(bundled, stated) for encoder in (PlainEncoder, PackedEncoder))
    assert rows(packed, pb.PredictResponse, "predictions") == rows(plain, pb.PredictResponse, "predictions")


@settings(max_examples=30, deadline=None)
@given(
    count=st.integers(1, 40),
    seed=st.integers(0, 1000),
    score=st.floats(width=32, allow_nan=False, allow_infinity=False),
)
def test_predictions_with_rank_scores_are_equal(bundled, count, seed, score):
    windows = windows_of(bundled, count, seed)
    logits = ForecastWork(bundled).run((windows,))[0]
    scores = np.resize(np.array([0.0, score, -score], np.float32), count)
    stated = forecasts(bundled, windows, logits, scores)
    plain, packed = (encoder().predictions(bundled, stated) for encoder in (PlainEncoder, PackedEncoder))
    messages = rows(packed, pb.PredictResponse, "predictions")
    assert messages == rows(plain, pb.PredictResponse, "predictions")
    assert [message.rank_score for message in messages] == scores.astype(float).tolist()
    assert all(message.HasField("rank_score") for message in messages)


includes = st.builds(Include, *[st.booleans()] * 4)


@settings(max_examples=60, deadline=None)
@given(
    count=st.integers(1, 20),
    seed=st.integers(0, 1000),
    kind=st.sampled_from(["normal", "zero", "mean"]),
    method=st.sampled_from([MethodName.GRADIENT, MethodName.GRADIENT_X_INPUT, MethodName.OCCLUSION]),
    score=st.sampled_from(list(Score)),
    quality=st.sampled_from([QualityLevel.NONE, QualityLevel.FAST]),
    include=includes,
)
def test_explanations_are_equal(bundled, count, seed, kind, method, score, quality, include):
    windows = windows_of(bundled, count, seed, kind)
    batch = batch_of(bundled, windows, Request(method, ScoreSpec(score)), quality, include)
    plain, packed = (encoder().explanations(batch) for encoder in (PlainEncoder, PackedEncoder))
    assert rows(packed, pb.ExplainResponse, "results") == rows(plain, pb.ExplainResponse, "results")


@pytest.mark.parametrize(
    ("method", "checked"),
    [(MethodName.INTEGRATED_GRADIENTS, False), (MethodName.GRADIENT, True), (MethodName.GRAD_CAM, False)],
)
def test_what_the_packed_encoder_does_not_know_is_encoded_plainly(bundled, method, checked):
    windows = windows_of(bundled, 3, 1)
    quality = QualityLevel.FULL if checked else QualityLevel.FAST
    batch = batch_of(bundled, windows, Request(method, ScoreSpec(), checked=checked), quality, Include())
    plain, packed = (encoder().explanations(batch) for encoder in (PlainEncoder, PackedEncoder))
    assert rows(packed, pb.ExplainResponse, "results") == rows(plain, pb.ExplainResponse, "results")


@pytest.mark.parametrize("encoder", [PlainEncoder(), PackedEncoder()])
def test_every_field_is_set_or_known_to_be_unset(bundled, encoder):
    windows = windows_of(bundled, 5, 2)
    windows[0] *= 1000  # unlike the training data, so that novelty is set
    stated = forecasts(bundled, windows, ForecastWork(bundled).run((windows,))[0])
    stated.abstained[0] = True
    request = Request(MethodName.GRADIENT, ScoreSpec())
    work = ExplainWork(bundled, request)
    maps = Maps.of(work.run((windows,)))
    batch = MapBatch(work, QualityLevel.FAST, Include(), windows, stated, maps)
    messages = [
        *rows(encoder.predictions(bundled, stated), pb.PredictResponse, "predictions"),
        *rows(encoder.explanations(batch), pb.ExplainResponse, "results"),
    ]
    found = {}
    for message in messages:
        collect(message, found)
    for kind, names in found.items():
        fields = {f.name for f in kind.fields}
        assert fields - names == UNSET_FOR_READY_WINDOWS[kind.name], kind.full_name


def collect(message, found):
    names = found.setdefault(message.DESCRIPTOR, set())
    for field, value in message.ListFields():
        names.add(field.name)
        if field.message_type is not None:
            for inner in value if field.is_repeated else [value]:
                collect(inner, found)
