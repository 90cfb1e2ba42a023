"""Properties of every method, and reference implementations of those that Captum does not have."""

import itertools
import math

import numpy as np
import pytest
import torch
from glasstape_server.bench.known_truth.white_box import WhiteBox
from glasstape_server.bench.ranking import average_precision
from glasstape_server.explain.catalog import METHODS
from glasstape_server.explain.method import MethodName, Quantity, Request, Rows, upsampled
from glasstape_server.explain.methods.attention_rollout import rollout
from glasstape_server.explain.path import completeness_limit
from glasstape_server.explain.scores import Score, ScoreSpec
from networks import attribute, make_scorer, rows_of, served

BACKGROUND = torch.from_numpy(np.random.default_rng(5).normal(size=(5, 6, 8)).astype(np.float32))


@pytest.mark.parametrize("axis", [0, 1])
def test_shapley_values_equal_the_definition(axis, windows):
    scorer = make_scorer("transformer", 4, 5)
    window, baseline = windows[:1, :4, :5], windows[1:2, :4, :5]
    attribution = attribute_small(scorer, window, baseline, ("SHAPLEY_BARS", "SHAPLEY_FEATURES")[axis])
    players = window.shape[1 + axis]

    def worth(coalition):
        mixed = baseline.clone()
        for player in coalition:
            mixed.select(1 + axis, player).copy_(window.select(1 + axis, player))
        return float(attribution.frozen.of(scorer(mixed)))

    for player in range(players):
        others = [other for other in range(players) if other != player]
        value = 0.0
        for size in range(players):
            weight = math.factorial(size) * math.factorial(players - size - 1) / math.factorial(players)
            for coalition in itertools.combinations(others, size):
                value += weight * (worth({*coalition, player}) - worth(coalition))
        assert float(attribution.values[0].sum(1 - axis)[player]) == pytest.approx(value, abs=1e-5)
    assert attribution.native_shape == ((4, 1) if axis == 0 else (1, 5))
    assert float(attribution.completeness_error) < 1e-5


def attribute_small(scorer, window, baseline, method):
    rows = Rows(window, baseline, torch.ones(window.shape[2]))
    return METHODS[MethodName[method]].attribute(scorer, rows, Request(MethodName[method], ScoreSpec()))


def test_expected_gradients_are_the_mean_of_integrated_gradients_over_the_background(scorer, windows):
    attribution = attribute(scorer, rows_of(windows, background=BACKGROUND), "EXPECTED_GRADIENTS", samples=16)
    by_baseline = [
        attribute(
            scorer,
            rows_of(windows, baseline.expand_as(windows)),
            "INTEGRATED_GRADIENTS",
            samples=16,
        )
        for baseline in BACKGROUND
    ]
    mean = torch.stack([each.values for each in by_baseline]).mean(0)
    np.testing.assert_allclose(attribution.values, mean, atol=1e-5)
    starts = torch.stack([each.baseline_score for each in by_baseline]).mean(0)
    np.testing.assert_allclose(attribution.baseline_score, starts, atol=1e-5)


@pytest.mark.parametrize("method", ["INTEGRATED_GRADIENTS", "EXPECTED_GRADIENTS"])
def test_path_methods_double_their_steps_until_complete_or_report_the_error(scorer, windows, method):
    rows = rows_of(windows * 3, background=BACKGROUND)
    attribution = attribute(scorer, rows, method)
    difference = attribution.score - attribution.baseline_score
    most = {"INTEGRATED_GRADIENTS": 512, "EXPECTED_GRADIENTS": 64}[method]
    assert (
        (attribution.completeness_error <= completeness_limit(difference)) | (attribution.samples == most)
    ).all()
    error = (attribution.values.sum((1, 2)) - difference).abs()
    np.testing.assert_allclose(attribution.completeness_error, error, atol=1e-5)
    coarse = attribute(scorer, rows, method, samples=1)
    assert (coarse.samples == 1).all()
    assert coarse.completeness_error.mean() >= attribution.completeness_error.mean() - 1e-6


def test_attention_rollout_is_the_product_of_the_layers(windows):
    scorer = make_scorer("transformer")
    _, attention = scorer.attend(windows)
    expected = attention.readout[:, :, 0]
    for layer in reversed(attention.layers):
        flow = 0.5 * layer.weights[:, 0] + 0.5 * torch.eye(6)
        expected = (expected[:, None] @ flow)[:, 0]
    attribution = attribute(scorer, rows_of(windows), "ATTENTION")
    assert attribution.native_shape == (6, 1)
    np.testing.assert_allclose(attribution.values[:, :, 0], expected, atol=1e-6)
    assert torch.equal(attribution.values, attribution.values[:, :, :1].expand(-1, -1, 8))


def test_attention_rollout_over_both_axes_is_the_product_of_the_token_matrices(windows):
    scorer = make_scorer("axial")
    _, attention = scorer.attend(windows)
    expected = attention.readout.flatten(1)
    for layer in reversed(attention.layers):
        full = torch.zeros(len(windows), 6, 8, 6, 8)
        for t, f in itertools.product(range(6), range(8)):
            if layer.axis == "time":
                full[:, t, f, :, f] = layer.weights[:, f, t]
            else:
                full[:, t, f, t, :] = layer.weights[:, t, f]
        flow = 0.5 * full.view(-1, 48, 48) + 0.5 * torch.eye(48)
        expected = (expected[:, None] @ flow)[:, 0]
    attribution = attribute(scorer, rows_of(windows), "ATTENTION")
    assert attribution.native_shape is None or attribution.native_shape == (6, 8)
    np.testing.assert_allclose(attribution.values.flatten(1), expected, atol=1e-6)


@pytest.mark.parametrize("name", ["transformer", "axial"])
def test_attention_weights_sum_to_one_and_come_with_the_same_logits(name, windows):
    scorer = make_scorer(name)
    logits, attention = scorer.attend(windows)
    np.testing.assert_allclose(logits, scorer(windows), atol=1e-6)
    for layer in attention.layers:
        np.testing.assert_allclose(layer.weights.sum(-1), 1, atol=1e-5)
    np.testing.assert_allclose(rollout(attention).sum((1, 2)), 1, atol=1e-5)


def test_grad_cam_has_the_resolution_of_the_convolution(windows):
    native = {"conv1d": (6, 1), "conv2d": (3, 4), "xcm": (6, 8)}
    for name, shape in native.items():
        attribution = attribute(make_scorer(name), rows_of(windows), "GRAD_CAM")
        assert attribution.native_shape == shape
        assert (attribution.values >= 0).all()


@pytest.mark.parametrize("name", ["GRAD_CAM_X_GRADIENT", "ATTENTION_X_GRADIENT"])
def test_coarse_x_gradient_is_the_product_of_both_maps(name, windows):
    scorer = make_scorer("conv1d" if "CAM" in name else "transformer")
    baseline = windows.flip(0)
    rows = rows_of(windows, baseline)
    coarse = attribute(scorer, rows, name.removesuffix("_X_GRADIENT")).values
    gradient = attribute(scorer, rows, "GRADIENT").values
    peak = coarse.amax((1, 2), keepdim=True).clamp_min(1e-30)
    attribution = attribute(scorer, rows, name)
    np.testing.assert_allclose(attribution.values, coarse / peak * gradient * (windows - baseline), atol=1e-6)
    assert attribution.native_shape is None


def test_smoothgrad_is_reproducible_and_reports_sign_stability(scorer, windows):
    attribution = attribute(scorer, rows_of(windows), "SMOOTHGRAD", samples=8)
    assert ((attribution.sign_stability >= 0) & (attribution.sign_stability <= 1)).all()
    again = attribute(scorer, rows_of(windows), "SMOOTHGRAD", samples=8)
    other = attribute(scorer, rows_of(windows), "SMOOTHGRAD", samples=8, seed=1)
    assert torch.equal(attribution.values, again.values)
    if "Linear" not in type(scorer.network).__name__:
        assert not torch.equal(attribution.values, other.values)
    else:
        assert (attribution.sign_stability == 1).all()


def test_maps_of_a_linear_model_equal_its_weights(windows):
    scorer = make_scorer("linear")
    baseline = windows.flip(0)
    rows = rows_of(windows, baseline)
    weights = scorer.network.head.weight.view(3, 6, 8) / scorer.deviation
    gradient = attribute(scorer, rows, "GRADIENT")
    margin = weights[gradient.frozen.target] - weights[gradient.frozen.foil]
    np.testing.assert_allclose(gradient.values, margin, atol=1e-6)
    for name in ("INTEGRATED_GRADIENTS", "OCCLUSION", "GRADIENT_X_INPUT"):
        attribution = attribute(scorer, rows, name)
        np.testing.assert_allclose(attribution.values, margin * (windows - baseline), atol=1e-5)


def test_gradients_agree_with_finite_differences_in_double_precision(scorer, windows):
    double = scorer.double()
    x = windows[:2].double().requires_grad_(True)
    assert torch.autograd.gradcheck(double, (x,), eps=1e-6, atol=1e-6)
    for score in Score:
        attribution = attribute(double, rows_of(windows[:2].double()), "GRADIENT", score=score)
        for cell in ((0, 0), (5, 3)):
            shifted = [windows[:2].double() for _ in range(2)]
            shifted[0][:, cell[0], cell[1]] += 1e-6
            shifted[1][:, cell[0], cell[1]] -= 1e-6
            up, down = (attribution.frozen.of(double(part)) for part in shifted)
            np.testing.assert_allclose(attribution.values[:, cell[0], cell[1]], (up - down) / 2e-6, atol=1e-6)


def test_a_white_box_is_recovered_exactly(windows):
    for seed in range(4):
        cells = torch.rand(6, 8, generator=torch.Generator().manual_seed(seed)) < 0.2
        for name in ("INTEGRATED_GRADIENTS", "OCCLUSION"):
            attribution = attribute(WhiteBox(cells), rows_of(windows), name)
            strength = attribution.values.abs().double().flatten(1).numpy()
            truth = cells.flatten().expand(len(windows), -1).numpy()
            assert (average_precision(strength, truth) == 1.0).all()


def test_a_feature_that_the_network_ignores_has_zero_attribution(scorer, windows):
    class Ignoring(torch.nn.Module):
        def forward(self, x):
            return scorer(torch.cat([x[..., :3], torch.zeros_like(x[..., 3:4]), x[..., 4:]], 2))

    rows = rows_of(windows, windows.flip(0), BACKGROUND)
    for name in ("GRADIENT", "GRADIENT_X_INPUT", "SMOOTHGRAD", "INTEGRATED_GRADIENTS", "EXPECTED_GRADIENTS",
                 "OCCLUSION", "SHAPLEY_FEATURES"):  # fmt: skip
        attribution = attribute(Ignoring(), rows, name, samples=2 if "EXPECTED" in name else 0)
        assert (attribution.values[:, :, 3] == 0).all(), name
        assert (attribution.values[:, :, :3] != 0).any(), name


def test_margins_ignore_a_shift_of_all_logits_and_single_logits_do_not(scorer, windows):
    class Shifted(torch.nn.Module):
        def forward(self, x):
            return scorer(x) + 5 * torch.tanh(3 * x[:, :1, 0])

    rows = rows_of(windows)
    for score, equal in ((Score.MARGIN, True), (Score.LOG_PROBABILITY, True), (Score.LOGIT, False)):
        plain = attribute(scorer, rows, "GRADIENT", score=score).values
        shifted = attribute(Shifted(), rows, "GRADIENT", score=score).values
        assert torch.allclose(plain, shifted, atol=1e-4) is equal


def test_the_map_of_a_row_does_not_depend_on_its_batch(scorer, windows):
    rows = rows_of(windows, windows.flip(0), BACKGROUND)
    for name in served(scorer):
        whole = attribute(scorer, rows, name)
        for row in (0, 7):
            one = rows_of(windows[row : row + 1], windows.flip(0)[row : row + 1], BACKGROUND)
            alone = attribute(scorer, one, name)
            np.testing.assert_allclose(whole.values[row], alone.values[0], atol=1e-5, err_msg=name)


def test_the_map_belongs_to_the_forward_pass_that_predicts(scorer, windows):
    for name in served(scorer):
        attribution = attribute(scorer, rows_of(windows, background=BACKGROUND), name)
        np.testing.assert_allclose(attribution.logits, scorer(windows), atol=1e-5, err_msg=name)
        top = attribution.logits.topk(2, dim=1).indices
        assert torch.equal(attribution.frozen.target, top[:, 0])
        assert torch.equal(attribution.frozen.foil, top[:, 1])


def test_contributions_sum_to_the_score_difference(scorer, windows):
    rows = rows_of(windows, windows.flip(0), BACKGROUND)
    for name in served(scorer):
        if METHODS[MethodName[name]].quantity is Quantity.CONTRIBUTION:
            attribution = attribute(scorer, rows, name)
            difference = attribution.score - attribution.baseline_score
            np.testing.assert_allclose(attribution.values.sum((1, 2)), difference, atol=0.02, err_msg=name)


def test_explaining_changes_neither_the_network_nor_the_global_random_state(scorer, windows):
    state = torch.random.get_rng_state()
    for name in served(scorer):
        attribute(scorer, rows_of(windows, background=BACKGROUND), name)
    assert all(p.grad is None and not p.requires_grad for p in scorer.parameters())
    # torch has no public list of a module's hooks.
    assert not any(m._forward_hooks or m._backward_hooks for m in scorer.modules())
    assert torch.equal(state, torch.random.get_rng_state())
    assert not windows.requires_grad


def test_coarse_maps_are_upsampled_in_blocks():
    coarse = torch.tensor([[[1.0, 2.0], [3.0, 4.0]]])
    assert upsampled(coarse, (4, 6))[0].tolist() == [[1, 1, 1, 2, 2, 2]] * 2 + [[3, 3, 3, 4, 4, 4]] * 2
