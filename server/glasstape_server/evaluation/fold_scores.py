"""Scores of a paper book from the predictions of an evaluation, for the test windows of all folds."""

from collections.abc import Sequence

import numpy as np
import polars as pl

from glasstape_server.evaluation.baselines import RULES
from glasstape_server.evaluation.book_scores import DIRECTION, BookScores, score_of
from glasstape_server.evaluation.candidates import SHUFFLED, EvaluationPlan, FoldResult
from glasstape_server.evaluation.walk_forward import folds
from glasstape_server.training.dataset import Dataset


def fold_scores(data: Dataset, plan: EvaluationPlan, results: Sequence[FoldResult]) -> list[BookScores]:
    """Return the scores p(UP) - p(DOWN) of every candidate that is fitted, averaged over its seeds.

    Args:
        data: labeled windows.
        plan: of the evaluation.
        results: of every candidate on every fold.
    """
    tests = [fold.test for fold in folds(data, plan.folds, plan.rule.bars_ahead)]
    names = [name for name in plan.candidates if name not in RULES and not name.startswith(SHUFFLED)]
    return [_scores(name, tests, [r for r in results if r.task.candidate == name]) for name in names]


def _scores(name: str, tests: Sequence[Dataset], results: Sequence[FoldResult]) -> BookScores:
    frames = []
    for number, test in enumerate(tests):
        of_seeds = np.stack([r.probabilities.astype(np.float64) for r in results if r.task.fold == number])
        symbols = pl.Series(test.symbols, dtype=pl.String)[test.symbol.astype(np.int64)]
        score = score_of(DIRECTION, np.asarray(of_seeds.mean(axis=0)))
        frames.append(pl.DataFrame({"symbol": symbols, "close_time": test.close_time, "score": score}))
    return BookScores(pl.concat(frames), name)
