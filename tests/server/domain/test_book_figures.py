import math

import numpy as np
import pytest
from glasstape.skill import EDGE_SENTENCES, KOREAN_EDGE_SENTENCES, EdgeVerdict
from glasstape_server.domain.book_figures import BookCurve, book_figures
from glasstape_server.domain.times import DAY, HOUR


def curve(returns, benchmark=None, time=None, **columns):
    """A curve with simple returns of each close after the first."""
    returns = np.asarray(returns, dtype=float)
    benchmark = np.zeros(len(returns)) if benchmark is None else benchmark
    size = len(returns) + 1
    time = np.arange(1, size + 1) * DAY if time is None else time
    given = {name: np.zeros(size) for name in (
        "long", "short", "traded", "commission", "spread", "tax", "borrow")} | columns  # fmt: skip
    counts = {
        name: columns.get(name, np.zeros(size, dtype=int)) for name in ("closed", "gained", "positions")
    }
    equities = (np.cumprod(np.r_[1, 1 + each]) for each in (returns, benchmark))
    return BookCurve(time, *equities, **(given | counts))


def test_returns_drawdown_and_sharpe_are_those_of_the_curve():
    returns = np.tile([0.1, -0.2, 0.05], 10)
    figures = book_figures(curve(returns))
    assert figures.days == 30
    assert figures.days_per_year == pytest.approx(365.25)
    assert figures.total_return == pytest.approx((1.1 * 0.8 * 1.05) ** 10 - 1)
    assert figures.mean.value == pytest.approx(returns.mean())
    assert figures.sharpe.value == pytest.approx(returns.mean() / returns.std() * math.sqrt(365.25))
    lowest = np.cumprod(np.r_[1, 1 + returns])
    assert figures.drawdown.depth == pytest.approx(1 - lowest[29] / 1.1)
    assert (figures.drawdown.peak, figures.drawdown.trough) == (2 * DAY, 30 * DAY)


def test_returns_within_a_day_are_one_return():
    time = np.arange(10 * 24 + 1) * HOUR + DAY + 1
    returns = np.full(240, 0.001)
    figures = book_figures(curve(returns, time=time))
    assert figures.days == 11
    assert figures.total_return == pytest.approx(1.001**240 - 1)


def test_alpha_leaves_out_what_the_market_explains():
    market = np.random.default_rng(0).normal(0.001, 0.01, 1000)
    figures = book_figures(curve(2 * market, market))
    assert figures.alpha.value == pytest.approx(0, abs=1e-12)
    assert figures.excess.value == pytest.approx(market.mean())
    assert figures.verdict is not EdgeVerdict.EDGE


def test_costs_turnover_exposure_and_hits_are_by_the_equity_and_the_year():
    ones = np.ones(51)
    figures = book_figures(
        curve(np.zeros(50), traded=0.1 * ones, tax=0.001 * ones, commission=0.002 * ones, long=0.6 * ones,
              short=0.2 * ones, closed=np.full(51, 4), gained=np.full(51, 3))
    )  # fmt: skip
    assert figures.turnover == pytest.approx(0.05 * 51 / 50 * 365.25)
    assert figures.costs == pytest.approx(0.003 * 51 / 50 * 365.25)
    assert (figures.exposure, figures.net_exposure) == pytest.approx((0.8, 0.4))
    assert figures.hit_rate.value == 0.75
    assert figures.mean_before_costs.value == pytest.approx(0.003)


def test_few_days_have_no_intervals_and_no_verdict():
    figures = book_figures(curve(np.full(19, 0.01)))
    assert (figures.mean, figures.sharpe, figures.alpha) == (None, None, None)
    assert figures.verdict is EdgeVerdict.UNSPECIFIED


@pytest.mark.parametrize(("mean", "verdict"), [(0.003, EdgeVerdict.EDGE), (-0.003, EdgeVerdict.LOSS)])
def test_an_edge_or_a_loss_far_beyond_chance_is_called_so(mean, verdict):
    random = np.random.default_rng(1)
    market = random.normal(0, 0.01, 750)
    assert book_figures(curve(market + random.normal(mean, 0.01, 750), market)).verdict is verdict


def test_books_without_an_edge_are_seldom_called_one():
    random = np.random.default_rng(2)
    called, covered, rounds = 0, 0, 200
    for _ in range(rounds):
        market = random.standard_t(4, 250) * 0.007 + 0.0004
        own = 0.3 * market + random.standard_t(4, 250) * 0.007
        figures = book_figures(curve(own, market), seed=int(random.integers(1 << 30)))
        called += figures.verdict in (EdgeVerdict.EDGE, EdgeVerdict.ALPHA)
        covered += figures.mean.low <= 0.3 * 0.0004 <= figures.mean.high
    assert called <= 0.05 * rounds
    assert covered >= 0.92 * rounds


def test_more_trials_widen_the_intervals():
    returns = np.random.default_rng(3).normal(0.001, 0.01, 500)
    one, ten = (book_figures(curve(returns), trials=trials).mean for trials in (1, 10))
    assert ten.low < one.low < one.high < ten.high


def test_a_hedged_book_may_earn_less_than_the_universe_and_what_it_does_not_explain():
    random = np.random.default_rng(4)
    market = random.normal(0.002, 0.005, 750)
    assert book_figures(curve(random.normal(0.0008, 0.003, 750), market)).verdict is EdgeVerdict.ALPHA
    assert book_figures(curve(random.normal(0.0, 0.003, 750), market)).verdict is EdgeVerdict.LOSS
    assert book_figures(curve(random.normal(0.0, 0.003, 750), -market)).verdict is EdgeVerdict.MARKET


def test_every_verdict_has_a_sentence_in_both_languages():
    assert set(EDGE_SENTENCES) == set(KOREAN_EDGE_SENTENCES) == set(EdgeVerdict)
