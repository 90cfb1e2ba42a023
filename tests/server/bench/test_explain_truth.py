import json

import numpy as np
import pytest
from glasstape_server.bench import explain_report, explain_truth, truth_task
from glasstape_server.bench.map_score import CURVE_POINTS
from glasstape_server.bench.truth_task import TruthTask


@pytest.fixture(scope="module")
def results():
    tasks = [
        TruthTask(
            architecture="linear", kind=kind, windows=40_000, test=60, seed=seed, permuted=kind == "moving"
        )
        for kind, seed in (("fixed", 0), ("fixed", 1), ("moving", 0))
    ]
    return [explain_truth.run_task(task) for task in tasks]


def test_maps_are_better_than_random_unless_labels_are_shuffled(results):
    trained, _, shuffled = results
    assert trained.accuracy > 0.7
    assert shuffled.accuracy < 0.6

    def gradient(result):
        return next(s for s in result.scores if (s.method, s.score) == ("GRADIENT", "MARGIN"))

    assert gradient(trained).precision > 3 * trained.random
    assert gradient(shuffled).precision < 1.5 * shuffled.random
    assert trained.checks["skill"] > 2 > shuffled.checks["skill"]
    assert gradient(shuffled).reliable == 0


def test_deletion_curves_decrease(results):
    for score in results[0].scores:
        assert score.deletion[0] > score.deletion[-1]
        assert len(score.deletion) == CURVE_POINTS + 1


def test_results_are_written_as_a_table_and_as_json(results):
    table = explain_report.to_markdown(results)
    assert "### linear, 6 × 8, 2 seed(s)" in table
    scores = [s for r in results[:2] for s in r.scores if (s.method, s.score) == ("GRADIENT", "MARGIN")]
    (row,) = (line for line in table.splitlines() if line.startswith("| GRADIENT of MARGIN |"))
    assert row.split(" | ")[1] == f"{np.mean([s.precision for s in scores]):.3f}"
    assert f"random maps {results[2].random:.3f}." in table
    data = json.loads(explain_report.to_json(results))
    assert data[0]["task"]["kind"] == "fixed"
    assert data[0]["scores"][0]["reliable"] is None


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
