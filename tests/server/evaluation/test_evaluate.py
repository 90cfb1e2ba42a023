"""The whole evaluation, on a small synthetic market."""

import tempfile
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from evaluated import candidate
from glasstape.skill import SkillVerdict
from glasstape_server.domain.times import DAY
from glasstape_server.evaluation import candidates, leak_checks, report
from glasstape_server.evaluation.candidates import EvaluationPlan
from glasstape_server.evaluation.evaluate import BASELINES, COVERAGES, evaluate
from glasstape_server.evaluation.metrics import LabeledPredictions, MetricEstimates, TooFewDaysError
from glasstape_server.evaluation.network_importance import measure
from glasstape_server.evaluation.synthetic import INTERVAL, RULE
from glasstape_server.evaluation.walk_forward import folds
from glasstape_server.features.spec import FeatureSpec
from glasstape_server.features.windows import all_windows
from glasstape_server.models.scorer import Scorer
from glasstape_server.training import dataset


def leak_check(evaluation, name):
    return next(check for check in evaluation.leak_checks if check.name == name)


def test_a_known_signal_is_significant_and_a_rule_without_skill_is_not(evaluation):
    assert {item.name for item in evaluation.candidates} == {*BASELINES, "linear"}
    linear, up = candidate(evaluation, "linear"), candidate(evaluation, "always_up")
    assert linear.metrics["log_loss_gain"].low > 0
    assert linear.significant["prior"]
    assert linear.significant["always_up"]
    assert not up.significant["prior"]
    assert "log_loss" not in up.metrics
    assert sum(evaluation.class_shares) == pytest.approx(1)


def test_a_known_signal_has_direction_and_the_parts_add_up(evaluation):
    for item in evaluation.candidates:
        own = item.metrics
        if "log_loss_gain" in own:
            parts = own["flat_gain"].value + own["direction_gain"].value
            assert parts == pytest.approx(own["log_loss_gain"].value, abs=1e-12)
        if "edge" in own:
            assert own["edge"].value == pytest.approx(
                2 * (own["hit_rate"].value - own["call_base_rate"].value), abs=1e-12
            )
    linear = candidate(evaluation, "linear")
    assert linear.metrics["direction_gain"].low > 0
    assert linear.metrics["moved_hit_rate"].low > 0.5
    assert linear.verdict in (SkillVerdict.DIRECTION, SkillVerdict.FLAT_AND_DIRECTION)
    prior = candidate(evaluation, "prior")
    assert {prior.metrics[name].high for name in ("flat_gain", "direction_gain")} == {0.0}
    assert prior.verdict is SkillVerdict.NONE
    assert candidate(evaluation, "always_up").verdict is SkillVerdict.UNSPECIFIED


def test_the_prior_is_the_class_shares_of_all_training_windows(data):
    (fold,) = folds(data, 1, RULE.bars_ahead)
    shares = np.bincount(fold.training.labels(fold.training.fitted(RULE)), minlength=3) / len(fold.training)
    plan = EvaluationPlan(candidates=("prior",), folds=1, windows=500, rule=RULE)
    (result,) = candidates_of(data, plan)
    np.testing.assert_allclose(result.probabilities, np.tile(shares, (len(result.labels), 1)), atol=1e-6)
    np.testing.assert_allclose(result.shares, shares)


@pytest.mark.parametrize("name", ["trees", "lightgbm"])
def test_trees_find_a_known_signal_and_what_they_look_at(data, name):
    plan = EvaluationPlan(candidates=(name,), folds=1, windows=4000, rule=RULE)
    (result,) = candidates_of(data, plan)
    right = result.probabilities[np.arange(len(result.labels)), result.labels]
    prior = result.shares[result.labels]
    assert np.log(right).mean() > np.log(prior).mean() + 0.01
    assert result.maps is not None
    assert np.abs(result.maps.maps).max() > 0


def candidates_of(data, plan):
    with tempfile.TemporaryDirectory() as folder:
        return candidates.run(data, plan, Path(folder), 1)


@pytest.mark.parametrize("processes", [1, 2])
def test_every_fit_and_every_epoch_is_reported(data, tmp_path, processes):
    plan = EvaluationPlan(candidates=("prior", "linear"), folds=2, epochs=2, windows=500, rule=RULE)
    fits, epochs = [], []
    candidates.run(
        data, plan, tmp_path, processes, lambda done, total, result: fits.append((done, total, result.to_text())),
        epochs.append,
    )  # fmt: skip
    assert [fit[:2] for fit in fits] == [(done, plan.fits) for done in (1, 2, 3, 4)]
    assert fits[1][2].startswith("fold 1 of 2, linear, validation loss 1.")
    assert sorted((report.fit, report.epoch) for report in epochs) == [
        (f"fold {fold} of 2, linear", epoch) for fold in (1, 2) for epoch in (1, 2)
    ]
    assert min(report.to_text() for report in epochs).startswith("fold 1 of 2, linear, epoch 1, loss 1.")


def test_too_few_days_are_rejected_before_anything_is_fitted(data, monkeypatch):
    monkeypatch.setattr(candidates, "run_task", lambda *_: pytest.fail("fitted"))
    some = data.select(data.close_time < np.unique(data.close_time)[36])
    plan = EvaluationPlan(candidates=("prior", "linear"), folds=1, rule=RULE)
    with pytest.raises(TooFewDaysError, match=r"at least 20 are required for intervals, there are 18"):
        evaluate(some, plan, cost=0.0)


def test_few_days_get_smaller_blocks(data):
    some = data.select(data.close_time < np.unique(data.close_time)[60])
    plan = EvaluationPlan(candidates=("prior",), folds=1, rule=RULE)
    few = evaluate(some, plan, cost=0.0)
    assert (few.days, few.block) == (30, 3)
    assert "over blocks of 3 days" in report.to_html(few, {})


def test_held_out_symbols_have_metrics_of_their_own(evaluation, data):
    assert set(evaluation.held_out) == {s for s in data.symbols if dataset.held_out(s)}
    assert evaluation.held_out
    linear = candidate(evaluation, "linear")
    assert linear.held_out["accuracy"].value != linear.metrics["accuracy"].value
    assert evaluation.tested == sum(p.count for p in linear.reliability)
    assert evaluation.tested_held_out > 0


def test_abstention_keeps_the_coverage_of_validation_and_raises_accuracy(evaluation):
    linear = candidate(evaluation, "linear")
    assert linear.abstaining.coverage == pytest.approx(0.2, abs=0.08)
    assert linear.abstaining.accuracy > linear.metrics["accuracy"].value
    assert [point.coverage for point in linear.selective] == pytest.approx(COVERAGES, abs=0.01)


def test_realized_coverage_is_near_the_nominal(evaluation):
    for coverage in candidate(evaluation, "linear").conformal:
        assert coverage.realized == pytest.approx(coverage.nominal, abs=0.05)
        assert 0 <= coverage.full <= 1


def test_a_candidate_trained_on_shuffled_labels_has_no_skill(evaluation):
    assert not leak_check(evaluation, "shuffled_labels").failed


def test_several_seeds_are_compared_with_rules_without_seeds(data):
    plan = EvaluationPlan(
        candidates=("prior", "always_up", "linear"), folds=1, seeds=2, epochs=4, windows=6000, rule=RULE
    )
    linear = candidate(evaluate(data, plan, cost=0.0, processes=2), "linear")
    assert set(linear.differences) == {"prior", "always_up"}
    assert "log_loss_gain" in linear.differences["prior"]
    assert linear.significant["prior"]


def test_skill_from_shuffled_labels_fails_the_leak_check():
    random = np.random.default_rng(0)
    probabilities = random.dirichlet([1, 1, 1], 4000)
    labels = probabilities.argmax(axis=1)
    time = np.repeat(np.arange(1, 201) * DAY, 20)
    predicted = LabeledPredictions(probabilities, labels, time, np.full((4000, 3), 1 / 3))
    assert leak_checks.shuffled_labels("x", MetricEstimates(predicted)).failed


def test_a_class_without_training_windows_is_an_error(data):
    never_up = data.select(data.labels(data.fitted(RULE)) != 2)
    falling = replace(never_up, log_close=np.minimum.accumulate(never_up.log_close))
    plan = EvaluationPlan(candidates=("prior",), folds=1, rule=RULE)
    with pytest.raises(ValueError, match=r"fold 1: no training window is .*UP"):
        evaluate(falling, plan, cost=0.0)


def test_a_fold_without_training_windows_is_an_error(data):
    """All symbols but the held-out ones begin late."""
    early = np.unique(data.close_time)[150]
    late = data.select((data.close_time >= early) | data.held_out_mask())
    plan = EvaluationPlan(candidates=("prior",), folds=2, rule=RULE)
    with pytest.raises(ValueError, match="fold 1: no training window of a symbol that is not held out"):
        evaluate(late, plan, cost=0.0)


def test_implausible_accuracy_fails_the_leak_check(data):
    """The feature close_return leaks the next bar."""
    plan = EvaluationPlan(candidates=("prior", "linear"), folds=1, epochs=3, windows=6000, rule=RULE)
    one_ahead = np.array(data.features)
    one_ahead[:-1, 3] = one_ahead[1:, 3]
    check = leak_check(evaluate(replace(data, features=one_ahead), plan, cost=0.0), "implausible_accuracy")
    assert check.failed, check.text


def test_windows_do_not_depend_on_future_bars(frame):
    check = leak_checks.future_perturbation(frame, INTERVAL, FeatureSpec(), RULE, "UTC")
    assert not check.failed, check.text
    assert "did not change" in check.text


def test_windows_that_depend_on_future_bars_fail_the_leak_check(frame):
    def leaking(spec, series):
        windows, last = all_windows(spec, series)
        windows[:-1, -1, 3] = windows[1:, -1, 3]
        return windows, last

    check = leak_checks.future_perturbation(frame, INTERVAL, FeatureSpec(), RULE, "UTC", windows_of=leaking)
    assert check.failed


def test_permutation_importance_finds_the_feature_that_holds_the_signal(evaluation, data):
    """A linear network can use the mean rsi of the last three bars alone."""
    parts = {(part.feature, part.time): part for part in candidate(evaluation, "linear").importance}
    features = [parts[name, None] for name in data.feature_names]
    strongest = sorted(features, key=lambda part: -part.loss_increase.value)[:2]
    assert "rsi" in {part.feature for part in strongest}  # beside macd_histogram, which correlates with it
    assert all(part.loss_increase.low > 0 for part in strongest)
    assert parts["relative_volume", None].loss_increase.low < 0
    bars = [parts["", time].loss_increase.value for time in range(data.time_steps)]
    assert sum(bars[-3:]) > sum(bars[:-3])
    assert sum(part.share.value for part in features) == pytest.approx(1, abs=1e-4)
    assert candidate(evaluation, "prior").importance == ()


def test_a_fold_without_windows_of_trained_symbols_has_no_maps(data):
    held_out = data.select(data.held_out_mask())
    scorer = Scorer(torch.nn.Flatten(), torch.zeros(8), torch.ones(8))
    assert measure(scorer, held_out, np.zeros(len(held_out), np.int64), 1.0, seed=0) is None
