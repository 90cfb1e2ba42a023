"""The rank head: a second network that scores symbols by the return that follows, compared within their close.

It takes the same windows as the classes and has weights of its own, so that classes, maps and calibration are the same
with and without it. It is fitted to the rank of the forward return within the close by least squares, so that its score
is the expected rank.
"""

import math
from dataclasses import dataclass
from functools import partial

import numpy as np
from torch import nn

from glasstape_server.domain.arrays import Float32s, Floats
from glasstape_server.domain.ranking import MIN_SYMBOLS, RankingEstimates, ScoredReturns
from glasstape_server.domain.signals import Direction
from glasstape_server.domain.statistics import MIN_BLOCKS
from glasstape_server.domain.times import DAY, INTERVALS
from glasstape_server.features.cross_section import rank_within
from glasstape_server.features.labels import LabelRule
from glasstape_server.models.manifest import Architecture
from glasstape_server.models.networks.architectures import (
    RANK_OUTPUTS,
    build,
    config_values,
    default_config,
)
from glasstape_server.models.networks.trees import Trees
from glasstape_server.training.boosting import BoostingOptions, boost
from glasstape_server.training.checkpoint import Checkpoint
from glasstape_server.training.dataset import Dataset
from glasstape_server.training.examples import DatasetExamples, Normalization
from glasstape_server.training.fit import EpochCallback, FitOptions, fit, logits_of
from glasstape_server.training.training_split import MIN_WINDOWS, TrainingError, TrainingSplit

BLOCK_DAYS = 10
"""Days per bootstrap block, fewer where days are few."""


@dataclass(frozen=True, slots=True)
class RankHead:
    """A fitted rank head."""

    architecture: Architecture
    network: nn.Module
    """Normalized windows (batch, time, feature) -> scores (batch, 1)."""

    def scores(self, data: Dataset, normalization: Normalization) -> Floats:
        """Return the score of each window, (n,)."""
        unlabeled = DatasetExamples(data, np.zeros(len(data), np.float32), normalization)
        return np.asarray(logits_of(self.network, unlabeled)[:, 0])


def rank_targets(data: Dataset, rule: LabelRule) -> Float32s:
    """Return the rank of each window's forward return within its close, -1 … 1, (n,).

    It is that among these windows alone. NaN in a close of fewer than `MIN_SYMBOLS`.
    """
    _, close, counts = np.unique(data.close_time, return_inverse=True, return_counts=True)
    returns = data.forward_returns(rule).astype(np.float32)
    ranks = rank_within(data.close_time, returns[:, None])[:, 0]
    ranks[counts[close] < MIN_SYMBOLS] = np.nan
    return ranks


def rank_examples(data: Dataset, targets: Float32s, normalization: Normalization) -> DatasetExamples:
    """Return the windows that have a target, (n,), with it."""
    ranked = np.isfinite(targets)
    return DatasetExamples(data.select(ranked), targets[ranked], normalization)


def split_examples(data: TrainingSplit) -> tuple[DatasetExamples, DatasetExamples]:
    """Return the examples of training and of validation.

    Raises:
        TrainingError: too few windows of closes with enough symbols.
    """
    examples = [
        rank_examples(part, rank_targets(part, data.rule), data.normalization)
        for part in (data.training, data.validation)
    ]
    for name, part in zip(("training", "validation"), examples, strict=True):
        if len(part) < MIN_WINDOWS:
            raise TrainingError(
                f"head: {name} has {len(part)} labeled windows of closes with at least {MIN_SYMBOLS} symbols,"
                f" at least {MIN_WINDOWS} are required to rank"
            )
    return examples[0], examples[1]


def fit_rank_head(
    name: str,
    examples: tuple[DatasetExamples, DatasetExamples],
    shape: tuple[int, int],
    options: FitOptions | BoostingOptions,
    on_epoch: EpochCallback = lambda epoch, training, validation: None,
    checkpoint: Checkpoint | None = None,
) -> RankHead:
    """Fit a rank head.

    Args:
        name: of the architecture.
        examples: of training and of validation, for early stopping.
        shape: (time, feature) of a window.
        options: hyperparameters of the architecture.
        on_epoch: called after each epoch or round.
        checkpoint: of a network; see `fit`.

    Raises:
        CheckpointError: the checkpoint belongs to another training.
        FloatingPointError: the loss is not finite.
        ValueError: LightGBM is not installed.
    """
    if isinstance(options, BoostingOptions):
        trees: Trees = boost(name, *examples, options, on_epoch)
        return RankHead(Architecture(name=name, config=config_values(trees.config)), trees)
    config = default_config(name, *shape, RANK_OUTPUTS)
    network = fit(partial(build, name, config, RANK_OUTPUTS), *examples, options, on_epoch, checkpoint)
    return RankHead(Architecture(name=name, config=config), network)


def class_scores(probabilities: Floats) -> Floats:
    """Return p(UP) - p(DOWN) of probabilities (n, 3), by which a model without a rank head ranks, (n,)."""
    return np.asarray(probabilities[:, Direction.UP] - probabilities[:, Direction.DOWN])


def scored_returns(data: Dataset, rule: LabelRule, scores: Floats) -> ScoredReturns:
    """Return scores (n,) of windows with the simple returns over the horizon, from the entry on."""
    returns = np.expm1(data.forward_returns(rule))
    return ScoredReturns(scores, returns, data.close_time, data.symbol.astype(np.int64))


def rank_metrics(data: TrainingSplit, head: RankHead, probabilities: Floats) -> dict[str, float]:
    """Return the figures of a rank head on the windows that selected nothing, or else on those of validation.

    Beside them the Rank IC of its model's classes and of low volatility. Empty: too few days for intervals.

    Args:
        data: the windows.
        head: the rank head.
        probabilities: of the model's classes for the same windows, (n, 3).
    """
    part, windows = ("validation", data.validation)
    if data.check is not None:
        part, windows = "check", data.check.data
    rule, interval = data.rule, data.settings.interval
    overlap = math.ceil(rule.bars_ahead * INTERVALS[interval] / DAY * 7 / 5)
    days = len(np.unique((windows.close_time - 1) // DAY))
    block = max(overlap, min(BLOCK_DAYS, days // MIN_BLOCKS))
    scores = {
        "": head.scores(windows, data.normalization),
        "_classes": class_scores(probabilities),
        "_low_volatility": -windows.sigma,
    }
    metrics: dict[str, float] = {}
    for suffix, own in scores.items():
        try:
            estimates = RankingEstimates(
                [scored_returns(windows, rule, own)], block, horizon=rule.horizon_bars
            ).estimates
        except ValueError:  # no figure is reported without an interval
            return {}
        for name in (
            ("rank_ic", "rank_icir", "spread", "top_return", "turnover") if not suffix else ("rank_ic",)
        ):
            if name in estimates:
                estimate = estimates[name]
                values = {"": estimate.value, "_low": estimate.low, "_high": estimate.high}
                metrics |= {f"{part}/{name}{suffix}{end}": round(value, 6) for end, value in values.items()}
    return metrics
