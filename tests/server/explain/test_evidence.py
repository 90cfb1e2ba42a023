import numpy as np
import pytest
import torch
from glasstape_server.explain.evidence import measure
from glasstape_server.explain.method import MethodName, Request
from glasstape_server.explain.scores import ScoreSpec
from networks import DEVIATION, MEAN, attribute, make_scorer, rows_of

BACKGROUND = torch.from_numpy(np.random.default_rng(5).normal(size=(6, 6, 8)).astype(np.float32))


def evidence(scorer, windows, method, seed=0):
    rows = rows_of(windows, MEAN.expand_as(windows), BACKGROUND)
    attribution = attribute(scorer, rows, method)
    request = Request(MethodName[method], ScoreSpec(), seed=seed)
    return measure(scorer, rows, MEAN, attribution, request), attribution


def test_maps_of_a_linear_model_pass_every_check(windows):
    scorer = make_scorer("linear")
    for method in ("OCCLUSION", "INTEGRATED_GRADIENTS"):
        measured, _ = evidence(scorer, windows, method)
        assert (measured.sign_agreement == 1).all()
        assert (measured.deletion[:, 0] >= measured.random_deletion[:, 0]).all()


def test_coarse_maps_are_measured_at_their_own_resolution(windows):
    measured, attribution = evidence(make_scorer("transformer"), windows, "SHAPLEY_BARS")
    assert attribution.native_shape == (6, 1)
    assert measured.sign_stability.shape == windows.shape
    bars = attribution.values.sum(2).abs()
    shares = bars / bars.sum(1, keepdim=True)
    np.testing.assert_allclose(measured.concentration, (shares**2).sum(1), rtol=1e-4)


def test_concentration_is_one_for_a_single_cell_and_least_for_equal_cells(windows):
    rows = rows_of(windows[:2], MEAN.expand_as(windows[:2]), BACKGROUND)
    attribution = attribute(make_scorer("linear"), rows, "OCCLUSION")
    attribution.values[0] = torch.zeros(6, 8)
    attribution.values[0, 3, 4] = -2.0
    attribution.values[1] = torch.ones(6, 8)
    request = Request(MethodName.OCCLUSION, ScoreSpec())
    measured = measure(make_scorer("linear"), rows, MEAN, attribution, request)
    np.testing.assert_allclose(measured.concentration, [1, 1 / 48], rtol=1e-5)


def test_strongest_cells_of_a_gradient_are_those_per_standard_deviation(windows):
    """A feature in small units has large derivatives, which must not make its cells the strongest."""
    scorer = make_scorer("linear")
    rows = rows_of(windows, MEAN.expand_as(windows), BACKGROUND)
    attribution = attribute(scorer, rows, "GRADIENT")
    measured = measure(scorer, rows, MEAN, attribution, Request(MethodName.GRADIENT, ScoreSpec()))
    strength = (attribution.values * DEVIATION).abs().flatten(1)
    top = strength.topk(5, dim=1).indices
    for row in range(len(windows)):
        without, change = windows[row].clone(), 0.0
        before = float(attribution.score[row])
        for cell in top[row]:
            without.view(-1)[cell] = MEAN[cell % 8]
            after = float(attribution.frozen.rows(torch.tensor([row])).of(scorer(without[None])))
            change, before = change + abs(after - before), after
        assert float(measured.deletion[row, 0]) == pytest.approx(change, rel=1e-3)


def test_evidence_of_a_row_is_reproducible_and_independent_of_its_batch(windows):
    scorer = make_scorer("conv1d")
    whole, _ = evidence(scorer, windows, "GRADIENT")
    again, _ = evidence(scorer, windows, "GRADIENT")
    alone, _ = evidence(scorer, windows[3:4], "GRADIENT")
    for name in ("sign_agreement", "concentration", "deletion", "random_deletion"):
        assert torch.equal(getattr(whole, name), getattr(again, name))
        np.testing.assert_allclose(getattr(whole, name)[3], getattr(alone, name)[0], atol=1e-4)


def test_a_broken_map_is_measured_without_an_exception(windows):
    scorer = make_scorer("conv1d")
    rows = rows_of(windows, MEAN.expand_as(windows), BACKGROUND)
    attribution = attribute(scorer, rows, "GRADIENT")
    attribution.values[0] = torch.nan
    measured = measure(scorer, rows, MEAN, attribution, Request(MethodName.GRADIENT, ScoreSpec()))
    assert torch.isfinite(measured.deletion).all()


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
