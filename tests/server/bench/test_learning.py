"""The table of candidates and feature sets."""

import math

import polars as pl
import pytest
from evaluated import PLAN, known_market
from glasstape.cli import main
from glasstape_server.bench import learning
from glasstape_server.evaluation.candidates import EvaluationPlan
from glasstape_server.evaluation.evaluate import evaluate
from glasstape_server.evaluation.synthetic import INTERVAL, RULE
from glasstape_server.features.spec import FeatureSpec
from glasstape_server.training import dataset

NAMES = ("linear", "xcm", "linear+xcm")
FOLDS = EvaluationPlan(candidates=("linear",), folds=2, epochs=2, windows=4000, rule=RULE)


@pytest.fixture(scope="module")
def data():
    return {
        name: dataset.build(known_market(), INTERVAL, FeatureSpec(window_bars=bars), RULE)
        for name, bars in (("short", 6), ("long", 12))
    }


@pytest.fixture(scope="module")
def table(data):
    return learning.run(data, NAMES, FOLDS, INTERVAL)


def test_every_candidate_is_tested_on_every_set_on_the_windows_that_all_have(data, table):
    assert [(row.features, row.candidate) for row in table.rows] == [(s, n) for s in data for n in NAMES]
    assert table.windows == len(data["long"]) < len(data["short"])


def test_differences_are_those_of_the_gains_and_paired_by_day(table):
    first, *others = table.rows
    assert first.above.value == first.above.low == first.above.high == 0
    for row in others:
        gain, reference = row.metrics["log_loss_gain"], first.metrics["log_loss_gain"]
        assert row.above.value == pytest.approx(gain.value - reference.value)
        assert width(row.above) < math.hypot(width(gain), width(reference)), "as if they were independent"


def width(interval):
    return interval.high - interval.low


def test_a_row_is_what_an_evaluation_reports(data):
    plan = EvaluationPlan(candidates=("prior", "linear"), folds=2, epochs=2, windows=4000, rule=RULE)
    expected = evaluate(data["short"], plan, cost=0.001).candidates[1].metrics
    (row,) = learning.run({"short": data["short"]}, ("linear",), FOLDS, INTERVAL).rows
    assert row.metrics == expected


def test_ensembles_average_every_seed(data):
    plan = EvaluationPlan(candidates=("linear",), folds=2, epochs=1, windows=2000, seeds=2, rule=RULE)
    one, two = learning.run({"short": data["short"]}, ("linear", "linear+linear"), plan, INTERVAL).rows
    assert two.metrics["log_loss_gain"].value > one.metrics["log_loss_gain"].value


def test_the_command_prints_the_table(tmp_path, capsys):
    frame = known_market().filter(pl.col("symbol").is_in(known_market()["symbol"].unique().sort().head(12)))
    path = tmp_path / "bars.parquet"
    times = pl.from_epoch("close_time", "us").dt.replace_time_zone("UTC")
    frame.with_columns(times.alias("datetime")).drop("close_time").write_parquet(path)
    arguments = [
        "bench",
        "learning",
        "--data",
        str(path),
        "--interval",
        INTERVAL,
        "--stamp",
        "close",
        "--sets",
        "set1",
    ]
    status = main([*arguments, "--candidates", "linear,linear+xcm", "--folds", "2", "--epochs", "1"])
    captured = capsys.readouterr()
    assert status == 0, captured.err
    rows = [line.split(" | ")[:2] for line in captured.out.splitlines() if line.startswith("| set1")]
    assert rows == [["| set1", "linear"], ["| set1", "linear + xcm"]]
    assert "learning: fit 1 of 4, set1, fold 1 of 2, linear, validation loss 1." in captured.err


@pytest.mark.parametrize(
    ("names", "message"),
    [(("linear+",), "has 'linear\\+'"), ((), "must be networks, trees, or A\\+B"), (("",), "has ''")],
)
def test_names_without_a_candidate_are_refused(data, names, message):
    with pytest.raises(ValueError, match=message):
        learning.run(data, names, PLAN, INTERVAL)
