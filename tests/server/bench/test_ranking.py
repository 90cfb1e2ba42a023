import numpy as np
import pytest
from glasstape_server.bench.ranking import average_precision, chance_levels
from sklearn.metrics import average_precision_score


def by_hand(strength, cells):
    """Average precision by its definition: sum over thresholds of recall step x precision."""
    total, before = 0.0, 0
    for threshold in sorted(set(strength), reverse=True):
        chosen = strength >= threshold
        hits = (chosen & cells).sum()
        total += (hits - before) / cells.sum() * hits / chosen.sum()
        before = hits
    return total


@pytest.mark.parametrize("seed", range(20))
def test_average_precision_equals_its_definition_with_ties(seed):
    random = np.random.default_rng(seed)
    strength = random.integers(0, 5 if seed % 2 else 1000, (6, 48)).astype(float)
    cells = random.random((6, 48)) < 0.2
    cells[:, 0] = True
    expected = [by_hand(*row) for row in zip(strength, cells, strict=True)]
    np.testing.assert_allclose(average_precision(strength, cells), expected)


def test_average_precision_of_perfect_constant_and_inverted_maps():
    cells = np.zeros((1, 48), bool)
    cells[0, :6] = True
    assert average_precision(cells.astype(float), cells)[0] == 1.0
    assert average_precision(np.zeros((1, 48)), cells)[0] == 6 / 48
    assert average_precision(-cells.astype(float), cells)[0] <= 6 / 48


def test_average_precision_equals_that_of_scikit_learn():
    random = np.random.default_rng(0)
    strength = random.normal(size=(50, 48)).round(1)  # with ties
    cells = random.random((50, 48)) < 0.2
    expected = [average_precision_score(*row) for row in zip(cells, strength, strict=True)]
    np.testing.assert_allclose(average_precision(strength, cells), expected)


@pytest.mark.parametrize("count", [1, 6, 48])
def test_the_chance_level_is_the_mean_over_random_maps(count):
    cells = np.zeros((1, 6, 8), bool)
    cells.flat[:count] = True
    (level,) = chance_levels(cells)
    drawn = average_precision(
        np.random.default_rng(0).random((4000, 48)), cells.reshape(1, -1).repeat(4000, 0)
    )
    assert level == pytest.approx(drawn.mean(), abs=4 * drawn.std() / np.sqrt(4000) + 1e-12)
    assert level >= count / 48
