import numpy as np
import pytest
import torch
from glasstape_server.explain.evidence import measure, spearman
from glasstape_server.explain.method import MethodName, Request
from glasstape_server.explain.scores import ScoreSpec
from networks import MEAN, attribute, make_scorer, rows_of

BACKGROUND = torch.from_numpy(np.random.default_rng(5).normal(size=(6, 6, 8)).astype(np.float32))


def evidence(scorer, windows, method, seed=0):
    rows = rows_of(windows, MEAN.expand_as(windows), BACKGROUND)
    attribution = attribute(scorer, rows, method)
    request = Request(MethodName[method], ScoreSpec(), seed=seed)
    return measure(scorer, rows, MEAN, attribution, request), attribution


@pytest.mark.parametrize(
    ("left", "right", "expected"),
    [
        ([1, 2, 3, 4], [10, 20, 30, 40], 1.0),
        ([1, 2, 3, 4], [4, 3, 2, 1], -1.0),
        ([1, 2, 3, 4], [2, 1, 4, 3], 0.6),
        ([1, 2, 2, 3], [1, 3, 2, 4], 0.948683),  # ties share their mean rank
        ([1, 1, 1, 1], [1, 2, 3, 4], 0.0),
    ],
)
def test_spearman_is_the_correlation_of_mean_ranks(left, right, expected):
    rows = (torch.tensor([values], dtype=torch.float32) for values in (left, right))
    assert float(spearman(*rows)) == pytest.approx(expected, abs=1e-5)


def test_maps_of_a_linear_model_pass_every_check(windows):
    scorer = make_scorer("linear")
    for method in ("OCCLUSION", "INTEGRATED_GRADIENTS"):
        measured, _ = evidence(scorer, windows, method)
        np.testing.assert_allclose(measured.occlusion_correlation, 1, atol=1e-3)
        assert (measured.sign_agreement == 1).all()
        assert (measured.deletion[:, 0] >= measured.random_deletion[:, 0]).all()


def test_coarse_maps_are_compared_at_their_own_resolution(windows):
    measured, attribution = evidence(make_scorer("transformer"), windows, "SHAPLEY_BARS")
    assert attribution.native_shape == (6, 1)
    assert (measured.occlusion_correlation.abs() <= 1).all()
    assert measured.sign_stability.shape == windows.shape


def test_evidence_of_a_row_is_reproducible_and_independent_of_its_batch(windows):
    scorer = make_scorer("conv1d")
    whole, _ = evidence(scorer, windows, "GRADIENT")
    again, _ = evidence(scorer, windows, "GRADIENT")
    alone, _ = evidence(scorer, windows[3:4], "GRADIENT")
    for name in ("sign_agreement", "occlusion_correlation", "deletion", "random_deletion"):
        assert torch.equal(getattr(whole, name), getattr(again, name))
        np.testing.assert_allclose(getattr(whole, name)[3], getattr(alone, name)[0], atol=1e-4)


def test_a_broken_map_is_measured_without_an_exception(windows):
    scorer = make_scorer("conv1d")
    rows = rows_of(windows, MEAN.expand_as(windows), BACKGROUND)
    attribution = attribute(scorer, rows, "GRADIENT")
    attribution.values[0] = torch.nan
    measured = measure(scorer, rows, MEAN, attribution, Request(MethodName.GRADIENT, ScoreSpec()))
    assert torch.isfinite(measured.deletion).all()


def test_an_occlusion_map_is_compared_with_integrated_gradients(windows):
    measured, attribution = evidence(make_scorer("conv1d"), windows, "OCCLUSION")
    assert (measured.occlusion_correlation < 0.9999).any()
    gradients, _ = evidence(make_scorer("conv1d"), windows, "INTEGRATED_GRADIENTS")
    np.testing.assert_allclose(measured.occlusion_correlation, gradients.occlusion_correlation, atol=0.02)
    assert attribution.native_shape is None


def test_deletion_of_a_map_of_bars_removes_whole_bars(windows):
    """Ties within a bar must not decide which cells are removed."""
    scorer = make_scorer("linear")
    measured, attribution = evidence(scorer, windows, "SHAPLEY_BARS")
    top = attribution.values.sum(2).abs().argmax(1)
    for row, bar in enumerate(top):
        without = windows[row : row + 1].clone()
        without[:, bar] = MEAN
        score = attribution.frozen.rows(torch.tensor([row])).of(scorer(without))
        change = (attribution.score[row] - score).abs()
        assert float(measured.deletion[row, 0]) == pytest.approx(float(change), abs=1e-5)
