import numpy as np
import pytest
import torch
from glasstape_server.explain.evidence import hold_against, spearman
from glasstape_server.explain.method import MethodName, Request
from glasstape_server.explain.scores import Question
from networks import MEAN, attribute, make_scorer, rows_of

BACKGROUND = torch.from_numpy(np.random.default_rng(5).normal(size=(6, 6, 8)).astype(np.float32))


def evidence(scorer, windows, method, seed=0):
    rows = rows_of(windows, MEAN.expand_as(windows), BACKGROUND)
    made = attribute(scorer, rows, method)
    request = Request(MethodName[method], Question(), seed=seed)
    return hold_against(scorer, rows, MEAN, made, request), made


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


def test_occlusion_agrees_with_itself_and_a_linear_model_with_everything(windows):
    scorer = make_scorer("linear")
    for method in ("OCCLUSION", "INTEGRATED_GRADIENTS"):
        seen, _ = evidence(scorer, windows, method)
        np.testing.assert_allclose(seen.occlusion_correlation, 1, atol=1e-3)
        assert (seen.sign_agreement == 1).all()
        assert (seen.deletion[:, 0] >= seen.random_deletion[:, 0]).all()


def test_coarse_maps_are_compared_at_their_own_resolution(windows):
    seen, made = evidence(make_scorer("transformer"), windows, "SHAPLEY_BARS")
    assert made.native_shape == (6, 1)
    assert (seen.occlusion_correlation.abs() <= 1).all()
    assert seen.sign_stability.shape == windows.shape


def test_evidence_of_a_row_does_not_depend_on_its_batch_and_repeats(windows):
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
    made = attribute(scorer, rows, "GRADIENT")
    made.values[0] = torch.nan
    seen = hold_against(scorer, rows, MEAN, made, Request(MethodName.GRADIENT, Question()))
    assert torch.isfinite(seen.deletion).all()


def test_an_occlusion_is_not_compared_with_itself(windows):
    seen, made = evidence(make_scorer("conv1d"), windows, "OCCLUSION")
    assert (seen.occlusion_correlation < 0.9999).any()
    gradients, _ = evidence(make_scorer("conv1d"), windows, "INTEGRATED_GRADIENTS")
    np.testing.assert_allclose(seen.occlusion_correlation, gradients.occlusion_correlation, atol=0.02)
    assert made.native_shape is None


def test_of_a_map_of_bars_whole_bars_are_removed(windows):
    """Ties within a bar must not decide what is removed."""
    scorer = make_scorer("linear")
    seen, made = evidence(scorer, windows, "SHAPLEY_BARS")
    top = made.values.sum(2).abs().argmax(1)
    for row, bar in enumerate(top):
        without = windows[row : row + 1].clone()
        without[:, bar] = MEAN
        change = (made.score[row] - made.frozen.rows(torch.tensor([row])).of(scorer(without))).abs()
        assert float(seen.deletion[row, 0]) == pytest.approx(float(change), abs=1e-5)
