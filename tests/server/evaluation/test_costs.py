import numpy as np
import pytest
from glasstape_server.domain.values import DAY
from glasstape_server.evaluation.costs import earned, positions
from glasstape_server.features.labels import LabelRule


def test_positions_follow_the_direction_where_it_is_sure_enough():
    stated = np.array([[0.5, 0.3, 0.2], [0.2, 0.3, 0.5], [0.2, 0.5, 0.3], [0.1, 0.1, 0.8]])
    assert positions(stated, np.array([0.4, 0.6, 0.4, 0.6])).tolist() == [-1, 0, 0, 1]


DAYS = 120
TIME, ALONE = np.arange(1, DAYS + 1) * DAY, np.zeros(DAYS, int)


def book(signals, horizon):
    """What a trader does who opens 1/h of every signal and closes it h bars later: turnover of each bar."""
    held = np.zeros(len(signals) + horizon)
    for ago in range(horizon):
        held[ago : ago + len(signals)] += np.asarray(signals) / horizon
    return np.abs(np.diff(held, prepend=0.0, append=0.0))


@pytest.mark.parametrize("horizon", [1, 2, 5])
@pytest.mark.parametrize("pattern", [[1], [1, -1], [1, 1, -1, -1], [1, 0, 0, -1, 0]])
def test_turnover_is_that_of_the_book(pattern, horizon):
    signals = np.resize(np.array(pattern, float), DAYS)
    found = earned(signals, np.full(DAYS, 0.001), TIME, ALONE, LabelRule(horizon_bars=horizon), cost=0.01)
    assert found.turnover.value == pytest.approx(book(signals, horizon).sum() / DAYS)
    assert found.net.value == pytest.approx(found.gross.value - 0.01 * found.turnover.value)


def test_what_never_changes_is_bought_and_sold_once():
    time, symbol = np.tile(TIME, 2), np.repeat([0, 1], DAYS)
    held = earned(np.ones(2 * DAYS), np.full(2 * DAYS, 0.001), time, symbol, LabelRule(), cost=0.01)
    assert held.gross.value == pytest.approx(0.001)
    assert held.turnover.value == pytest.approx(2 / DAYS)
    assert held.break_even == pytest.approx(0.001 * DAYS / 2)
    losing = earned(-np.ones(DAYS), np.full(DAYS, 0.001), TIME, ALONE, LabelRule(), cost=0.01)
    assert losing.break_even == 0


def test_a_barrier_ends_a_signal_by_itself():
    rule = LabelRule(kind="triple_barrier", horizon_bars=4)
    found = earned(np.ones(DAYS), np.full(DAYS, 0.01), TIME, ALONE, rule, cost=0.0)
    assert found.turnover.value == pytest.approx(2 / 4)


def test_a_horizon_of_several_bars_holds_a_part_at_a_time():
    found = earned(np.ones(DAYS), np.full(DAYS, 0.01), TIME, ALONE, LabelRule(horizon_bars=5), cost=0.0)
    assert found.gross.value == pytest.approx(0.002)
