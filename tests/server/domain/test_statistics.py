import numpy as np
import pytest
from glasstape_server.domain.statistics import (
    Z_95,
    block_of,
    block_sums,
    block_widening,
    clustered_mean,
    clustered_wilson,
    equal_mass_bins,
    interval,
    softmax,
    wilson,
)
from glasstape_server.domain.times import DAY
from scipy.special import ndtr, ndtri, stdtrit
from scipy.special import softmax as scipy_softmax
from scipy.stats import binomtest
from scipy.stats import t as student


def test_the_wilson_interval_is_the_textbooks():
    assert wilson(0, 0) == (0.0, 1.0)
    assert pytest.approx(ndtri(0.975), abs=1e-15) == Z_95
    for hits, count in ((10, 20), (0, 10), (7, 7), (1, 1000)):
        assert wilson(hits, count) == pytest.approx(binomtest(hits, count).proportion_ci(method="wilson"))


def test_clusters_of_one_are_the_textbooks_and_whole_clusters_count_once():
    random = np.random.default_rng(0)
    hits = (random.random(400) < 0.5).astype(np.int64)
    assert clustered_wilson(hits, np.ones(400, np.int64)) == pytest.approx(wilson(hits.sum(), 400), abs=2e-3)
    whole = clustered_wilson(hits[:40] * 50, np.full(40, 50))
    assert whole == pytest.approx(wilson(hits[:40].sum(), 40), abs=1e-2)


def test_what_cannot_show_its_spread_is_worth_its_clusters():
    assert clustered_wilson(np.array([30]), np.array([50])) == pytest.approx(wilson(0.6, 1))
    assert clustered_wilson(np.array([10, 10]), np.array([10, 10])) == pytest.approx(
        wilson(*[2 * (stdtrit(19, 0.975) / stdtrit(1, 0.975)) ** 2] * 2)
    )
    assert clustered_wilson(np.array([0]), np.array([0])) == (0.0, 1.0)


def test_resampled_days_keep_what_neighbors_share():
    random = np.random.default_rng(0)
    alone = random.normal(size=400)
    shared = np.repeat(random.normal(size=40), 10)
    widths = []
    for values in (alone, shared):
        sums = np.stack([values, np.ones(400)], axis=1)
        drawn = block_sums(sums, 10, 2000, seed=1)
        low, high = interval(drawn[:, 0] / drawn[:, 1])
        assert low < values.mean() < high
        widths.append((high - low) / values.std())
    assert widths[1] > 2 * widths[0]


def test_softmax_is_scipys_and_keeps_its_sum_at_any_size():
    logits = np.random.default_rng(0).normal(size=(50, 3)) * 300
    np.testing.assert_allclose(softmax(logits, 2.5), scipy_softmax(logits / 2.5, axis=1), atol=1e-15)
    np.testing.assert_allclose(softmax(logits).sum(axis=1), 1)


def test_bins_of_equal_mass_hold_about_as_many_and_equal_values_share_one():
    values = np.random.default_rng(0).normal(size=1000)
    assert np.bincount(equal_mass_bins(values, 10)).tolist() == [100] * 10
    assert (np.diff(equal_mass_bins(np.sort(values), 7)) >= 0).all()
    assert len(set(equal_mass_bins(np.ones(20), 5))) == 1
    assert equal_mass_bins(np.array([0.5]), 15).tolist() == [0]


@pytest.mark.parametrize("clusters", [2, 3, 5, 20])
def test_the_interval_of_few_clusters_covers_the_truth(clusters):
    random = np.random.default_rng(clusters)
    covered = 0
    for _ in range(300):
        rates = ndtr(0.3 * random.standard_normal(clusters))
        low, high = clustered_wilson(random.binomial(500, rates), np.full(clusters, 500))
        covered += low <= 0.5 <= high
    assert covered >= 0.92 * 300


def test_sums_are_those_of_blocks_of_consecutive_days():
    """Days that count 2 ** n: a sum names its days."""
    blocks = {sum(2.0 ** ((start + n) % 6) for n in range(3)) for start in range(6)}
    drawn = set(block_sums(2.0 ** np.arange(6)[:, None], 3, 250, seed=4)[:, 0])
    assert drawn == {first + second for first in blocks for second in blocks}


@pytest.mark.parametrize(
    ("closes", "window_bars", "block"),
    [
        (17, 6, 6),
        (18, 6, 6),
        (35, 6, 6),
        (36, 6, 12),
        (239, 6, 12),
        (240, 6, 24),
        (5000, 6, 24),
        (100, 24, 24),
    ],
)
def test_blocks_are_a_few_windows_long(closes, window_bars, block):
    assert block_of((np.arange(closes) + 1) * DAY, window_bars) == block


def test_blocks_of_minute_bars_are_a_day_long_once_there_are_ten():
    minutes = np.arange(1, 391) * 60_000_000
    for days, block in ((9, 24), (10, 390)):
        closes = (np.arange(days)[:, None] * DAY + minutes).ravel()
        assert block_of(closes, 6) == block


def test_intervals_are_widened_for_few_blocks_and_for_cut_dependence():
    assert np.isnan(block_widening(17, 6, 6))
    few, many = block_widening(36, 12, 6), block_widening(3600, 12, 6)
    assert few > many > 1
    assert block_widening(36_000, 600, 6) == pytest.approx(1, abs=0.02)
    assert block_widening(3600, 12, 1) == pytest.approx(np.sqrt(300 / 299))


def test_the_interval_of_a_clustered_mean_is_students_where_clusters_are_single():
    values = np.random.default_rng(0).normal(1, 2, 30)
    mean = clustered_mean(values, np.ones(30))
    low, high = student.interval(0.95, 29, values.mean(), values.std(ddof=1) / np.sqrt(30))
    assert (mean.value, mean.low, mean.high) == pytest.approx((values.mean(), low, high))


def test_equal_observations_within_clusters_count_once():
    values = np.random.default_rng(1).normal(size=25)
    once, often = (clustered_mean(values * count, np.full(25, count)) for count in (1.0, 40.0))
    assert (often.low, often.high) == pytest.approx((once.low, once.high))


def test_empty_clusters_do_not_count():
    values, counts = np.array([3.0, 0.0, 5.0, 1.0]), np.array([2.0, 0.0, 3.0, 1.0])
    assert clustered_mean(values, counts) == clustered_mean(values[counts > 0], counts[counts > 0])
