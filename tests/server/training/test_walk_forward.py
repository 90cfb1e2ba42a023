import numpy as np
import pytest
from glasstape_server.training.dataset import Dataset
from glasstape_server.training.walk_forward import folds, mean_with_interval


def everything(closes=200, symbols=3):
    times = np.repeat(np.arange(closes), symbols)
    n = len(times)
    return Dataset(np.zeros((n, 6, 8), np.float32), np.zeros(n), np.ones(n), times)


@pytest.mark.parametrize("ahead", [1, 2, 5])
def test_every_test_lies_behind_all_that_was_learnt_from_with_a_gap_as_long_as_a_label(ahead):
    made = list(folds(everything(), 4, ahead))
    assert len(made) == 4
    for fold in made:
        assert len(fold.training)
        assert len(fold.validation)
        assert fold.training.close_time.max() + ahead < fold.validation.close_time.min()
        assert fold.validation.close_time.max() + ahead < fold.test.close_time.min()
    tested = np.concatenate([fold.test.close_time for fold in made])
    np.testing.assert_array_equal(tested, np.repeat(np.arange(100, 200), 3))


def test_too_few_closes_are_refused():
    with pytest.raises(ValueError, match="too few"):
        list(folds(everything(20), 8, 2))


def test_an_interval_holds_the_mean_and_knows_that_neighbours_move_together():
    random = np.random.default_rng(0)
    times = np.repeat(np.arange(500), 20)
    apart = random.normal(size=10_000)
    together = np.repeat(random.normal(size=500), 20)
    widths = []
    for values in (apart, together):
        mean, low, high = mean_with_interval(values, times, np.random.default_rng(1))
        assert mean == pytest.approx(values.mean())
        assert low < mean < high
        widths.append(high - low)
    assert widths[1] > 3 * widths[0]


def test_an_interval_of_too_few_closes_is_refused():
    with pytest.raises(ValueError, match="200 or more"):
        mean_with_interval(np.zeros(150), np.arange(150), np.random.default_rng(0))
