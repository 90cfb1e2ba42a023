import numpy as np
import pytest
from glasstape_server.domain.ranking import (
    MIN_SYMBOLS,
    QUANTILES,
    RankingEstimates,
    ScoredReturns,
    mean_ranks,
)
from glasstape_server.domain.times import DAY
from scipy import stats

DAYS, SYMBOLS = 90, 40


def market(slope=0.3, days=DAYS, symbols=SYMBOLS, seed=0):
    """Scores with a known share in the returns that follow, ordered at random."""
    random = np.random.default_rng(seed)
    close, symbol = np.repeat(np.arange(1, days + 1) * DAY, symbols), np.tile(np.arange(symbols), days)
    scores = random.normal(size=days * symbols)
    returns = 0.01 * (slope * scores + random.normal(size=len(scores))) + random.normal(0, 0.02, days).repeat(
        symbols
    )
    order = random.permutation(len(scores))
    return ScoredReturns(scores[order], returns[order], close[order], symbol[order])


def closes_of(part):
    for close in np.unique(part.close_time):
        rows = np.flatnonzero(part.close_time == close)
        yield part.scores[rows], part.returns[rows], part.symbol[rows]


def test_correlations_are_those_of_scipy_averaged_over_closes():
    part = market()
    figures = RankingEstimates([part], 5).estimates
    pearson = np.array([stats.pearsonr(s, r).statistic for s, r, _ in closes_of(part)])
    spearman = np.array([stats.spearmanr(s, r).statistic for s, r, _ in closes_of(part)])
    assert figures["ic"].value == pytest.approx(pearson.mean())
    assert figures["rank_ic"].value == pytest.approx(spearman.mean())
    assert figures["icir"].value == pytest.approx(pearson.mean() / pearson.std(ddof=1))
    assert figures["rank_icir"].value == pytest.approx(spearman.mean() / spearman.std(ddof=1))
    assert figures["rank_ic"].low < spearman.mean() < figures["rank_ic"].high


def test_quantiles_top_k_and_turnover_follow_their_definitions():
    part, k, horizon = market(), 7, 3
    figures = RankingEstimates([part], 5, top=k, horizon=horizon, cost=0.002).estimates
    quantiles, top, held = [], [], []
    for scores, returns, symbol in closes_of(part):
        order = np.argsort(scores)
        excess = returns - returns.mean()
        quantiles.append([excess[cell].mean() for cell in np.split(order, QUANTILES)])
        top.append(excess[order[-k:]].mean())
        held.append(set(symbol[order[-k:]]))
    means = np.mean(quantiles, axis=0)
    exchanged = np.mean(
        [1 - len(new & old) / k for new, old in zip(held[horizon:], held[:-horizon], strict=True)]
    )
    assert [figures[f"quantile_{n}"].value for n in range(1, 6)] == pytest.approx(means.tolist())
    assert figures["spread"].value == pytest.approx(means[-1] - means[0])
    assert figures["monotonicity"].value == pytest.approx(stats.spearmanr(range(QUANTILES), means).statistic)
    assert figures["top_return"].value == pytest.approx(np.mean(top))
    assert figures["turnover"].value == pytest.approx(exchanged)
    assert figures["top_net_return"].value == pytest.approx(np.mean(top) - 2 * 0.002 * exchanged)


def test_a_tenth_is_held_unless_stated():
    part = market()
    stated = RankingEstimates([part], 5, top=SYMBOLS // 10).estimates
    assert RankingEstimates([part], 5).estimates == stated


def test_equal_scores_know_nothing_and_lower_scores_are_mirrored():
    part = market()
    flat = ScoredReturns(np.zeros(len(part)), part.returns, part.close_time, part.symbol)
    assert RankingEstimates([flat], 5).estimates["rank_ic"].value == 0
    opposite = ScoredReturns(-part.scores, part.returns, part.close_time, part.symbol)
    own, mirrored = (RankingEstimates([each], 5).estimates for each in (part, opposite))
    for name in ("ic", "rank_ic", "spread", "monotonicity"):
        assert mirrored[name].value == pytest.approx(-own[name].value)


def test_the_scale_of_scores_within_a_close_does_not_matter_to_ranks():
    part = market()
    scaled = ScoredReturns(
        np.exp(part.scores) + part.close_time / DAY, part.returns, part.close_time, part.symbol
    )
    own, other = (RankingEstimates([each], 5).estimates for each in (part, scaled))
    for name in ("rank_ic", "spread", "top_return", "turnover"):
        assert other[name].value == pytest.approx(own[name].value)


def test_closes_of_few_symbols_are_left_out():
    part, few = market(), market(symbols=MIN_SYMBOLS - 1, seed=1)
    later = ScoredReturns(few.scores, few.returns, few.close_time + DAYS * DAY, few.symbol)
    both = RankingEstimates([part, later], 5)
    assert both.closes == DAYS
    assert both.estimates == RankingEstimates([part], 5).estimates
    with pytest.raises(ValueError, match="at least 15 days with a close of 5 symbols"):
        RankingEstimates([later], 5)


def test_parts_do_not_share_closes():
    part = market()
    twice = RankingEstimates([part, part], 5)
    assert twice.closes == 2 * DAYS
    assert twice.estimates["turnover"].value == RankingEstimates([part], 5).estimates["turnover"].value


def test_intervals_cover_the_truth_and_the_difference_of_a_score_to_itself_is_nothing():
    covered, rounds = 0, 60
    for seed in range(rounds):
        interval = RankingEstimates([market(slope=0.0, days=120, symbols=12, seed=seed)], 4).estimates[
            "rank_ic"
        ]
        covered += interval.low <= 0 <= interval.high
    assert covered >= 0.87 * rounds
    better, worse = (RankingEstimates([market(slope=slope)], 5) for slope in (0.6, 0.1))
    assert better.difference(worse, "rank_ic").low > 0
    assert better.difference(better, "rank_ic").high == 0


def test_mean_ranks_share_ties_within_groups():
    random = np.random.default_rng(2)
    groups, values = random.integers(0, 4, 200), random.integers(0, 9, 200).astype(float)
    ranks = mean_ranks(groups, values)
    for group in range(4):
        assert (ranks[groups == group] == stats.rankdata(values[groups == group]) - 1).all()
