import numpy as np
import pytest
from glasstape_server.bench import known_truth
from glasstape_server.bench.ranking import time_only_ceiling


def made(kind, steps=6, features=8, n=4000, seed=0):
    return known_truth.make(kind, n, steps, features, np.random.default_rng(seed))


@pytest.mark.parametrize("kind", sorted(known_truth.KINDS))
@pytest.mark.parametrize(("steps", "features"), [(6, 8), (12, 8), (50, 50)])
def test_every_set_has_its_shape_and_balanced_classes(kind, steps, features):
    truth = made(kind, steps, features, n=300)
    assert truth.windows.shape == truth.cells.shape == (300, steps, features)
    assert truth.windows.dtype == np.float32
    assert (np.bincount(truth.labels, minlength=3) > 60).all()
    again = made(kind, steps, features, n=300)
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
def test_as_many_cells_matter_as_the_set_says(kind, cells):
    assert (made(kind).cells.sum(axis=(1, 2)) == cells).all()


@pytest.mark.parametrize("kind", ["fixed", "moving", "rare-time", "rare-feature"])
def test_the_cells_that_matter_carry_the_class_and_no_others_do(kind):
    truth = made(kind)
    side = truth.labels - 1.0
    inside = truth.windows[truth.cells].reshape(len(truth), -1).mean(axis=1)
    outside = np.where(truth.cells, 0, truth.windows).sum(axis=(1, 2))
    assert np.corrcoef(inside, side)[0, 1] > 0.85
    assert abs(np.corrcoef(outside, side)[0, 1]) < 0.06


def test_moving_blocks_reach_every_border():
    truth = made("moving")
    assert truth.cells.any(axis=0).all()


def test_the_switch_says_which_feature_speaks():
    truth = made("switch")
    speaks = np.where(truth.windows[:, -1, 0] > 0, 2, 5)
    rows = np.arange(len(truth))
    said = truth.windows[rows, 3:, :].mean(axis=1)[rows, speaks]
    assert np.corrcoef(said, truth.labels)[0, 1] > 0.75
    assert truth.cells[rows, -1, speaks].all()
    assert not truth.cells[rows, -1, 7 - speaks].any()


def test_a_time_only_map_cannot_pass_its_ceiling():
    """Salient features over all features, within the salient bars."""
    assert time_only_ceiling(made("fixed").cells) == pytest.approx(3 / 8)
    assert time_only_ceiling(made("rare-time").cells) == pytest.approx(6 / 8)
    assert time_only_ceiling(made("rare-feature").cells) == pytest.approx(1 / 8)


def test_what_there_is_not_is_refused():
    with pytest.raises(ValueError, match="kind"):
        made("magic")
    with pytest.raises(ValueError, match="at least 4 x 6"):
        made("fixed", 3, 3)
