"""Predictions of every candidate for the test windows of every fold, as a Parquet file."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from glasstape_server.evaluation.candidates import SHUFFLED, EvaluationPlan, FoldResult
from glasstape_server.evaluation.walk_forward import folds
from glasstape_server.training import prediction_file
from glasstape_server.training.dataset import Dataset


def write(path: Path, data: Dataset, plan: EvaluationPlan, results: Sequence[FoldResult]) -> None:
    """Write the predictions, whole or not at all.

    Args:
        path: the file. Besides the columns of `prediction_file.frame_of` it has candidate, seed, fold (from 1),
            held_out (whether the symbol was never trained on), threshold (confidence below which the candidate
            abstains) and probabilistic (whether it predicts probabilities, not only classes).
        data: labeled windows.
        plan: of the evaluation.
        results: of every candidate on every fold; those on shuffled labels are left out.

    Raises:
        OSError: the file cannot be written.
    """
    tests = [fold.test for fold in folds(data, plan.folds, plan.rule.bars_ahead)]
    frames = [
        prediction_file.frame_of(
            tests[result.task.fold],
            result.probabilities,
            result.labels,
            result.returns,
            result.shares.astype(np.float32),  # as the metrics take them
            candidate=result.task.candidate,
            seed=result.task.seed,
            fold=result.task.fold + 1,
            threshold=result.threshold,
            probabilistic=result.probabilistic,
        ).with_columns(held_out=tests[result.task.fold].held_out_mask())
        for result in results
        if not result.task.candidate.startswith(SHUFFLED)
    ]
    prediction_file.write(path, frames)
