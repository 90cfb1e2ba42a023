"""What every method must hold, and oracles of our own where nobody else has the method."""

import itertools
import math

import numpy as np
import pytest
import torch
from glasstape_server.bench.known_truth import WhiteBox
from glasstape_server.bench.ranking import average_precision
from glasstape_server.explain.catalogue import METHODS
from glasstape_server.explain.method import Quantity, upsampled
from glasstape_server.explain.methods.attention import rollout
from glasstape_server.explain.path import completeness_limit
from glasstape_server.explain.scores import Score
from networks import attribute, make_scorer, rows_of, served

BACKGROUND = torch.from_numpy(np.random.default_rng(5).normal(size=(5, 6, 8)).astype(np.float32))


@pytest.mark.parametrize("axis", [0, 1])
def test_shapley_values_are_those_of_brute_force(axis, windows):
    scorer = make_scorer("transformer", 4, 5)
    window, baseline = windows[:1, :4, :5], windows[1:2, :4, :5]
    made = attribute_small(scorer, window, baseline, ("SHAPLEY_BARS", "SHAPLEY_FEATURES")[axis])
    players = window.shape[1 + axis]

    def worth(coalition):
        mixed = baseline.clone()
        for player in coalition:
            mixed.select(1 + axis, player).copy_(window.select(1 + axis, player))
        return float(made.frozen.of(scorer(mixed)))

    for player in range(players):
        others = [other for other in range(players) if other != player]
        value = 0.0
        for size in range(players):
            weight = math.factorial(size) * math.factorial(players - size - 1) / math.factorial(players)
            for coalition in itertools.combinations(others, size):
                value += weight * (worth({*coalition, player}) - worth(coalition))
        assert float(made.values[0].sum(1 - axis)[player]) == pytest.approx(value, abs=1e-5)
    assert made.native_shape == ((4, 1) if axis == 0 else (1, 5))
    assert float(made.completeness_error) < 1e-5


def attribute_small(scorer, window, baseline, method):
    from glasstape_server.explain.method import MethodName, Request, Rows
    from glasstape_server.explain.scores import Question

    rows = Rows(window, baseline, torch.ones(window.shape[2]))
    return METHODS[MethodName[method]].attribute(scorer, rows, Request(MethodName[method], Question()))


def test_expected_gradients_are_the_mean_of_integrated_gradients_over_the_background(scorer, windows):
    made = attribute(scorer, rows_of(windows, background=BACKGROUND), "EXPECTED_GRADIENTS", samples=16)
    each = [
        attribute(
            scorer,
            rows_of(windows, origin.expand_as(windows)),
            "INTEGRATED_GRADIENTS",
            samples=16,
        )
        for origin in BACKGROUND
    ]
    mean = torch.stack([one.values for one in each]).mean(0)
    np.testing.assert_allclose(made.values, mean, atol=1e-5)
    starts = torch.stack([one.baseline_score for one in each]).mean(0)
    np.testing.assert_allclose(made.baseline_score, starts, atol=1e-5)


@pytest.mark.parametrize("method", ["INTEGRATED_GRADIENTS", "EXPECTED_GRADIENTS"])
def test_path_methods_double_their_steps_until_complete_or_say_that_they_are_not(scorer, windows, method):
    rows = rows_of(windows * 3, background=BACKGROUND)
    made = attribute(scorer, rows, method)
    difference = made.score - made.baseline_score
    most = {"INTEGRATED_GRADIENTS": 512, "EXPECTED_GRADIENTS": 64}[method]
    assert ((made.completeness_error <= completeness_limit(difference)) | (made.samples == most)).all()
    error = (made.values.sum((1, 2)) - difference).abs()
    np.testing.assert_allclose(made.completeness_error, error, atol=1e-5)
    coarse = attribute(scorer, rows, method, samples=1)
    assert (coarse.samples == 1).all()
    assert coarse.completeness_error.mean() >= made.completeness_error.mean() - 1e-6


def test_attention_is_the_product_of_its_layers(windows):
    scorer = make_scorer("transformer")
    _, attention = scorer.attend(windows)
    expected = attention.readout[:, :, 0]
    for layer in reversed(attention.layers):
        flow = 0.5 * layer.weights[:, 0] + 0.5 * torch.eye(6)
        expected = (expected[:, None] @ flow)[:, 0]
    made = attribute(scorer, rows_of(windows), "ATTENTION")
    assert made.native_shape == (6, 1)
    np.testing.assert_allclose(made.values[:, :, 0], expected, atol=1e-6)
    assert torch.equal(made.values, made.values[:, :, :1].expand(-1, -1, 8))


def test_attention_over_both_axes_is_the_product_of_its_token_matrices(windows):
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
    made = attribute(scorer, rows_of(windows), "ATTENTION")
    assert made.native_shape is None or made.native_shape == (6, 8)
    np.testing.assert_allclose(made.values.flatten(1), expected, atol=1e-6)


@pytest.mark.parametrize("name", ["transformer", "axial"])
def test_attention_weights_sum_to_one_and_come_with_the_same_logits(name, windows):
    scorer = make_scorer(name)
    logits, attention = scorer.attend(windows)
    np.testing.assert_allclose(logits, scorer(windows), atol=1e-6)
    for layer in attention.layers:
        np.testing.assert_allclose(layer.weights.sum(-1), 1, atol=1e-5)
    np.testing.assert_allclose(rollout(attention).sum((1, 2)), 1, atol=1e-5)


def test_what_mixes_all_features_has_no_map_of_features(windows):
    native = {"conv1d": (6, 1), "conv2d": (3, 4), "xcm": (6, 8)}
    for name, shape in native.items():
        made = attribute(make_scorer(name), rows_of(windows), "GRAD_CAM")
        assert made.native_shape == shape
        assert (made.values >= 0).all()


@pytest.mark.parametrize("name", ["GRAD_CAM_X_GRADIENT", "ATTENTION_X_GRADIENT"])
def test_coarse_maps_times_gradient_are_just_that(name, windows):
    scorer = make_scorer("conv1d" if "CAM" in name else "transformer")
    baseline = windows.flip(0)
    rows = rows_of(windows, baseline)
    coarse = attribute(scorer, rows, name.removesuffix("_X_GRADIENT")).values
    gradient = attribute(scorer, rows, "GRADIENT").values
    peak = coarse.amax((1, 2), keepdim=True).clamp_min(1e-30)
    made = attribute(scorer, rows, name)
    np.testing.assert_allclose(made.values, coarse / peak * gradient * (windows - baseline), atol=1e-6)
    assert made.native_shape is None


def test_smoothgrad_counts_the_draws_that_agree_in_sign(scorer, windows):
    made = attribute(scorer, rows_of(windows), "SMOOTHGRAD", samples=8)
    assert ((made.sign_stability >= 0) & (made.sign_stability <= 1)).all()
    again = attribute(scorer, rows_of(windows), "SMOOTHGRAD", samples=8)
    other = attribute(scorer, rows_of(windows), "SMOOTHGRAD", samples=8, seed=1)
    assert torch.equal(made.values, again.values)
    if "Linear" not in type(scorer.network).__name__:
        assert not torch.equal(made.values, other.values)
    else:
        assert (made.sign_stability == 1).all()


def test_a_linear_model_explains_itself_exactly(windows):
    scorer = make_scorer("linear")
    baseline = windows.flip(0)
    rows = rows_of(windows, baseline)
    weights = scorer.network.head.weight.view(3, 6, 8) / scorer.deviation
    gradient = attribute(scorer, rows, "GRADIENT")
    margin = weights[gradient.frozen.target] - weights[gradient.frozen.foil]
    np.testing.assert_allclose(gradient.values, margin, atol=1e-6)
    for name in ("INTEGRATED_GRADIENTS", "OCCLUSION", "GRADIENT_X_INPUT"):
        made = attribute(scorer, rows, name)
        np.testing.assert_allclose(made.values, margin * (windows - baseline), atol=1e-5)


def test_gradients_agree_with_finite_differences_in_double_precision(scorer, windows):
    double = scorer.double()
    x = windows[:2].double().requires_grad_(True)
    assert torch.autograd.gradcheck(double, (x,), eps=1e-6, atol=1e-6)
    for score in Score:
        made = attribute(double, rows_of(windows[:2].double()), "GRADIENT", score=score)
        for cell in ((0, 0), (5, 3)):
            moved = [windows[:2].double() for _ in range(2)]
            moved[0][:, cell[0], cell[1]] += 1e-6
            moved[1][:, cell[0], cell[1]] -= 1e-6
            up, down = (made.frozen.of(double(part)) for part in moved)
            np.testing.assert_allclose(made.values[:, cell[0], cell[1]], (up - down) / 2e-6, atol=1e-6)


def test_a_white_box_is_recovered_exactly(windows):
    for seed in range(4):
        cells = torch.rand(6, 8, generator=torch.Generator().manual_seed(seed)) < 0.2
        for name in ("INTEGRATED_GRADIENTS", "OCCLUSION"):
            made = attribute(WhiteBox(cells), rows_of(windows), name)
            strength = made.values.abs().double().flatten(1).numpy()
            truth = cells.flatten().expand(len(windows), -1).numpy()
            assert (average_precision(strength, truth) == 1.0).all()


def test_a_feature_that_the_network_ignores_gets_nothing_at_all(scorer, windows):
    class Ignoring(torch.nn.Module):
        def forward(self, x):
            return scorer(torch.cat([x[..., :3], torch.zeros_like(x[..., 3:4]), x[..., 4:]], 2))

    rows = rows_of(windows, windows.flip(0), BACKGROUND)
    for name in ("GRADIENT", "GRADIENT_X_INPUT", "SMOOTHGRAD", "INTEGRATED_GRADIENTS", "EXPECTED_GRADIENTS",
                 "OCCLUSION", "SHAPLEY_FEATURES"):  # fmt: skip
        made = attribute(Ignoring(), rows, name, samples=2 if "EXPECTED" in name else 0)
        assert (made.values[:, :, 3] == 0).all(), name
        assert (made.values[:, :, :3] != 0).any(), name


def test_margins_ignore_a_shift_of_all_logits_and_single_logits_do_not(scorer, windows):
    class Shifted(torch.nn.Module):
        def forward(self, x):
            return scorer(x) + 5 * torch.tanh(3 * x[:, :1, 0])

    rows = rows_of(windows)
    for score, equal in ((Score.MARGIN, True), (Score.LOG_PROBABILITY, True), (Score.LOGIT, False)):
        plain = attribute(scorer, rows, "GRADIENT", score=score).values
        shifted = attribute(Shifted(), rows, "GRADIENT", score=score).values
        assert torch.allclose(plain, shifted, atol=1e-4) is equal


def test_a_row_is_explained_the_same_alone_and_in_a_batch(scorer, windows):
    rows = rows_of(windows, windows.flip(0), BACKGROUND)
    for name in served(scorer):
        whole = attribute(scorer, rows, name)
        for row in (0, 7):
            one = rows_of(windows[row : row + 1], windows.flip(0)[row : row + 1], BACKGROUND)
            alone = attribute(scorer, one, name)
            np.testing.assert_allclose(whole.values[row], alone.values[0], atol=1e-5, err_msg=name)


def test_the_map_belongs_to_the_forward_pass_that_predicts(scorer, windows):
    for name in served(scorer):
        made = attribute(scorer, rows_of(windows, background=BACKGROUND), name)
        np.testing.assert_allclose(made.logits, scorer(windows), atol=1e-5, err_msg=name)
        top = made.logits.topk(2, dim=1).indices
        assert torch.equal(made.frozen.target, top[:, 0])
        assert torch.equal(made.frozen.foil, top[:, 1])


def test_contributions_sum_to_the_score_difference(scorer, windows):
    rows = rows_of(windows, windows.flip(0), BACKGROUND)
    for name in served(scorer):
        from glasstape_server.explain.method import MethodName

        if METHODS[MethodName[name]].quantity is Quantity.CONTRIBUTION:
            made = attribute(scorer, rows, name)
            difference = made.score - made.baseline_score
            np.testing.assert_allclose(made.values.sum((1, 2)), difference, atol=0.02, err_msg=name)


def test_explaining_leaves_no_trace_on_the_network_nor_on_the_global_random_state(scorer, windows):
    state = torch.random.get_rng_state()
    for name in served(scorer):
        attribute(scorer, rows_of(windows, background=BACKGROUND), name)
    assert all(p.grad is None and not p.requires_grad for p in scorer.parameters())
    assert not any(m._forward_hooks or m._backward_hooks for m in scorer.modules())
    assert torch.equal(state, torch.random.get_rng_state())
    assert not windows.requires_grad


def test_coarse_maps_are_upsampled_in_blocks():
    coarse = torch.tensor([[[1.0, 2.0], [3.0, 4.0]]])
    assert upsampled(coarse, (4, 6))[0].tolist() == [[1, 1, 1, 2, 2, 2]] * 2 + [[3, 3, 3, 4, 4, 4]] * 2
