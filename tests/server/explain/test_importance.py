import numpy as np
import pytest
from glasstape_server.domain.times import DAY
from glasstape_server.explain.importance import Part, parts_of, shares, summarize
from hypothesis import given, settings
from hypothesis import strategies as st

SHAPE = (3, 4)


def maps_of(count, seed=0, shape=SHAPE):
    return np.random.default_rng(seed).normal(size=(count, *shape)).astype(np.float32)


def closes(count, each=1):
    return (np.arange(count) // each + 1) * DAY


def figures(importance):
    named = (importance.importance, importance.share, importance.signed_mean)
    return np.concatenate([part for each in named for part in (each.value, each.low, each.high)])


def test_the_parts_are_features_then_bars_then_cells():
    parts = parts_of((2, 3))
    assert parts[:5] == (Part(None, 0), Part(None, 1), Part(None, 2), Part(0, None), Part(1, None))
    assert parts[5:8] == (Part(0, 0), Part(0, 1), Part(0, 2))
    assert len(parts) == 11


def test_importance_is_the_mean_size_and_signed_the_mean_of_the_maps():
    maps = maps_of(40)
    result = summarize(maps, closes(40))
    size, mean = np.abs(maps).mean(0), maps.mean(0)
    for values, wanted in ((result.importance.value, size), (result.signed_mean.value, mean)):
        np.testing.assert_allclose(values[:4], wanted.sum(0), rtol=1e-5, atol=1e-6)
        np.testing.assert_allclose(values[4:7], wanted.sum(1), rtol=1e-5, atol=1e-6)
        np.testing.assert_allclose(values[7:], wanted.ravel(), rtol=1e-5, atol=1e-6)
    assert result.share.value[:4].sum() == pytest.approx(1)
    assert result.share.value[4:7].sum() == pytest.approx(1)
    assert result.share.value[7:].sum() == pytest.approx(1)


@settings(max_examples=25, deadline=None)
@given(order=st.permutations(range(24)), each=st.sampled_from([1, 2, 3]))
def test_the_order_of_the_windows_changes_nothing(order, each):
    maps, times = maps_of(24), closes(24, each)
    plain = figures(summarize(maps, times))
    np.testing.assert_allclose(figures(summarize(maps[order], times[order])), plain, rtol=1e-9, atol=1e-9)


@settings(max_examples=25, deadline=None)
@given(factor=st.floats(1e-3, 1e3))
def test_the_unit_of_the_score_changes_no_share(factor):
    maps, times = maps_of(60), closes(60)
    plain, scaled = summarize(maps, times).share, summarize(maps * np.float32(factor), times).share
    np.testing.assert_allclose(scaled.value, plain.value, rtol=1e-4)
    np.testing.assert_allclose(scaled.high, plain.high, rtol=1e-4)


def test_an_interval_holds_its_figure_and_importance_is_not_negative():
    result = summarize(maps_of(60), closes(60))
    for each in (result.importance, result.share, result.signed_mean):
        assert (each.low <= each.value).all()
        assert (each.value <= each.high).all()
    assert (result.importance.low >= 0).all()


def test_windows_of_one_close_count_as_one_observation():
    """Copies of every window add no evidence: the interval stays as wide."""
    maps, times = maps_of(60), closes(60)
    once = summarize(maps, times)
    often = summarize(np.repeat(maps, 20, axis=0), np.repeat(times, 20))
    np.testing.assert_allclose(often.signed_mean.low, once.signed_mean.low, rtol=1e-9, atol=1e-9)
    assert often.sample.closes == once.sample.closes == 60


@pytest.mark.parametrize(("count", "known"), [(1, False), (8, False), (9, True)])
def test_there_is_no_interval_of_fewer_closes_than_three_blocks(count, known):
    result = summarize(maps_of(count), closes(count))
    assert np.isfinite(result.importance.value).all()
    assert np.isfinite(result.importance.high).all() == known


def test_maps_of_zeros_have_no_shares():
    result = summarize(np.zeros((30, *SHAPE), np.float32), closes(30))
    assert (result.importance.value == 0).all()
    assert np.isnan(result.share.value).all()
    assert np.isnan(shares(result.importance.value, SHAPE)).all()


@pytest.mark.parametrize("count", [30, 60, 250])
def test_intervals_cover_the_truth_as_often_as_they_say(count):
    """Windows of three symbols share a factor that persists while windows share bars."""
    random, covered, rounds = np.random.default_rng(5), 0, 150
    for _ in range(rounds):
        factor = np.convolve(random.normal(size=count + 5), np.ones(6) / 6, "valid")
        maps = (factor[:, None] + 0.3 * random.normal(size=(count, 3))).reshape(-1, 1, 1)
        padded = np.concatenate([maps, np.zeros((len(maps), 5, 1))], axis=1).astype(np.float32)
        signed = summarize(padded, closes(3 * count, 3)).signed_mean
        covered += signed.low[0] <= 0 <= signed.high[0]
    assert 0.9 <= covered / rounds <= 0.995
