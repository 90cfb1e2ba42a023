from dataclasses import replace

import numpy as np
import pytest
from glasstape_server.evaluation.walk_forward import folds
from glasstape_server.training.dataset import Dataset, held_out


def everything(closes=200, symbols=3, ahead=1):
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
def test_every_test_lies_behind_all_that_was_learnt_from_with_a_gap_as_long_as_a_label(ahead):
    made = list(folds(everything(ahead=ahead), 4, ahead))
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


def test_symbols_that_are_held_out_are_tested_and_never_learnt_from():
    data = everything(symbols=40)
    assert 1 <= data.never_trained().reshape(-1, 40)[0].sum() <= 10
    for fold in folds(data, 2, 1):
        assert not fold.training.never_trained().any()
        assert not fold.validation.never_trained().any()
        assert fold.test.never_trained().any()
        assert not fold.test.never_trained().all()


def test_held_out_symbols_alone_are_nothing_to_learn_from():
    data = everything(symbols=40)
    with pytest.raises(ValueError, match="every symbol is one that is held out"):
        list(folds(data.chosen(data.never_trained()), 2, 1))


def test_a_label_that_ends_late_by_its_own_bars_is_purged():
    """One symbol closes an hour later, and one stood still for weeks before the boundary."""
    data = everything(closes=400, symbols=3)
    time = data.close_time * 24.0 + data.symbol
    known = time + 48.0
    halted = (data.symbol == 2) & (data.close_time % 100 > 60)
    known[halted] += 24 * 30
    late = replace(data, close_time=time.astype(np.int64), known_time=known.astype(np.int64))
    for fold in folds(late, 4, 2):
        assert fold.training.known_time.max() < fold.validation.close_time.min()
        assert fold.validation.known_time.max() < fold.test.close_time.min()
