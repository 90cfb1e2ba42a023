import numpy as np
import pytest
from glasstape_server.signals.performance.returns import MAX_CARRYING, returns_of


def figures(by_session):
    """Figures of calls whose returns are given by session."""
    values = np.array([value for session in by_session for value in session])
    session = np.repeat(np.arange(len(by_session)), [len(each) for each in by_session])
    return returns_of(values, session + 19_000, session)


def test_the_session_that_carries_the_mean_is_named():
    returns = figures([[0.001, -0.001], [0.10, 0.08], [-0.01, 0.0], [-0.004, 0.002]])
    assert returns.mean == pytest.approx(0.168 / 8)
    (carrying,) = returns.carried_by
    assert (carrying.session, carrying.calls) == (19_001, 2)
    assert carrying.total == pytest.approx(0.18)
    assert carrying.mean_without == pytest.approx(-0.012 / 6)


def test_a_loss_is_carried_by_the_sessions_that_lost_most():
    returns = figures([[0.01], [-0.05], [-0.03], [0.02]])
    assert [each.session for each in returns.carried_by] == [19_001]
    assert returns.carried_by[0].mean_without == 0


def test_a_mean_that_no_few_sessions_carry_keeps_its_sign():
    returns = figures([[0.01 + 0.001 * number] for number in range(30)])
    assert len(returns.carried_by) == MAX_CARRYING
    assert [each.session for each in returns.carried_by] == [19_029, 19_028, 19_027, 19_026, 19_025]
    assert returns.carried_by[-1].mean_without > 0


def test_calls_of_one_session_do_not_narrow_the_interval():
    random = np.random.default_rng(0)
    days = random.normal(0, 0.01, 60)
    together = figures([[day] * 50 for day in days])
    low, high = together.bounds
    assert low < together.mean < high
    assert high - low > 3 * days.std() / np.sqrt(60)


@pytest.mark.parametrize("sessions", [10, 60])
def test_the_interval_contains_the_true_mean_in_most_markets(sessions):
    random, inside = np.random.default_rng(1), 0
    for _ in range(200):
        shared = random.normal(0.001, 0.01, (sessions, 1))
        low, high = figures(shared + random.normal(0, 0.01, (sessions, 8))).bounds
        inside += low <= 0.001 <= high
    assert inside >= 0.9 * 200


def test_one_session_has_no_interval_and_no_call_no_figure():
    assert figures([[0.01, 0.02]]).bounds is None
    assert figures([[0.01, 0.02]]).carried_by[0].mean_without == 0
    empty = returns_of(np.zeros(0), np.zeros(0, int), np.zeros(0, int))
    assert (empty.mean, empty.bounds, empty.carried_by) == (0, None, ())
