import numpy as np
import pytest
from glasstape_server.bench import known_truth
from glasstape_server.bench.ranking import time_only_ceiling


def make(kind, steps=6, features=8, n=4000, seed=0):
    return known_truth.make(kind, n, steps, features, np.random.default_rng(seed))


@pytest.mark.parametrize("kind", sorted(known_truth.KINDS))
@pytest.mark.parametrize(("steps", "features"), [(6, 8), (12, 8), (50, 50)])
def test_sets_have_the_requested_shape_and_balanced_classes(kind, steps, features):
    truth = make(kind, steps, features, n=300)
    assert truth.windows.shape == truth.cells.shape == (300, steps, features)
    assert truth.windows.dtype == np.float32
    assert (np.bincount(truth.labels, minlength=3) > 60).all()
    again = make(kind, steps, features, n=300)
    np.testing.assert_array_equal(truth.windows, again.windows)


@pytest.mark.parametrize(
    ("kind", "cells"),
    [
        ("fixed", 6),
        ("moving", 6),
        ("rare-time", 6),
        ("rare-feature", 4),
        ("switch", 5),
        ("state3", 1),
        ("null", 0),
    ],
)
def test_sets_have_the_documented_number_of_salient_cells(kind, cells):
    assert (make(kind).cells.sum(axis=(1, 2)) == cells).all()


@pytest.mark.parametrize("kind", ["fixed", "moving", "rare-time", "rare-feature"])
def test_only_salient_cells_carry_the_class(kind):
    truth = make(kind)
    side = truth.labels - 1.0
    inside = truth.windows[truth.cells].reshape(len(truth), -1).mean(axis=1)
    outside = np.where(truth.cells, 0, truth.windows).sum(axis=(1, 2))
    assert np.corrcoef(inside, side)[0, 1] > 0.85
    assert abs(np.corrcoef(outside, side)[0, 1]) < 0.06


def test_moving_blocks_reach_every_cell():
    truth = make("moving")
    assert truth.cells.any(axis=0).all()


def test_the_switch_selects_the_salient_feature():
    truth = make("switch")
    salient = np.where(truth.windows[:, -1, 0] > 0, 2, 5)
    rows = np.arange(len(truth))
    mean = truth.windows[rows, 3:, :].mean(axis=1)[rows, salient]
    assert np.corrcoef(mean, truth.labels)[0, 1] > 0.75
    assert truth.cells[rows, -1, salient].all()
    assert not truth.cells[rows, -1, 7 - salient].any()


def test_the_time_only_ceiling_is_the_share_of_salient_features_in_salient_bars():
    assert time_only_ceiling(make("fixed").cells) == pytest.approx(3 / 8)
    assert time_only_ceiling(make("rare-time").cells) == pytest.approx(6 / 8)
    assert time_only_ceiling(make("rare-feature").cells) == pytest.approx(1 / 8)


def test_unknown_kinds_and_small_shapes_are_rejected():
    with pytest.raises(ValueError, match="kind"):
        make("magic")
    with pytest.raises(ValueError, match="at least 4 x 6"):
        make("fixed", 3, 3)
