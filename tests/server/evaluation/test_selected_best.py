"""Intervals of the best of several trials."""

import numpy as np
import pytest
from glasstape_server.evaluation import selected_best
from glasstape_server.evaluation.search_trial import COLUMNS, DIRECTION_GAIN, FLAT_GAIN, HITS, MOVED, WINDOWS

DAYS, BLOCK = 200, 10


def sums_of(gains, rates=None):
    """Sums (trial, day, column) of daily gains (trial, day), ten windows a day of which eight calls moved."""
    sums = np.zeros((*gains.shape, COLUMNS))
    sums[..., WINDOWS], sums[..., MOVED] = 10, 8
    sums[..., FLAT_GAIN], sums[..., DIRECTION_GAIN] = 10 * gains, 0
    sums[..., HITS] = 4 if rates is None else 8 * rates
    return sums


def best_of(sums):
    best = int((sums[..., FLAT_GAIN].sum(axis=1)).argmax())
    return selected_best.estimates(sums, best, BLOCK)["log_loss_gain"]


def test_the_best_of_many_trials_without_skill_is_rarely_above_0():
    """Of 60 searches of 30 trials, whose errors are correlated as those of one market are."""
    random = np.random.default_rng(0)
    alone = selected = 0
    for _ in range(60):
        gains = 0.01 * (0.5 * random.standard_normal((1, DAYS)) + 0.85 * random.standard_normal((30, DAYS)))
        estimate = best_of(sums_of(gains))
        alone += estimate.alone.low > 0
        selected += estimate.selected.low > 0
    assert alone > 15
    assert selected <= 5


def test_skill_that_is_there_is_found_among_many_trials():
    random = np.random.default_rng(1)
    gains = 0.01 * random.standard_normal((30, DAYS))
    gains[7] += 0.005
    estimate = best_of(sums_of(gains))
    assert estimate.value == pytest.approx(gains[7].mean())
    assert 0 < estimate.selected.low < estimate.alone.low
    assert estimate.selected.high >= estimate.alone.high
    assert estimate.selected.low < 0.005 < estimate.selected.high


def test_more_trials_widen_the_interval_and_one_trial_hardly_does():
    random = np.random.default_rng(2)
    gains = 0.01 * random.standard_normal((60, DAYS))
    gains[0] += 0.02

    def width(count):
        estimate = best_of(sums_of(gains[:count]))
        return estimate.selected.high - estimate.selected.low, estimate.alone.high - estimate.alone.low

    (one, alone), (few, _), (many, _) = width(1), width(5), width(60)
    assert alone <= one < 1.15 * alone
    assert one < few < many


def test_copies_of_one_trial_cost_nothing():
    gains = np.repeat(0.01 * np.random.default_rng(3).standard_normal((1, DAYS)), 40, axis=0)
    one, many = best_of(sums_of(gains[:1])), best_of(sums_of(gains))
    assert many.selected.low == pytest.approx(one.selected.low)
    assert many.selected.high == pytest.approx(one.selected.high)


def test_the_gain_over_another_trial_is_paired():
    """Both follow the same market, so that their difference is known well."""
    random = np.random.default_rng(4)
    market = 0.02 * random.standard_normal(DAYS)
    gains = np.stack([market, market + 0.001 + 0.0005 * random.standard_normal(DAYS)])
    estimate = selected_best.gain_over(sums_of(gains), 0, 1, BLOCK)
    assert estimate.value == pytest.approx(0.001, abs=2e-4)
    assert estimate.selected.low > 0
    assert best_of(sums_of(gains)).selected.low < 0


def test_a_trial_without_a_call_that_moved_has_no_hit_rate():
    sums = sums_of(np.repeat([[0.0], [0.01]], DAYS, axis=1))
    sums[1, :, MOVED] = sums[1, :, HITS] = 0
    assert "moved_hit_rate" not in selected_best.estimates(sums, 1, BLOCK)
    assert selected_best.estimates(sums, 0, BLOCK)["moved_hit_rate"].selected.value == 0.5
