"""Scores that rank the symbols of a close: of rank heads fitted on a fold, and of baselines without a model."""

import numpy as np

from glasstape_server.domain.arrays import Float32s, Floats
from glasstape_server.domain.ranking import MIN_SYMBOLS
from glasstape_server.evaluation.walk_forward import Fold
from glasstape_server.features.labels import LabelRule
from glasstape_server.training.boosting import BoostingOptions
from glasstape_server.training.dataset import Dataset
from glasstape_server.training.examples import Normalization
from glasstape_server.training.fit import FitOptions
from glasstape_server.training.rank_head import fit_rank_head, rank_examples, rank_targets

LOW_VOLATILITY, REVERSAL = "low volatility", "reversal"
REVERSAL_BARS = 5
"""Bars whose return the reversal baseline takes: Lehmann (1990), "Fads, martingales, and market efficiency"."""


def fit_scores(
    name: str,
    fold: Fold,
    rule: LabelRule,
    options: FitOptions | BoostingOptions,
    most: int,
) -> Float32s:
    """Fit a rank head on a fold; return its scores of the test windows, (n,).

    Args:
        name: of the architecture.
        fold: windows.
        rule: gives horizon and entry.
        options: hyperparameters of the architecture.
        most: windows at most of training and of validation, drawn at random after they were ranked.

    Raises:
        ValueError: no training or validation window is of a close with enough symbols.
    """
    parts = {"training": fold.training, "validation": fold.validation}
    drawn = {part: _drawn(data, rank_targets(data, rule), most, options.seed) for part, data in parts.items()}
    for part, (data, _) in drawn.items():
        if not len(data):
            raise ValueError(f"head: no {part} window is of a close with at least {MIN_SYMBOLS} symbols")
    normalization = Normalization.of(drawn["training"][0])
    training, validation = (rank_examples(*each, normalization) for each in drawn.values())
    head = fit_rank_head(name, (training, validation), fold.test.window_shape, options)
    return head.scores(fold.test, normalization).astype(np.float32)


def _drawn(data: Dataset, targets: Float32s, most: int, seed: int) -> tuple[Dataset, Float32s]:
    numbers = np.flatnonzero(np.isfinite(targets))
    if len(numbers) > most:
        numbers = np.sort(np.random.default_rng(seed).choice(numbers, most, replace=False))
    return data.select(numbers), targets[numbers]


def baseline_scores(test: Dataset) -> dict[str, Floats]:
    """Return scores without a model, (n,) each: of calm symbols, and of symbols that fell."""
    before = test.log_close[test.last - REVERSAL_BARS]
    return {LOW_VOLATILITY: -test.sigma, REVERSAL: before - test.log_close[test.last]}
