import json

import pytest
from glasstape_server.bench import explain_report, explain_truth
from glasstape_server.bench.explain_truth import Job


@pytest.fixture(scope="module")
def outcomes():
    jobs = [
        Job(architecture="linear", kind=kind, windows=40_000, test=60, seed=seed, permuted=kind == "moving")
        for kind, seed in (("fixed", 0), ("fixed", 1), ("moving", 0))
    ]
    return [explain_truth.run_job(job) for job in jobs]


def test_a_trained_network_is_explained_well_above_chance_and_a_shuffled_one_is_not(outcomes):
    learnt, _, shuffled = outcomes
    assert learnt.accuracy > 0.7
    assert shuffled.accuracy < 0.6

    def gradient(outcome):
        return next(s for s in outcome.scores if (s.method, s.score) == ("GRADIENT", "MARGIN"))

    assert gradient(learnt).precision > 3 * learnt.random
    assert gradient(shuffled).precision < 1.5 * shuffled.random
    assert learnt.skill > 2 > shuffled.skill
    assert gradient(shuffled).reliable == 0


def test_deletion_curves_begin_full_and_fall(outcomes):
    for score in outcomes[0].scores:
        assert score.deletion[0] > score.deletion[-1]
        assert len(score.deletion) == explain_truth.CURVE + 1


def test_results_are_written_as_a_table_and_as_json(outcomes):
    table = explain_report.to_markdown(outcomes)
    assert "### linear, 6 × 8, 2 seed(s)" in table
    assert "| OCCLUSION of LOG_PROBABILITY |" in table
    assert "Trained on shuffled labels" in table
    data = json.loads(explain_report.to_json(outcomes))
    assert data[0]["job"]["kind"] == "fixed"
    assert data[0]["scores"][0]["reliable"] is None


def test_a_plan_holds_every_combination_and_one_shuffled_training_for_each_network():
    jobs = explain_truth.plan(
        ["linear", "conv1d"], ["moving", "null"], ["6x8", "12x8"], 3, windows=9, epochs=2, test=5
    )
    assert len(jobs) == 2 * (2 * 2 * 3) + 2 * 2
    assert sum(job.permuted for job in jobs) == 4
    for asked in ({"networks": ["rnn"]}, {"kinds": ["x"]}, {"shapes": ["6"]}):
        arguments = {"networks": [], "kinds": [], "shapes": ["6x8"], **asked}
        with pytest.raises(ValueError, match=next(iter(asked))):
            explain_truth.plan(**arguments, seeds=1, windows=9, epochs=1, test=5)
