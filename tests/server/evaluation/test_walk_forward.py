from dataclasses import replace

import numpy as np
import pytest
from glasstape_server.evaluation.walk_forward import folds
from glasstape_server.training.dataset import Dataset, held_out


def make_data(closes=200, symbols=3, ahead=1):
    times = np.repeat(np.arange(closes), symbols)
    n = len(times)
    names = tuple(f"S{number}" for number in range(symbols))
    assert symbols > 3 or not any(map(held_out, names))
    return Dataset(
        features=np.zeros((6, 8), np.float32),
        log_close=np.zeros(6),
        last=np.full(n, 5),
        sigma=np.ones(n),
        close_time=times,
        known_time=times + ahead,
        symbol=np.tile(np.arange(symbols, dtype=np.int32), closes),
        symbols=names,
        time_steps=6,
        feature_names=tuple("abcdefgh"),
    )


@pytest.mark.parametrize("ahead", [1, 2, 5])
def test_test_windows_follow_validation_and_training_with_a_gap_as_long_as_a_label(ahead):
    steps = list(folds(make_data(ahead=ahead), 4, ahead))
    assert len(steps) == 4
    for fold in steps:
        assert len(fold.training)
        assert len(fold.validation)
        assert fold.training.close_time.max() + ahead < fold.validation.close_time.min()
        assert fold.validation.close_time.max() + ahead < fold.test.close_time.min()
    tested = np.concatenate([fold.test.close_time for fold in steps])
    np.testing.assert_array_equal(tested, np.repeat(np.arange(100, 200), 3))


def test_too_few_closes_are_rejected():
    with pytest.raises(ValueError, match="too few"):
        list(folds(make_data(20), 8, 2))


def test_held_out_symbols_occur_in_test_windows_only():
    data = make_data(symbols=40)
    assert 1 <= data.held_out_mask().reshape(-1, 40)[0].sum() <= 10
    for fold in folds(data, 2, 1):
        assert not fold.training.held_out_mask().any()
        assert not fold.validation.held_out_mask().any()
        assert fold.test.held_out_mask().any()
        assert not fold.test.held_out_mask().all()


def test_data_with_held_out_symbols_only_is_rejected():
    data = make_data(symbols=40)
    with pytest.raises(ValueError, match="all symbols are held out"):
        list(folds(data.select(data.held_out_mask()), 2, 1))


def test_labels_are_purged_by_the_bars_of_their_own_symbol():
    """One symbol closes an hour later, and one was halted for weeks before the boundary."""
    data = make_data(closes=400, symbols=3)
    time = data.close_time * 24.0 + data.symbol
    known = time + 48.0
    halted = (data.symbol == 2) & (data.close_time % 100 > 60)
    known[halted] += 24 * 30
    late = replace(data, close_time=time.astype(np.int64), known_time=known.astype(np.int64))
    for fold in folds(late, 4, 2):
        assert fold.training.known_time.max() < fold.validation.close_time.min()
        assert fold.validation.known_time.max() < fold.test.close_time.min()


def test_rolling_folds_train_on_the_same_time_and_expanding_ones_on_all():
    data = make_data(closes=400)
    expanding, rolling = list(folds(data, 4, 1)), list(folds(data, 4, 1, rolling=100))
    for whole, part in zip(expanding, rolling, strict=True):
        first = whole.validation.close_time.min() - 100
        assert part.training.close_time.min() == first
        assert part.training.close_time.max() == whole.training.close_time.max()
        np.testing.assert_array_equal(part.validation.close_time, whole.validation.close_time)
        np.testing.assert_array_equal(part.test.close_time, whole.test.close_time)
        assert whole.training.close_time.min() == 0
    (longer, *_) = folds(data, 4, 1, rolling=10_000)
    np.testing.assert_array_equal(longer.training.close_time, expanding[0].training.close_time)


def test_held_out_symbols_are_trained_on_if_nothing_is_held_out():
    data = make_data(symbols=40)
    for fold in folds(data, 2, 1, hold_out=False):
        assert fold.training.held_out_mask().any()
        assert fold.test.held_out_mask().any()
