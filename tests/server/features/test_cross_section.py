import numpy as np
import pytest
from glasstape_server.features.compute import features, unranked, values_to_rank
from glasstape_server.features.cross_section import rank_within
from glasstape_server.features.sets import SETS
from glasstape_server.features.spec import FeatureSpec
from glasstape_server.features.windows import all_windows, latest_windows
from hypothesis import given
from hypothesis import strategies as st
from made_up import series
from scipy.stats import rankdata

SPEC = FeatureSpec(names=SETS["set2"])
VALUES = st.one_of(
    st.sampled_from([0.0, -0.0, 1.0, -1.0, float("nan"), float("inf"), float("-inf"), 1e-38, -1e-38]),
    st.floats(width=32),
)


@given(st.lists(st.tuples(st.integers(0, 3), VALUES, VALUES), max_size=40))
def test_ranks_are_the_mean_ranks_of_each_close(rows):
    closes = np.array([row[0] for row in rows], dtype=np.int64) * 10**15
    values = np.array([row[1:] for row in rows], dtype=np.float32).reshape(-1, 2)
    ranks = rank_within(closes, values)
    expected = np.full(values.shape, np.nan)
    for close in np.unique(closes):
        for column in range(2):
            mine = (closes == close) & np.isfinite(values[:, column])
            if mine.any():
                expected[mine, column] = (2 * rankdata(values[mine, column]) - 1) / mine.sum() - 1
    np.testing.assert_allclose(ranks, expected, atol=1e-7)


def test_ranks_do_not_depend_on_the_order_of_rows():
    random = np.random.default_rng(0)
    closes, values = random.integers(0, 5, 200), random.normal(size=(200, 3)).round(1).astype(np.float32)
    order = random.permutation(200)
    np.testing.assert_array_equal(
        rank_within(closes[order], values[order]), rank_within(closes, values)[order]
    )


def test_a_symbol_alone_is_in_the_middle():
    assert rank_within(np.zeros(1, np.int64), np.array([[3.0, np.nan]], np.float32)).tolist()[0][0] == 0.0


def test_features_that_rank_are_never_computed_without_a_close():
    market = series(200)
    for compute in (features, all_windows):
        with pytest.raises(
            ValueError, match="return_rank, volume_rank, range_rank, volatility_rank need the ranks"
        ):
            compute(SPEC, market)
    with pytest.raises(ValueError, match="need the ranks of each close"):
        latest_windows(SPEC, market)
    given_ranks = features(SPEC, market, lambda closes, values: np.zeros_like(values))
    assert (given_ranks[:, list(SPEC.ranked_columns)] == 0).all()
    values = unranked(SPEC, market)[:, list(SPEC.ranked_columns)].astype(np.float32)
    np.testing.assert_array_equal(values, values_to_rank(SPEC, market))


def test_values_to_rank_need_their_own_look_back_alone():
    market = series(120, 2)
    whole, short = values_to_rank(SPEC, market), values_to_rank(SPEC, market.tail(SPEC.ranked_look_back))
    np.testing.assert_array_equal(short[-1], whole[-1])
    assert SPEC.ranked_look_back == 22
    assert FeatureSpec().ranked_look_back == 0
