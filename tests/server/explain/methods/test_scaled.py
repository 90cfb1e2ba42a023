"""Scaled gradient and scaled path gradient, and what makes maps comparable across features."""

import numpy as np
import pytest
import torch
from glasstape_server.bench.known_truth.white_box import WhiteBox
from glasstape_server.explain.catalog import METHODS
from glasstape_server.explain.method import MethodName, Quantity, Request, Rows
from glasstape_server.explain.scores import Score, ScoreSpec
from glasstape_server.explain.units import comparable
from glasstape_server.models.networks.architectures import build, default_config
from glasstape_server.models.scorer import Scorer
from hypothesis import given, settings
from hypothesis import strategies as st
from networks import DEVIATION, MEAN, attribute, make_scorer, rows_of

SCALED = ("SCALED_GRADIENT", "SCALED_PATH_GRADIENT")
BACKGROUND = torch.from_numpy(np.random.default_rng(5).normal(size=(5, 6, 8)).astype(np.float32))


@pytest.mark.parametrize("name", SCALED)
def test_the_map_of_a_linear_model_is_weight_times_departure(windows, name):
    scorer = make_scorer("linear")
    rows = rows_of(windows, MEAN.expand_as(windows))
    attribution = attribute(scorer, rows, name)
    weights = scorer.network.head.weight.view(3, 6, 8) / scorer.deviation
    margin = weights[attribution.frozen.target] - weights[attribution.frozen.foil]
    departure = torch.sqrt((windows - MEAN) ** 2 + DEVIATION**2)
    np.testing.assert_allclose(attribution.values, margin * departure, atol=1e-5)


def test_the_scaled_gradient_is_the_derivative_times_the_departure(scorer, windows):
    double, x = scorer.double(), windows[:2].double()
    rows = Rows(x, MEAN.double().expand_as(x), DEVIATION.double())
    attribution = attribute(double, rows, "SCALED_GRADIENT", score=Score.LOG_PROBABILITY)
    departure = torch.sqrt((x - MEAN) ** 2 + DEVIATION**2)
    for cell in ((0, 0), (5, 3)):
        step = torch.zeros_like(x)
        step[:, cell[0], cell[1]] = 1e-6
        up, down = (attribution.frozen.of(double(part)) for part in (x + step, x - step))
        slope = (up - down) / 2e-6
        np.testing.assert_allclose(
            attribution.values[:, cell[0], cell[1]], slope * departure[:, cell[0], cell[1]], atol=1e-6
        )


def test_the_path_gradient_is_integrated_gradients_with_the_departure_for_the_difference(scorer, windows):
    rows = rows_of(windows, MEAN.expand_as(windows))
    path = attribute(scorer, rows, "SCALED_PATH_GRADIENT", samples=32)
    integrated = attribute(scorer, rows, "INTEGRATED_GRADIENTS", samples=32)
    difference = windows - MEAN
    departure = torch.sqrt(difference**2 + DEVIATION**2)
    np.testing.assert_allclose(path.values * difference / departure, integrated.values, atol=1e-4)
    assert (path.samples == 32).all()
    assert (attribute(scorer, rows, "SCALED_PATH_GRADIENT").samples == 8).all()


@pytest.mark.parametrize("name", SCALED)
def test_a_white_box_is_recovered_exactly(windows, name):
    cells = torch.rand(6, 8, generator=torch.Generator().manual_seed(3)) < 0.2
    attribution = attribute(WhiteBox(cells), rows_of(windows), name)
    assert ((attribution.values != 0) == cells).all()


@pytest.mark.parametrize("name", SCALED)
def test_the_sign_is_that_of_the_direction_in_which_the_score_rises(windows, name):
    class Rising(torch.nn.Module):
        def forward(self, x):
            return torch.stack([-x[:, 2, 1], torch.zeros(len(x)), x[:, 2, 1]], 1)

    spec = ScoreSpec(Score.UP_MINUS_DOWN)
    values = (
        METHODS[MethodName[name]]
        .attribute(Rising(), rows_of(windows), Request(MethodName[name], spec))
        .values
    )
    assert (values[:, 2, 1] > 0).all()
    assert (values != 0).sum() == len(windows)


@settings(max_examples=15)
@given(
    factors=st.lists(st.floats(1e-3, 1e3), min_size=8, max_size=8),
    architecture=st.sampled_from(["linear", "conv1d", "conv2d", "transformer", "xcm"]),
    seed=st.integers(0, 2**16),
)
def test_rescaling_a_feature_with_its_statistics_changes_no_map(factors, architecture, seed):
    factor = torch.tensor(factors)
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        network = build(architecture, default_config(architecture, 6, 8))
        windows = MEAN + DEVIATION * torch.randn(3, 6, 8)
    plain = Scorer(network, MEAN, DEVIATION).eval().requires_grad_(False)
    scaled = Scorer(network, MEAN * factor, DEVIATION * factor).eval().requires_grad_(False)
    baseline = MEAN.expand_as(windows)
    rows = Rows(windows, baseline, DEVIATION, BACKGROUND)
    scaled_rows = Rows(windows * factor, baseline * factor, DEVIATION * factor, BACKGROUND * factor)
    for name, method in METHODS.items():
        if not method.serves(plain, (6, 8)):
            continue
        request = Request(name, ScoreSpec(method.default_score), samples=2 if method.max_samples else 0)
        ours, theirs = method.attribute(plain, rows, request), method.attribute(scaled, scaled_rows, request)
        before = comparable(ours.values.numpy(), method.quantity, DEVIATION.numpy())
        after = comparable(theirs.values.numpy(), method.quantity, (DEVIATION * factor).numpy())
        np.testing.assert_allclose(after, before, atol=2e-3 * np.abs(before).max() + 1e-6, err_msg=name.name)


def test_only_sensitivities_and_changes_have_units_of_their_features():
    deviation = np.array([0.5, 2.0], np.float32)
    values = np.ones((3, 2), np.float32)
    for quantity in Quantity:
        scale = {Quantity.SENSITIVITY: deviation, Quantity.CHANGE: 1 / deviation}.get(quantity, np.ones(2))
        np.testing.assert_array_equal(comparable(values, quantity, deviation), values * scale)
