import numpy as np
import pytest
from glasstape_server.bench.ranking import average_precision, random_level


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


def test_random_maps_score_above_the_share_of_cells():
    cells = np.zeros((400, 48), bool)
    cells[:, :6] = True
    assert 6 / 48 < random_level(cells, np.random.default_rng(0)) < 0.22
