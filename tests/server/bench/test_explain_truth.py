import json
from dataclasses import replace

import numpy as np
import polars as pl
import pytest
import torch
from glasstape_server.bench import explain_report, explain_truth, truth_task
from glasstape_server.bench.map_score import CURVE_POINTS, map_names, map_scores
from glasstape_server.bench.truth_models import model_of
from glasstape_server.bench.truth_task import BAYES, TruthTask
from glasstape_server.explain.catalog import METHODS


@pytest.fixture(scope="module")
def results():
    tasks = [
        TruthTask(
            architecture="linear", kind=kind, windows=windows, test=60, seed=seed, permuted=kind == "moving"
        )
        for kind, seed, windows in (
            ("fixed", 0, 40_000),
            ("fixed", 1, 40_000),
            ("moving", 0, 40_000),
            ("null", 0, 2000),
        )
    ]
    tasks.append(TruthTask(architecture=BAYES, kind="fixed", test=60))
    return [explain_truth.run_task(task) for task in tasks]


def score_of(result, name):
    return next(s for s in result.scores if (s.method, s.score) == name)


def test_maps_are_better_than_random_unless_labels_are_shuffled(results):
    trained, _, shuffled, *_ = results
    assert trained.accuracy > 0.7
    assert shuffled.accuracy < 0.6
    gradient = ("GRADIENT", "MARGIN")
    assert score_of(trained, gradient).precision > 3 * trained.random
    assert score_of(shuffled, gradient).precision < 1.5 * shuffled.random
    assert trained.checks["skill"] > 2 > shuffled.checks["skill"]
    judged = shuffled.maps.filter(pl.col("verdict").is_not_null())
    assert len(judged) > 300
    assert not (judged["verdict"] == "RELIABLE").any()


def test_the_bayes_optimal_classifier_is_an_upper_bound(results):
    assert results[4].accuracy >= results[0].accuracy
    assert score_of(results[4], ("INTEGRATED_GRADIENTS", "MARGIN")).precision > 0.99
    assert set(results[4].checks) == {"skill"}


def test_trees_are_judged_by_the_maps_that_they_serve():
    task = TruthTask(architecture="trees", kind="moving", windows=2000, test=10)
    result = explain_truth.run_task(task)
    assert {score.method for score in result.scores} >= {"TREE_SHAP", "OCCLUSION"}
    assert "GRADIENT" not in {score.method for score in result.scores}
    assert score_of(result, ("TREE_SHAP", "MARGIN")).precision > result.random
    shuffled = replace(result, task=replace(task, permuted=True))
    text = explain_report.to_markdown([result, shuffled])
    assert "With shuffled labels: methods that depend on the input's size" in text


def test_deletion_curves_decrease(results):
    for score in results[0].scores:
        assert score.deletion[0] > score.deletion[-1]
        assert len(score.deletion) == CURVE_POINTS + 1


def test_every_map_has_a_record(results):
    result = results[0]
    assert len(result.maps) == result.explained * len(result.scores)
    for score in result.scores:
        of_map = result.maps.filter((pl.col("method") == score.method) & (pl.col("score") == score.score))
        assert of_map["window"].to_list() == list(range(result.explained))
        assert of_map["precision"].mean() == pytest.approx(score.precision, rel=1e-6)
        assert of_map["chance"].mean() == pytest.approx(result.random, rel=1e-6)
    first = result.maps.row(0, named=True)
    assert (first["set"], first["shape"], first["network"], first["seed"]) == ("fixed", "6x8", "linear", 0)
    measured = result.maps.filter(pl.col("verdict").is_not_null())
    assert measured["probability"].is_between(1 / 3, 1).all()
    assert (measured["margin"] > 0).all()
    assert measured["concentration"].is_between(1 / 49, 1).all()
    for fill in ("mean", "resampled"):
        ratio = measured[f"deletion_{fill}"] / measured[f"random_deletion_{fill}"]
        np.testing.assert_allclose(measured[f"ratio_{fill}"], ratio, rtol=1e-5)


def test_maps_without_salient_cells_have_evidence_and_no_precision(results):
    maps = results[3].maps
    assert results[3].explained == 60
    assert maps["precision"].is_null().all()
    assert maps.filter(pl.col("method") == "GRADIENT")["sign_agreement"].is_not_null().all()


def test_the_unit_of_a_feature_changes_no_score_of_a_map_in_units_of_deviations():
    """The set `scales` is `moving` in other units; windows, networks and maps agree once normalized."""
    precision = {}
    for kind in ("moving", "scales"):
        task = TruthTask(architecture=BAYES, kind=kind)
        model = model_of(task, np.random.default_rng(1))
        test = model.validation.rows(np.arange(len(model.validation)) < 40)
        statistics = test.normalization()
        assert torch.allclose(model.scorer.deviation, statistics.deviation, rtol=0.2)
        scores, maps = map_scores(model, test)
        precision[kind] = {(s.method, s.score): s.precision for s in scores}
        gradient = maps.filter((pl.col("method") == "GRADIENT") & (pl.col("score") == "MARGIN"))
        precision[kind]["ranked"] = gradient["ranked_precision"].mean()
    in_units = {"INTEGRATED_GRADIENTS", "OCCLUSION", "EXPECTED_GRADIENTS", "SCALED_GRADIENT"}
    for name in [*((method, "MARGIN") for method in in_units), "ranked"]:
        assert precision["scales"][name] == pytest.approx(precision["moving"][name], abs=1e-3)
    assert precision["scales"]["GRADIENT", "MARGIN"] < precision["moving"]["GRADIENT", "MARGIN"] - 0.01


def test_every_method_of_the_catalog_is_scored(results):
    assert {method for method, _ in map_names()} == {name.name for name in METHODS}
    served = {(s.method, s.score) for s in results[0].scores}
    others = ("CAM", "ATTENTION", "TREE_SHAP")
    assert served == {name for name in map_names() if not any(other in name[0] for other in others)}


def test_results_are_written_as_a_table_and_as_json(results):
    table = explain_report.to_markdown(results)
    linear, bayes = (table[table.index(f"### {name}, 6 × 8") :] for name in ("linear", "bayes"))
    assert "### linear, 6 × 8, 2 seed(s)" in table
    precisions = [score_of(r, ("GRADIENT", "MARGIN")).precision for r in results[:2]]
    row = next(line for line in linear.splitlines() if line.startswith("| GRADIENT of MARGIN |"))
    assert row.split(" | ")[1] == f"{np.mean(precisions):.3f}"
    row = next(line for line in linear.splitlines() if line.startswith("| *Bayes accuracy* |"))
    assert row.split(" | ")[1] == f"{results[4].accuracy:.3f}"
    assert f"random maps {results[2].random:.3f}." in table
    assert "*Bayes accuracy*" not in bayes
    text = explain_report.to_json(results)
    assert "NaN" not in text
    data = json.loads(text)
    assert data[0]["task"]["kind"] == "fixed"
    assert data[0]["maps"] == len(results[0].maps)
    assert data[3]["scores"][0]["precision"] is None


def test_a_plan_has_every_combination_and_one_shuffled_training_per_network():
    tasks = truth_task.plan(
        ["linear", "conv1d"], ["moving", "null"], ["6x8", "12x8"], 3, windows=9, epochs=2, test=5
    )
    assert len(tasks) == 2 * (2 * 2 * 3) + 2 * 2
    assert sum(task.permuted for task in tasks) == 4
    for invalid in ({"networks": ["rnn"]}, {"kinds": ["x"]}, {"shapes": ["6"]}):
        arguments = {"networks": [], "kinds": [], "shapes": ["6x8"], **invalid}
        with pytest.raises(ValueError, match=next(iter(invalid))):
            truth_task.plan(**arguments, seeds=1, windows=9, epochs=1, test=5)


def test_the_bayes_optimal_classifier_is_planned_only_for_sets_that_have_one():
    tasks = truth_task.plan([BAYES], [], ["6x8"], 1, windows=9, epochs=1, test=5)
    assert "null" not in {task.kind for task in tasks}
    assert not any(task.permuted for task in tasks)
    with pytest.raises(ValueError, match="kinds: must have a set with salient cells for bayes, is null"):
        truth_task.plan([BAYES], ["null"], ["6x8"], 1, windows=9, epochs=1, test=5)
    with pytest.raises(ValueError, match="Bayes-optimal"):
        model_of(TruthTask(architecture=BAYES, kind="null"), np.random.default_rng(0))
