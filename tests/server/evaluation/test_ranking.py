"""Ranking tests of an evaluation, on a small synthetic market."""

import json
from functools import cache

import numpy as np
import polars as pl
import pytest
from evaluated import known_data, known_market
from glasstape.cli import main
from glasstape_server.domain.ranking import RankingEstimates, ScoredReturns
from glasstape_server.evaluation import report
from glasstape_server.evaluation.candidates import SHUFFLED, EvaluationPlan
from glasstape_server.evaluation.evaluate import evaluate
from glasstape_server.evaluation.rank_scores import LOW_VOLATILITY, REVERSAL, baseline_scores
from glasstape_server.evaluation.ranking import evaluate_ranking
from glasstape_server.evaluation.synthetic import INTERVAL, RULE, market, no_signal
from glasstape_server.evaluation.walk_forward import folds
from glasstape_server.features.spec import FeatureSpec
from glasstape_server.training import dataset

CLASSES, HEAD = "linear: p(UP) - p(DOWN)", "linear: rank head"


def plan(**changes):
    values = {
        "candidates": ("prior", "always_up", "linear"),
        "folds": 2,
        "epochs": 4,
        "windows": 6000,
        "rule": RULE,
    }
    return EvaluationPlan(**{**values, "rank_head": True, **changes})


@cache
def ranked():
    return evaluate(known_data(), plan(candidates=("prior", "linear", f"{SHUFFLED}linear")), cost=0.001)


def scores(evaluation):
    return {score.name: score for score in evaluation.ranking.scores}


def test_a_known_signal_is_ranked_and_baselines_stand_beside_it():
    found = scores(ranked())
    assert set(found) == {LOW_VOLATILITY, REVERSAL, CLASSES, HEAD}
    for name in (CLASSES, HEAD):
        assert found[name].metrics["rank_ic"].low > 0.05
        assert found[name].differences[LOW_VOLATILITY].low > 0
    assert set(found[HEAD].differences) == {CLASSES, LOW_VOLATILITY, REVERSAL}
    assert found[HEAD].metrics["quantile_5"].value > found[HEAD].metrics["quantile_1"].value
    assert found[HEAD].metrics["top_net_return"].value < found[HEAD].metrics["top_return"].value


def test_baselines_are_measured_on_the_test_windows_of_symbols_that_were_trained_on():
    data, (fold,) = known_data(), folds(known_data(), 1, RULE.bars_ahead)
    test = fold.test.select(~fold.test.held_out_mask())
    baseline = baseline_scores(test)
    returns = test.log_close[test.last + 1] - test.log_close[test.last]
    own = ScoredReturns(baseline[LOW_VOLATILITY], np.expm1(returns), test.close_time, test.symbol.astype(int))
    result = evaluate_ranking([fold.test], [], plan(candidates=(), folds=1), 0.001, 5)
    expected = RankingEstimates([own], 5, cost=0.001).estimates
    assert next(s for s in result.scores if s.name == LOW_VOLATILITY).metrics == expected
    before = data.log_close[test.last - 5] - data.log_close[test.last]
    assert (baseline[REVERSAL] == before).all()


def test_seeds_do_not_count_as_more_closes():
    one, two = (
        evaluate(known_data(), plan(candidates=("linear",), folds=1, seeds=seeds), cost=0.0).ranking
        for seeds in (1, 2)
    )
    assert one.closes == two.closes
    reversal = [next(s for s in r.scores if s.name == REVERSAL).metrics["rank_ic"].value for r in (one, two)]
    assert reversal[0] == pytest.approx(reversal[1])


def test_a_market_without_a_signal_is_not_ranked():
    data = dataset.build(market(no_signal, 40, 300, seed=5), INTERVAL, FeatureSpec(), RULE)
    found = scores(evaluate(data, plan(candidates=("linear",), folds=1), cost=0.0))
    for name in (CLASSES, HEAD):
        assert found[name].metrics["rank_ic"].low <= 0 <= found[name].metrics["rank_ic"].high


def test_closes_of_few_symbols_have_no_figures_and_say_why():
    data = known_data()
    few = data.select(data.symbol < 4)
    evaluation = evaluate(few, plan(candidates=("prior",), folds=1), cost=0.0)
    assert evaluation.ranking.scores == ()
    reason = "ranking: at least 30 days with a close of 5 symbols are required, there are 0"
    assert reason in report.to_text(evaluation)
    assert f"No figures: {reason}." in report.to_html(evaluation, {})
    with pytest.raises(ValueError, match="head: no training window is of a close with at least 5 symbols"):
        evaluate(few, plan(candidates=("linear",), folds=1), cost=0.0)


def test_reports_show_the_ranking_tests():
    evaluation = ranked()
    page, text = report.to_html(evaluation, {}), report.to_text(evaluation)
    content = json.loads(report.to_json(evaluation, {}))["ranking"]
    head = next(score for score in content["scores"] if score["name"] == HEAD)
    for name in ("rank_ic", "ic"):
        for shown in (page, text):
            assert f"{head['metrics'][name]['value']:.4f}" in shown
    assert f"{1e4 * head['metrics']['quantile_3']['value']:.2f}" in page
    assert "long-short spread" in text


def test_the_command_fits_rank_heads_and_takes_the_k_of_top_k(tmp_path, capsys):
    some = known_market().filter(pl.col("symbol") < "S00010")
    date = pl.from_epoch("close_time", time_unit="us").dt.replace_time_zone("UTC")
    some.with_columns(date=date).drop("close_time").write_parquet(tmp_path / "bars.parquet")
    data = ["--data", str(tmp_path / "bars.parquet"), "--close", "24:00", "--out", str(tmp_path / "out")]
    options = (
        "--arch linear --folds 1 --epochs 1 --windows 500 --processes 1 --head classes+rank --rank-top 2"
    )
    assert main(["evaluate", *data, *options.split()]) == 0
    assert "top-k: 2 of its symbols" in capsys.readouterr().out
    ranking = json.loads((tmp_path / "out" / report.METRICS).read_text())["ranking"]
    assert ranking["top"] == 2
    assert HEAD in [score["name"] for score in ranking["scores"]]
