import numpy as np
import pytest
from glasstape_server.domain.times import DAY
from glasstape_server.evaluation.strategy_returns import positions, strategy_returns
from glasstape_server.features.labels import LabelRule


def test_positions_follow_the_direction_above_the_threshold():
    probabilities = np.array([[0.5, 0.3, 0.2], [0.2, 0.3, 0.5], [0.2, 0.5, 0.3], [0.1, 0.1, 0.8]])
    assert positions(probabilities, np.array([0.4, 0.6, 0.4, 0.6])).tolist() == [-1, 0, 0, 1]


DAYS = 120
TIME, ONE_SERIES = np.arange(1, DAYS + 1) * DAY, np.zeros(DAYS, int)


def book(signals, horizon):
    """Turnover of each bar of a trader who opens 1/h of every signal and closes it h bars later."""
    held = np.zeros(len(signals) + horizon)
    for ago in range(horizon):
        held[ago : ago + len(signals)] += np.asarray(signals) / horizon
    return np.abs(np.diff(held, prepend=0.0, append=0.0))


@pytest.mark.parametrize("horizon", [1, 2, 5])
@pytest.mark.parametrize("pattern", [[1], [1, -1], [1, 1, -1, -1], [1, 0, 0, -1, 0]])
def test_turnover_equals_that_of_the_book(pattern, horizon):
    signals = np.resize(np.array(pattern, float), DAYS)
    returns = strategy_returns(
        signals, np.full(DAYS, 0.001), TIME, ONE_SERIES, LabelRule(horizon_bars=horizon), cost=0.01
    )
    assert returns.turnover.value == pytest.approx(book(signals, horizon).sum() / DAYS)
    assert returns.net.value == pytest.approx(returns.gross.value - 0.01 * returns.turnover.value)


def test_a_constant_position_is_bought_and_sold_once():
    time, symbol = np.tile(TIME, 2), np.repeat([0, 1], DAYS)
    held = strategy_returns(np.ones(2 * DAYS), np.full(2 * DAYS, 0.001), time, symbol, LabelRule(), cost=0.01)
    assert held.gross.value == pytest.approx(0.001)
    assert held.turnover.value == pytest.approx(2 / DAYS)
    assert held.break_even == pytest.approx(0.001 * DAYS / 2)
    losing = strategy_returns(-np.ones(DAYS), np.full(DAYS, 0.001), TIME, ONE_SERIES, LabelRule(), cost=0.01)
    assert losing.break_even == 0


def test_positions_with_a_barrier_are_traded_separately():
    rule = LabelRule(kind="triple_barrier", horizon_bars=4)
    returns = strategy_returns(np.ones(DAYS), np.full(DAYS, 0.01), TIME, ONE_SERIES, rule, cost=0.0)
    assert returns.turnover.value == pytest.approx(2 / 4)


def test_a_longer_horizon_splits_the_capital():
    returns = strategy_returns(
        np.ones(DAYS), np.full(DAYS, 0.01), TIME, ONE_SERIES, LabelRule(horizon_bars=5), cost=0.0
    )
    assert returns.gross.value == pytest.approx(0.002)
