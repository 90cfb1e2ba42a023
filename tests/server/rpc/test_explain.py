"""Explain over the wire: what may be asked, and what every answer carries."""

import grpc
import numpy as np
import pytest
from asking import array, explain, maps, symbols, windows
from glasstape.errors import from_rpc
from glasstape.v1 import inference_pb2 as pb
from glasstape.v1 import inference_pb2_grpc

SERVED = [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 13]
"""Of the bundled 1D-CNN: everything but attention."""


@pytest.fixture(scope="module")
def stub(market):
    with grpc.insecure_channel(market.address) as channel:
        yield inference_pb2_grpc.InferenceServiceStub(channel)


def refused(call, *arguments, **asked):
    with pytest.raises(grpc.RpcError) as caught:
        call(*arguments, **asked)
    return from_rpc(caught.value)


@pytest.mark.parametrize("method", SERVED)
def test_every_served_method_answers_with_a_map_and_its_quality(stub, method):
    response = explain(stub, method=method, samples=0)
    assert response.method == method
    for made in maps(response):
        assert made.prediction.confidence.class_index == made.target - 1
        assert array(made.heatmap.values).shape == (6, 8)
        native = (made.heatmap.native_shape.time, made.heatmap.native_shape.features)
        assert made.heatmap.upsampled == (native != (6, 8))
        assert made.quality.verdict in (pb.Quality.VERDICT_CAUTION, pb.Quality.VERDICT_DEGENERATE)
        assert made.quality.reasons
        assert not made.window  # the caller has it


@pytest.mark.parametrize(
    ("method", "native"),
    [
        (pb.Explanation.METHOD_GRAD_CAM, (6, 1)),
        (pb.Explanation.METHOD_SHAPLEY_BARS, (6, 1)),
        (pb.Explanation.METHOD_SHAPLEY_FEATURES, (1, 8)),
    ],
)
def test_coarse_maps_say_their_native_shape_and_so_do_their_drivers(stub, method, native):
    for made in maps(explain(stub, method=method)):
        assert (made.heatmap.native_shape.time, made.heatmap.native_shape.features) == native
        assert made.heatmap.upsampled
        for driver in made.drivers:
            assert (driver.span.time, driver.span.features) == (6 // native[0], 8 // native[1])
            assert bool(driver.feature) == (native[1] == 8)
            assert not driver.HasField("z_score")


@pytest.mark.parametrize(
    "method",
    [
        pb.Explanation.METHOD_INTEGRATED_GRADIENTS,
        pb.Explanation.METHOD_EXPECTED_GRADIENTS,
        pb.Explanation.METHOD_SHAPLEY_BARS,
    ],
)
def test_contributions_sum_to_the_score_and_have_shares(stub, method):
    for made in maps(explain(stub, method=method)):
        assert made.heatmap.quantity == pb.Heatmap.QUANTITY_CONTRIBUTION
        total = array(made.heatmap.values).sum()
        assert abs(total - (made.score - made.baseline_score)) == pytest.approx(
            made.completeness_error, abs=1e-4
        )
        assert made.quality.checks[0].name == "completeness"
        assert 0 < sum(driver.share for driver in made.drivers) <= 1 + 1e-9


def test_quality_full_brings_measurements_trust_and_names_what_fails(stub):
    full = explain(stub, method=pb.Explanation.METHOD_INTEGRATED_GRADIENTS, quality=pb.QUALITY_LEVEL_FULL)
    none = explain(stub, method=pb.Explanation.METHOD_INTEGRATED_GRADIENTS, quality=pb.QUALITY_LEVEL_NONE)
    for made, plain in zip(maps(full), maps(none), strict=True):
        assert made.quality.level == pb.QUALITY_LEVEL_FULL
        checks = {check.name: check for check in made.quality.checks}
        assert list(checks) == [
            "completeness", "sign_agreement", "deletion_mean", "deletion_resampled", "trust",
        ]  # fmt: skip
        failures = [check for check in checks.values() if not check.passed]
        own = [f"{check.name.replace('_', ' ')} failed: {check.text}" for check in failures]
        assert list(made.quality.reasons) == own
        assert (made.quality.verdict == pb.Quality.VERDICT_RELIABLE) == (not own)
        trust = made.quality.trust
        assert trust.value == checks["trust"].value
        assert 0 < trust.average_precision < 1
        assert trust.maps > 0
        assert trust.level == 1 + (trust.value >= 0.4) + (trust.value >= 0.7)
        stability = array(made.heatmap.sign_stability)
        assert ((stability >= 0) & (stability <= 1)).all()
        assert made.heatmap.values == plain.heatmap.values
        assert not plain.HasField("quality")


def test_a_coarse_map_is_never_reliable_without_its_resolution(stub):
    full = explain(stub, method=pb.Explanation.METHOD_SHAPLEY_BARS, quality=pb.QUALITY_LEVEL_FULL)
    for made in maps(full):
        assert made.quality.verdict == pb.Quality.VERDICT_CAUTION
        if all(check.passed for check in made.quality.checks):
            assert list(made.quality.reasons) == ["reliable at bar resolution, not for single features"]


def test_the_default_is_the_scaled_gradient_and_with_full_checks_that_of_the_path(stub):
    fast, full = explain(stub), explain(stub, quality=pb.QUALITY_LEVEL_FULL)
    assert fast.method == pb.Explanation.METHOD_SCALED_GRADIENT
    assert full.method == pb.Explanation.METHOD_SCALED_PATH_GRADIENT
    for response in (fast, full):
        assert response.score == pb.Explanation.SCORE_MARGIN
        assert response.baseline == pb.Explanation.BASELINE_MEAN
        assert all(made.heatmap.quantity == pb.Heatmap.QUANTITY_IMPORTANCE for made in maps(response))
        assert not any(made.heatmap.feature_scale for made in maps(response))
    occlusion = explain(stub, method=pb.Explanation.METHOD_OCCLUSION)
    assert occlusion.score == pb.Explanation.SCORE_LOG_PROBABILITY


def test_drivers_of_a_gradient_are_ranked_per_standard_deviation_and_keep_their_unit(stub):
    model = stub.GetModel(pb.GetModelRequest()).model
    deviation = np.array([feature.standard_deviation for feature in model.features])
    for made in maps(explain(stub, method=pb.Explanation.METHOD_GRADIENT)):
        np.testing.assert_allclose(made.heatmap.feature_scale, deviation, rtol=1e-5)
        values = array(made.heatmap.values)
        ranked = np.argsort(-np.abs(values * deviation), axis=None)[:5]
        cells = [(driver.time_index, driver.feature_index) for driver in made.drivers]
        assert cells == list(zip(*np.unravel_index(ranked, (6, 8)), strict=True))
        for driver in made.drivers:
            assert driver.attribution == pytest.approx(values[driver.time_index, driver.feature_index])


def test_smoothgrad_brings_its_sign_stability_and_repeats_with_its_seed(stub):
    drawn = [
        explain(stub, method=pb.Explanation.METHOD_SMOOTHGRAD, seed=seed).results[0].explanation
        for seed in (5, 5, 6)
    ]
    assert drawn[0].heatmap == drawn[1].heatmap != drawn[2].heatmap
    assert array(drawn[0].heatmap.sign_stability).max() <= 1
    assert drawn[0].samples == 16


def test_symbols_come_with_their_bar_times_and_their_window(stub, market):
    made = (
        explain(stub, symbols("AAA"), method=pb.Explanation.METHOD_INTEGRATED_GRADIENTS)
        .results[0]
        .explanation
    )
    final = [bar for bar in market.client.bars("AAA", "1d") if not bar.provisional]
    times = [moment.ToDatetime() for moment in made.bar_close_times]
    assert times == [bar.close_time.replace(tzinfo=None) for bar in final[-6:]]
    window = array(made.window)
    features = stub.GetModel(pb.GetModelRequest()).model.features
    for driver in made.drivers:
        assert driver.value == pytest.approx(float(window[driver.time_index, driver.feature_index]))
        assert driver.bar_close_time == made.bar_close_times[driver.time_index]
        feature = features[driver.feature_index]
        assert driver.feature == feature.name
        z = (driver.value - feature.mean) / feature.standard_deviation
        assert driver.z_score == pytest.approx(z, abs=1e-4)
    again = explain(
        stub, pb.PredictionInput(windows=pb.Windows(count=1, data=array(made.window).tobytes())), method=4
    )
    np.testing.assert_allclose(
        array(again.results[0].explanation.heatmap.values), array(made.heatmap.values), atol=1e-6
    )


def test_the_change_since_the_previous_signal_sums_to_the_change_of_the_score(stub, market):
    asked = {
        "method": pb.Explanation.METHOD_INTEGRATED_GRADIENTS,
        "baseline": pb.Explanation.BASELINE_PREVIOUS,
    }
    latest = explain(stub, symbols("AAA"), **asked)
    assert latest.baseline == pb.Explanation.BASELINE_PREVIOUS
    events = list(market.client.history(symbols=["AAA"], kinds=["confidence"]))
    refs = pb.PredictionInput(signals=pb.SignalRefs(sequences=[event.sequence for event in events[-2:]]))
    past = maps(explain(stub, refs, **asked))
    before = explain(stub, refs, method=pb.Explanation.METHOD_GRADIENT).results[0].explanation
    made = latest.results[0].explanation
    custom = explain(
        stub,
        pb.PredictionInput(windows=pb.Windows(count=1, data=array(made.window).tobytes())),
        method=pb.Explanation.METHOD_INTEGRATED_GRADIENTS,
        baseline_windows=pb.Windows(count=1, data=array(before.window).tobytes()),
    )
    assert custom.baseline == pb.Explanation.BASELINE_CUSTOM
    for one in (past[1], custom.results[0].explanation):
        np.testing.assert_allclose(array(one.heatmap.values), array(made.heatmap.values), atol=1e-5)
        assert one.baseline_score == pytest.approx(made.baseline_score, abs=1e-5)


def test_the_first_signal_of_a_symbol_has_no_previous_one(stub, market):
    first = next(event for event in market.client.history(symbols=["AAA"], kinds=["confidence"]))
    refs = pb.PredictionInput(signals=pb.SignalRefs(sequences=[first.sequence]))
    failed = explain(stub, refs, method=4, baseline=pb.Explanation.BASELINE_PREVIOUS).results[0]
    assert failed.symbol == "AAA"
    assert "AAA" in failed.problem.message
    assert "BASELINE_PREVIOUS" in failed.problem.message


def test_each_item_may_have_its_own_baseline_and_a_background_may_be_given(stub):
    own = windows(3, seed=1)
    each = maps(explain(stub, method=pb.Explanation.METHOD_OCCLUSION, baseline_windows=own))
    one = explain(
        stub,
        method=pb.Explanation.METHOD_OCCLUSION,
        baseline_windows=pb.Windows(count=1, data=own.data[:192]),
    )
    assert each[0].heatmap == one.results[0].explanation.heatmap
    assert each[1].heatmap != one.results[1].explanation.heatmap
    usual = explain(stub, method=pb.Explanation.METHOD_EXPECTED_GRADIENTS)
    assert usual.baseline == pb.Explanation.BASELINE_BACKGROUND
    given = explain(stub, method=pb.Explanation.METHOD_EXPECTED_GRADIENTS, background=own)
    assert given.results[0].explanation.baseline_score != usual.results[0].explanation.baseline_score


@pytest.mark.parametrize(
    ("asked", "code", "field", "text"),
    [
        ({"method": 99}, "INVALID_ARGUMENT", "method", "is 99"),
        ({"score": 9}, "INVALID_ARGUMENT", "score", "is 9"),
        ({"target": 4}, "INVALID_ARGUMENT", "target", "is 4"),
        ({"baseline": 6}, "INVALID_ARGUMENT", "baseline", "is 6"),
        ({"quality": 4}, "INVALID_ARGUMENT", "quality", "is 4"),
        ({"seed": 1 << 63}, "INVALID_ARGUMENT", "seed", "must be 0-"),
        ({"score": pb.Explanation.SCORE_LOGIT, "foil": 3}, "INVALID_ARGUMENT", "foil", "SCORE_LOGIT"),
        ({"score": pb.Explanation.SCORE_UP_MINUS_DOWN, "target": 3}, "INVALID_ARGUMENT", "target", "unset"),
        ({"method": 4, "samples": 513}, "INVALID_ARGUMENT", "samples", "0-512"),
        ({"method": 5, "samples": 65}, "INVALID_ARGUMENT", "samples", "0-64"),
        ({"method": 3, "samples": 513}, "INVALID_ARGUMENT", "samples", "0-512"),
        ({"method": 15, "samples": 513}, "INVALID_ARGUMENT", "samples", "0-512"),
        ({"method": 14, "samples": 1}, "INVALID_ARGUMENT", "samples", "unset"),
        ({"method": 6, "samples": 1}, "INVALID_ARGUMENT", "samples", "unset"),
        ({"method": 1, "baseline": pb.Explanation.BASELINE_MEAN}, "INVALID_ARGUMENT", "baseline", "METHOD_GRADIENT"),
        ({"method": 5, "baseline": pb.Explanation.BASELINE_ZERO}, "INVALID_ARGUMENT", "baseline", "BACKGROUND"),
        ({"method": 4, "baseline": pb.Explanation.BASELINE_BACKGROUND}, "INVALID_ARGUMENT", "baseline", "BACKGROUND"),
        ({"method": 4, "baseline": pb.Explanation.BASELINE_PREVIOUS}, "INVALID_ARGUMENT", "baseline", "windows"),
        ({"method": 4, "baseline": pb.Explanation.BASELINE_CUSTOM}, "INVALID_ARGUMENT",
         "baseline_windows", "must be set"),
        ({"method": 4, "baseline": 1, "baseline_windows": windows()}, "INVALID_ARGUMENT", "baseline_windows", "only"),
        ({"method": 1, "baseline_windows": windows()}, "INVALID_ARGUMENT", "baseline", "METHOD_GRADIENT"),
        ({"method": 4, "baseline_windows": pb.Windows(count=1, data=b"1234")}, "INVALID_ARGUMENT",
         "baseline_windows.data", "4 bytes"),
        ({"method": 4, "baseline_windows": windows(2)}, "INVALID_ARGUMENT", "baseline_windows.count", "(3)"),
        ({"method": 4, "baseline_windows": pb.Windows()}, "INVALID_ARGUMENT", "baseline_windows.count", "is 0"),
        ({"method": 5, "background": pb.Windows()}, "INVALID_ARGUMENT", "background.count", "is 0"),
        ({"method": 5, "background": windows(257)}, "INVALID_ARGUMENT", "background.count", "1-256"),
        ({"method": 5, "background": pb.Windows(count=1, data=b"\xff" * 192)}, "INVALID_ARGUMENT",
         "background.data", "finite"),
        ({"method": 5, "background": pb.Windows(count=1, data=b"abc")}, "INVALID_ARGUMENT",
         "background.data", "3 bytes, expected"),
        ({"method": 4, "background": windows()}, "INVALID_ARGUMENT", "background", "EXPECTED_GRADIENTS"),
        ({"method": 13, "target": 3}, "INVALID_ARGUMENT", "target", "COUNTERFACTUAL"),
        ({"method": 13, "score": pb.Explanation.SCORE_LOGIT}, "INVALID_ARGUMENT", "score", "COUNTERFACTUAL"),
        ({"method": pb.Explanation.METHOD_ATTENTION}, "FAILED_PRECONDITION", None,
         "METHOD_GRADIENT, METHOD_GRADIENT_X_INPUT"),
        ({"method": pb.Explanation.METHOD_ATTENTION_X_GRADIENT}, "FAILED_PRECONDITION", None, "conv1d"),
        ({"model": "nope"}, "NOT_FOUND", None, "sample-conv1d@1"),
    ],
)  # fmt: skip
def test_what_cannot_be_explained_says_why(stub, asked, code, field, text):
    error = refused(explain, stub, **asked)
    assert error.code == code
    assert text in error.message
    if field is not None:
        assert error.violations[0].field == field


def test_a_bad_item_among_explained_ones(stub):
    values = np.random.default_rng(0).normal(size=(2, 6, 8)).astype("<f4")
    values[0, 0, 0] = np.inf
    source = pb.PredictionInput(windows=pb.Windows(count=2, data=values.tobytes()))
    for method in (1, 13):
        made = maps(explain(stub, source, method=method))
        assert made[0] is None
        assert made[1].HasField("heatmap")
