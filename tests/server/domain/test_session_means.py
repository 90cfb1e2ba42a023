import numpy as np
import pytest
from glasstape_server.domain.session_means import session_mean


def covered(correlation, sessions, runs=400):
    """Return the share of 95 % intervals of autoregressive sessions that contain 0."""
    random, inside = np.random.default_rng(0), 0
    for _ in range(runs):
        noise = random.normal(size=sessions + 50)
        values = np.zeros(sessions + 50)
        for number in range(1, len(values)):
            values[number] = correlation * values[number - 1] + noise[number]
        estimate = session_mean(values[50:], np.ones(sessions)).interval(0.95, (-np.inf, np.inf))
        inside += estimate.low <= 0 <= estimate.high
    return inside / runs


@pytest.mark.parametrize(
    ("correlation", "sessions", "least"), [(0, 10, 0.92), (0, 60, 0.92), (0.5, 60, 0.89)]
)
def test_intervals_contain_the_mean_of_sessions_that_depend_on_each_other(correlation, sessions, least):
    assert covered(correlation, sessions) >= least


def test_the_mean_weighs_sessions_by_their_observations():
    mean = session_mean(np.array([1.0, 8, 0, 0, 0, 0]), np.array([1.0, 9, 0, 0, 0, 0]))
    assert mean.value == pytest.approx(0.9)


def test_few_sessions_have_no_interval():
    estimate = session_mean(np.array([1.0, 2, 3, 4]), np.full(4, 10.0)).interval(0.99, (0, 1))
    assert (estimate.low, estimate.high) == (0, 1)
    assert session_mean(np.array([1.0, 2, 3, 4]), np.full(4, 10.0)).p_above(0.1) == 1


def test_the_variance_is_at_least_that_of_independent_observations():
    equal = session_mean(np.full(10, 5.0), np.full(10, 10.0), least_variance=0.0025)
    assert equal.error == pytest.approx(0.05)
    assert session_mean(np.full(10, 5.0), np.full(10, 10.0)).p_above(0.4) == 0
    assert session_mean(np.full(10, 5.0), np.full(10, 10.0)).p_above(0.5) == 1
