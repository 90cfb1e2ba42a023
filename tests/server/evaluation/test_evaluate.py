"""The whole evaluation, on a small market with a known signal."""

import json
import re
from dataclasses import replace

import numpy as np
import polars as pl
import pytest
from glasstape.cli import main
from glasstape_server.domain.values import DAY
from glasstape_server.evaluation import alarms, report
from glasstape_server.evaluation.candidates import SHUFFLED, Plan
from glasstape_server.evaluation.evaluate import BASELINES, evaluate
from glasstape_server.evaluation.figures import Figures, Predicted
from glasstape_server.evaluation.synthetic import INTERVAL, RULE, known_signal, market
from glasstape_server.features import windows as feature_windows
from glasstape_server.features.spec import FeatureSpec
from glasstape_server.training import dataset

PLAN = Plan(
    candidates=(*BASELINES, "linear", f"{SHUFFLED}linear"), folds=2, epochs=3, windows=6000, rule=RULE
)


@pytest.fixture(scope="module")
def frame():
    return market(known_signal, 60, 360, seed=2)


@pytest.fixture(scope="module")
def everything(frame):
    return dataset.build(frame, INTERVAL, FeatureSpec(), RULE)


@pytest.fixture(scope="module")
def found(everything):
    return evaluate(everything, PLAN, cost=0.001)


def judged(found, name):
    return next(item for item in found.judged if item.name == name)


def test_a_signal_that_is_there_is_found_and_what_knows_nothing_is_not_praised(found):
    assert {item.name for item in found.judged} == {*BASELINES, "linear"}
    linear, up = judged(found, "linear"), judged(found, "always_up")
    assert linear.figures["log_loss_gained"].low > 0
    assert linear.beaten["prior"]
    assert linear.beaten["always_up"]
    assert not up.beaten["prior"]
    assert "log_loss" not in up.figures
    assert sum(found.class_shares) == pytest.approx(1)


def test_symbols_that_were_never_trained_on_are_told_apart(found, everything):
    assert set(found.held_out) == {s for s in everything.symbols if dataset.held_out(s)}
    assert found.held_out
    linear = judged(found, "linear")
    assert linear.held_out["accuracy"].value != linear.figures["accuracy"].value
    assert (
        found.tested + found.tested_held_out
        == sum(p.count for p in linear.reliability) + found.tested_held_out
    )


def test_abstention_keeps_about_what_validation_promised_and_is_surer(found):
    linear = judged(found, "linear")
    assert linear.abstaining.coverage == pytest.approx(0.2, abs=0.08)
    assert linear.abstaining.accuracy > linear.figures["accuracy"].value
    assert [kept.coverage for kept in linear.kept] == pytest.approx([1, 0.5, 0.2, 0.1, 0.05, 0.02], abs=0.01)


def test_sets_hold_what_came_about_as_often_as_wanted(found):
    for coverage in judged(found, "linear").conformal:
        assert coverage.realised == pytest.approx(coverage.wanted, abs=0.05)
        assert 0 <= coverage.full <= 1


def test_labels_in_random_order_teach_nothing(found):
    alarm = next(alarm for alarm in found.alarms if alarm.name == "shuffled_labels")
    assert not alarm.rang


def test_several_seeds_are_judged_against_rules_that_have_none(everything):
    plan = Plan(
        candidates=("prior", "always_up", "linear"), folds=1, seeds=2, epochs=4, windows=6000, rule=RULE
    )
    linear = judged(evaluate(everything, plan, cost=0.0, processes=2), "linear")
    assert set(linear.beyond) == {"prior", "always_up"}
    assert "log_loss_saved" in linear.beyond["prior"]
    assert linear.beaten["prior"]


def test_labels_in_random_order_that_teach_something_ring():
    random = np.random.default_rng(0)
    stated = random.dirichlet([1, 1, 1], 4000)
    labels = stated.argmax(axis=1)
    time = np.repeat(np.arange(1, 201) * DAY, 20)
    assert alarms.shuffled("x", Figures(Predicted(stated, labels, time, np.full((4000, 3), 1 / 3)))).rang


def test_a_class_that_training_does_not_hold_is_refused_by_name(everything):
    never_up = everything.chosen(everything.labels(everything.fitted(RULE)) != 2)
    falling = replace(never_up, log_close=np.minimum.accumulate(never_up.log_close))
    plan = Plan(candidates=("prior",), folds=1, rule=RULE)
    with pytest.raises(ValueError, match=r"fold 1: no training window is .*UP"):
        evaluate(falling, plan, cost=0.0)


def test_better_than_bars_allow_rings(everything):
    """A feature that knows the future: the close of the next bar stands where this one's should."""
    plan = Plan(candidates=("prior", "linear"), folds=1, epochs=3, windows=6000, rule=RULE)
    one_ahead = np.array(everything.features)
    one_ahead[:-1, 3] = one_ahead[1:, 3]
    found = evaluate(replace(everything, features=one_ahead), plan, cost=0.0)
    alarm = next(alarm for alarm in found.alarms if alarm.name == "too_good")
    assert alarm.rang, alarm.text


def test_windows_that_do_not_know_the_future_do_not_move(frame):
    alarm = alarms.future_perturbation(frame, INTERVAL, FeatureSpec(), RULE, "UTC")
    assert not alarm.rang, alarm.text
    assert "did not move" in alarm.text


def test_windows_that_do_ring(frame, monkeypatch):
    real = feature_windows.features

    def leaking(spec, series):
        rows = real(spec, series)
        rows[..., :-1, 3] = rows[..., 1:, 3]
        return rows

    monkeypatch.setattr(feature_windows, "features", leaking)
    assert alarms.future_perturbation(frame, INTERVAL, FeatureSpec(), RULE, "UTC").rang


def test_the_report_says_it_all_and_its_figures_are_the_files(found, tmp_path):
    written = report.write(found, {"data": "made <up>"}, tmp_path / "out")
    page = written.read_text()
    assert page.count("<svg") == 3
    assert "made &lt;up&gt;" in page
    assert not re.search(r'(src|href)="(?!#)', page.replace("xlink:href", "href")), "nothing from elsewhere"
    figures = json.loads((tmp_path / "out" / report.METRICS).read_text())
    linear = next(item for item in figures["judged"] if item["name"] == "linear")
    assert f"{linear['figures']['accuracy']['value']:.2%}" in page
    assert linear["figures"]["accuracy"]["value"] == judged(found, "linear").figures["accuracy"].value
    assert "| linear | " in report.to_text(found)


def test_the_command_evaluates_a_file_and_refuses_what_it_cannot(frame, tmp_path, capsys):
    path = tmp_path / "bars.parquet"
    some = frame.filter(pl.col("symbol") < "S00006").with_columns(
        date=pl.from_epoch("close_time", time_unit="us").dt.replace_time_zone("UTC")
    )
    some.drop("close_time").write_parquet(path)
    common = ["evaluate", "--data", str(path), "--time-zone", "UTC", "--out", str(tmp_path / "out")]
    asked = ["--arch", "linear", "--folds", "1", "--epochs", "1", "--windows", "500", "--processes", "1"]
    assert main([*common, *asked]) == 0
    said = capsys.readouterr()
    assert "quiet future_perturbation" in said.out
    assert (tmp_path / "out" / report.REPORT).is_file()
    for options, text in (
        (["--arch", "best"], "--arch: must be of"),
        (["--cost", "2"], "--cost: must be 0-0.1"),
        (["--horizon", "0"], "--horizon: must be 1 or more"),
        (["--folds", "300"], "too few for 300 folds"),
        (["--close", "noon"], "--close: must be HH:MM"),
    ):
        assert main([*common, *options]) == 1
        assert text in capsys.readouterr().err
