import numpy as np
import pytest
from glasstape_server.domain.times import DAY
from glasstape_server.explain.importance import summarize
from glasstape_server.explain.importance_drift import drift, holm
from scipy.stats import false_discovery_control

SHAPE = (2, 4)


def summary(seed, count=120, first=0, scale=(1.0, 1.0, 1.0, 1.0)):
    random = np.random.default_rng(seed)
    maps = random.normal(size=(3 * count, *SHAPE)) * np.array(scale)
    times = (first + np.repeat(np.arange(count), 3) + 1) * DAY
    return summarize(maps.astype(np.float32), times)


def test_a_feature_that_gains_importance_is_marked_with_its_change():
    result = drift(summary(1, first=500, scale=(3, 1, 1, 1)), summary(2))
    assert result.significant[0]
    assert result.change.value[0] == pytest.approx(3 / 6 - 1 / 4, abs=0.03)
    assert result.change.low[0] < 3 / 6 - 1 / 4 < result.change.high[0]


def test_a_model_that_is_more_certain_as_a_whole_has_not_drifted():
    result = drift(summary(1, first=500, scale=(5, 5, 5, 5)), summary(2))
    assert not result.significant.any()


def test_without_a_change_any_part_is_rarely_marked():
    marked = [drift(summary(seed), summary(1000 + seed)).significant.any() for seed in range(60)]
    # Three families of 5 % each, and conservative intervals: more than a fifth would be no chance.
    assert np.mean(marked) <= 0.2


def test_too_few_closes_give_a_change_without_a_verdict():
    result = drift(summary(1, count=4), summary(2))
    assert np.isfinite(result.change.value).all()
    assert np.isnan(result.change.low).all()
    assert np.isnan(result.p_value).all()
    assert not result.significant.any()


def test_a_set_has_not_drifted_from_itself():
    one = summary(1)
    result = drift(one, one)
    assert (result.change.value == 0).all()
    assert (result.p_value == 1).all()


def test_holm_corrects_for_the_number_of_tests():
    np.testing.assert_allclose(holm(np.array([0.01, 0.04, 0.03])), [0.03, 0.06, 0.06])
    random = np.random.default_rng(0).uniform(size=20)
    assert (holm(random) >= random).all()
    assert (holm(random) >= false_discovery_control(random) - 1e-12).all()
