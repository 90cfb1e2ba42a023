"""Ensembles of candidates: averaged logits, calibrated on validation windows."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from glasstape_server.domain.statistics import softmax
from glasstape_server.evaluation.averaging import averaged
from glasstape_server.evaluation.candidates import EvaluationPlan, FoldResult, FoldTask

PLAN = EvaluationPlan(candidates=("linear", "conv1d"), folds=2)


def member(candidate, logits, labels, temperature, fold=0):
    stated = softmax(logits, temperature).astype(np.float32)
    half = len(labels) // 2
    return FoldResult(
        FoldTask(Path(), PLAN, candidate, fold, 0), stated[half:], True, stated[:half], labels[:half], labels[half:],
        np.zeros(len(labels) - half), np.full(3, 1 / 3), 0.5, temperature, 0.4, None,
    )  # fmt: skip


@pytest.fixture
def members():
    random = np.random.default_rng(0)
    truth = random.normal(size=(4000, 3))
    labels = np.array([random.choice(3, p=p) for p in softmax(truth, 1.0)])
    logits = [truth + random.normal(size=truth.shape) for _ in range(2)]
    return [
        member(name, each, labels, temperature)
        for name, each, temperature in zip(PLAN.candidates, logits, (1.4, 0.7), strict=True)
    ], (logits[0] + logits[1]) / 2


def test_an_ensemble_averages_logits_and_calibrates_them_on_validation_windows(members):
    parts, mean = members
    result = averaged("linear+conv1d", parts)
    half = len(parts[0].validation_labels)
    assert result.probabilities == pytest.approx(softmax(mean[half:], result.temperature), abs=1e-5)
    assert result.validation_probabilities == pytest.approx(
        softmax(mean[:half], result.temperature), abs=1e-5
    )

    def loss(temperature):
        stated = softmax(mean[:half], temperature)
        return -np.log(stated[np.arange(half), parts[0].validation_labels]).mean()

    assert loss(result.temperature) <= min(loss(result.temperature * factor) for factor in (0.99, 1.01))
    assert result.task.candidate == "linear+conv1d"
    assert (result.validation_probabilities.max(axis=1) >= result.threshold).mean() == pytest.approx(
        0.2, abs=0.01
    )


def test_members_of_other_folds_and_without_probabilities_are_refused(members):
    one, two = members[0]
    other = replace(two, task=replace(two.task, fold=1))
    for unfit in (other, replace(two, probabilistic=False)):
        with pytest.raises(ValueError, match="must average probabilities of one fold, has conv1d"):
            averaged("linear+conv1d", [one, unfit])
