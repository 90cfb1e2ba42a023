import numpy as np
import pytest
from glasstape_server.explain.drivers import drivers
from glasstape_server.explain.method import Quantity

WINDOW = np.full((6, 8), 2.0, "f4")
MEAN, DEVIATION = np.ones(8, "f4"), np.full(8, 0.5, "f4")


def drivers_of(values, quantity=Quantity.CONTRIBUTION, native=None, count=5):
    return drivers(WINDOW, values.astype("f4"), MEAN, DEVIATION, quantity, native, count)


def test_drivers_are_the_strongest_cells_with_shares_for_complete_maps_only():
    values = np.zeros((6, 8))
    values[5, 2], values[0, 7], values[3, 3] = -3, 2, 1
    first, second = drivers_of(values, count=2)
    assert (first.time_index, first.feature_index, first.attribution, first.span) == (5, 2, -3.0, (1, 1))
    assert (second.time_index, second.feature_index) == (0, 7)
    assert [first.share, second.share] == [0.5, pytest.approx(1 / 3)]
    assert (first.value, first.z_score) == (2.0, 2.0)
    assert drivers_of(values, Quantity.SENSITIVITY)[0].share is None
    assert len(drivers_of(values)) == 3  # cells that are zero are not drivers
    assert drivers_of(np.zeros((6, 8))) == []


def test_drivers_of_a_map_of_bars_are_bars_with_their_sums():
    values = np.repeat(np.array([[1.0], [0], [0], [0], [-3], [0]]), 8, axis=1) / 8
    first, second = drivers_of(values, native=(6, 1))
    assert (first.time_index, first.span, first.attribution, first.share) == (4, (1, 8), -3.0, 0.75)
    assert (second.time_index, second.attribution) == (0, 1.0)
    assert first.value is None
    assert first.z_score is None


def test_drivers_of_a_map_of_features_are_features():
    values = np.zeros((6, 8))
    values[:, 4] = 0.5
    (only,) = drivers_of(values, native=(1, 8))
    assert (only.feature_index, only.time_index, only.span) == (4, 0, (6, 1))
    assert only.attribution == 3.0


def test_drivers_of_blocks_have_their_mean():
    values = np.kron(np.array([[0, 0, 0, 0], [0, 0.7, 0, 0], [0, 0, 0, 0]]), np.ones((2, 2)))
    (only,) = drivers_of(values, Quantity.RELEVANCE, (3, 4))
    assert (only.time_index, only.feature_index, only.span) == (2, 2, (2, 2))
    assert only.attribution == pytest.approx(0.7)
