import numpy as np
import pytest
from glasstape_server.bench.known_truth.sets import KINDS, SIGNED, WITHOUT_CELLS, truth_set
from glasstape_server.bench.ranking import time_only_ceiling


def draw(kind, steps=6, features=8, n=4000, seed=0):
    return truth_set(kind, steps, features).draw(n, np.random.default_rng(seed))


@pytest.mark.parametrize("kind", sorted(KINDS))
@pytest.mark.parametrize(("steps", "features"), [(6, 8), (12, 8), (24, 8), (50, 50)])
def test_sets_have_the_requested_shape_and_balanced_classes(kind, steps, features):
    truth = draw(kind, steps, features, n=300)
    assert truth.windows.shape == truth.cells.shape == (300, steps, features)
    assert truth.windows.dtype == np.float32
    assert (np.bincount(truth.labels, minlength=3) > 60).all()
    again = draw(kind, steps, features, n=300)
    np.testing.assert_array_equal(truth.windows, again.windows)


@pytest.mark.parametrize(
    ("kind", "cells", "of_12_bars", "of_24_bars"),
    [
        ("fixed", 6, 12, 24),
        ("moving", 6, 12, 24),
        ("rare-time", 6, 6, 6),
        ("rare-feature", 4, 10, 22),
        ("switch", 5, 8, 14),
        ("state3", 1, 1, 1),
        ("state", 2, 4, 8),
        ("switch-feature", 2, 2, 4),
        ("correlated", 6, 12, 24),
        ("heavy-tails", 6, 12, 24),
        ("scales", 6, 12, 24),
        ("weak", 6, 12, 24),
        ("null", 0, 0, 0),
    ],
)
def test_sets_have_the_documented_number_of_salient_cells(kind, cells, of_12_bars, of_24_bars):
    for steps, expected in ((6, cells), (12, of_12_bars), (24, of_24_bars)):
        assert (draw(kind, steps, n=200).cells.sum(axis=(1, 2)) == expected).all()


@pytest.mark.parametrize("kind", sorted(SIGNED - {"freqshapes"}))
def test_only_salient_cells_carry_the_class(kind):
    truth = draw(kind)
    statistics = truth.normalization()
    windows = (truth.windows - statistics.mean.numpy()) / statistics.deviation.numpy()
    side = truth.labels - 1.0
    inside = windows[truth.cells].reshape(len(truth), -1).mean(axis=1)
    outside = np.where(truth.cells, 0, windows).sum(axis=(1, 2))
    assert np.corrcoef(inside, side)[0, 1] > (0.6 if kind in ("weak", "correlated") else 0.85)
    assert abs(np.corrcoef(outside, side)[0, 1]) < 0.06


@pytest.mark.parametrize("kind", ["moving", "freqshapes", "correlated"])
def test_moving_patterns_reach_every_cell(kind):
    assert draw(kind).cells.any(axis=0).all()


def test_the_switch_selects_the_salient_feature():
    truth = draw("switch")
    salient = np.where(truth.windows[:, -1, 0] > 0, 2, 5)
    rows = np.arange(len(truth))
    mean = truth.windows[rows, 3:, :].mean(axis=1)[rows, salient]
    assert np.corrcoef(mean, truth.labels)[0, 1] > 0.75
    assert truth.cells[rows, -1, salient].all()
    assert not truth.cells[rows, -1, 7 - salient].any()


@pytest.mark.parametrize("kind", ["state", "switch-feature"])
def test_the_class_depends_on_the_sum_of_the_cells_that_the_state_selects(kind):
    truth = draw(kind, 12)
    total = np.where(truth.cells, truth.windows, 0).sum(axis=(1, 2))
    assert np.corrcoef(total, truth.labels)[0, 1] > 0.75
    by_feature = truth.cells.any(axis=1)
    rest = truth.windows[:, -1, 3:].sum(axis=1)  # no state selects these features
    assert abs(np.corrcoef(rest, truth.labels)[0, 1]) < 0.06
    assert not by_feature[:, 3:].any()
    assert (by_feature.sum(axis=1) > 1).any()  # the state changes within the last bars of some windows


def test_spikes_have_the_interval_and_sign_of_their_class():
    truth = draw("freqshapes", 24)
    for label, interval, signs in ((0, 5, {-1}), (1, 8, {-1, 1}), (2, 5, {1})):
        chosen = truth.rows(truth.labels == label)
        feature = chosen.cells.any(axis=1)
        assert (feature.sum(axis=1) == 1).all()
        spikes = chosen.cells.any(axis=2)
        assert {int(step) for row in spikes for step in np.diff(np.flatnonzero(row))} == {interval}
        height = np.where(chosen.cells, chosen.windows, 0).sum(axis=(1, 2)) / spikes.sum(axis=1)
        assert set(np.sign(height).astype(int)) == signs
        assert np.abs(height).mean() == pytest.approx(3.5, abs=0.1)


def test_features_share_factors_within_a_bar_and_not_across_bars():
    truth = draw("correlated", n=20_000)
    flat = truth.rows(truth.labels == 1).windows
    correlation = np.corrcoef(flat[:, 0].T)
    assert correlation[0, 1] == pytest.approx(0.61, abs=0.03)
    assert correlation[0, 7] == pytest.approx(0.36, abs=0.03)
    assert abs(np.corrcoef(flat[:, 0, 0], flat[:, 1, 0])[0, 1]) < 0.04


def test_cells_of_heavy_tails_exceed_six_deviations_far_more_often_than_normal_ones():
    noise = draw("heavy-tails", n=20_000)
    flat = noise.windows[noise.labels == 1]
    assert flat.std() == pytest.approx(1, abs=0.1)
    assert (np.abs(flat) > 6).mean() == pytest.approx(0.0018, abs=0.0006)  # normal cells: 2e-9


def test_units_differ_by_up_to_100_times_and_normalization_removes_them():
    truth, plain = draw("scales"), draw("moving")
    statistics = truth.normalization()
    unit = (statistics.deviation / plain.normalization().deviation).numpy()
    assert unit.max() / unit.min() == pytest.approx(100, rel=1e-3)
    assert np.abs(np.log(unit[1:] / unit[:-1])).min() > 1
    assert (statistics.mean / statistics.deviation).abs().max() > 2
    normalized = (truth.windows - statistics.mean.numpy()) / statistics.deviation.numpy()
    np.testing.assert_allclose(normalized.std(axis=(0, 1)), 1, rtol=1e-3)
    np.testing.assert_allclose(normalized.mean(axis=(0, 1)), 0, atol=1e-3)
    np.testing.assert_array_equal(truth.cells, plain.cells)


def test_the_weak_set_has_the_same_evidence_at_every_shape():
    for steps in (6, 12, 24):
        truth = draw("weak", steps)
        total = np.where(truth.cells, truth.windows, 0).sum(axis=(1, 2))
        cells = truth.cells[0].sum()
        gap = total[truth.labels == 2].mean() - total[truth.labels == 1].mean()
        assert gap**2 / cells == pytest.approx(6, rel=0.1)


def test_the_time_only_ceiling_is_the_share_of_salient_features_in_salient_bars():
    assert time_only_ceiling(draw("fixed").cells) == pytest.approx(3 / 8)
    assert time_only_ceiling(draw("rare-time").cells) == pytest.approx(6 / 8)
    assert time_only_ceiling(draw("rare-feature").cells) == pytest.approx(1 / 8)


def test_unknown_kinds_and_small_shapes_are_rejected():
    with pytest.raises(ValueError, match="kind"):
        draw("magic")
    with pytest.raises(ValueError, match="at least 4 x 6"):
        draw("fixed", 3, 3)


def test_sets_without_salient_cells_have_no_posterior():
    for kind in KINDS:
        assert (truth_set(kind, 6, 8).posterior() is None) == (kind in WITHOUT_CELLS)
