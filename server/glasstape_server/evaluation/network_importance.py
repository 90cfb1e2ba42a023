"""What the networks of an evaluation look at, on test windows: these chose neither weights, epoch nor temperature."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch

from glasstape_server.domain.arrays import Float32s, Floats, Ints
from glasstape_server.domain.statistics import IntervalEstimate
from glasstape_server.explain import permutation
from glasstape_server.explain.catalog import METHODS
from glasstape_server.explain.importance import Estimates, parts_of, summarize
from glasstape_server.explain.importance_methods import DEFAULT_METHOD
from glasstape_server.explain.method import Request, Rows
from glasstape_server.explain.scores import ScoreSpec
from glasstape_server.explain.units import comparable
from glasstape_server.models.scorer import Scorer
from glasstape_server.training.dataset import Dataset

WINDOWS = 1000
"""Largest number of test windows per fold, drawn at random."""
ROWS_AT_ONCE = 4096


@dataclass(frozen=True, slots=True)
class TestedMaps:
    """Maps and loss increases of one network on test windows."""

    maps: Float32s  # (n, time, feature)
    increases: Floats
    """Loss increase of each window for each part, nats, (n, part)."""
    close_time: Ints  # (n,)


@dataclass(frozen=True, slots=True)
class PartResult:
    """Importance of a feature, of a bar, or of a cell."""

    feature: str
    """Empty: all features."""
    time: int | None
    """Row in the window, 0 = oldest bar; None: all bars."""
    share: IntervalEstimate | None
    """Share of the importance of all cells, 0-1; None: not defined, or too few closes."""
    loss_increase: IntervalEstimate | None
    """Permutation importance: increase of the log loss, nats, without knowledge of the part."""


def measure(scorer: Scorer, test: Dataset, labels: Ints, temperature: float, seed: int) -> TestedMaps | None:
    """Return maps and loss increases of a network on test windows of symbols that were trained on; None: too few.

    Args:
        scorer: normalization and network, in evaluation mode.
        test: test windows.
        labels: their class indices, (n,).
        temperature: of the calibration.
        seed: of the draw of windows and of the permutations.
    """
    numbers = np.flatnonzero(~test.held_out_mask())
    if len(numbers) < 2:
        return None
    if len(numbers) > WINDOWS:
        numbers = np.sort(np.random.default_rng(seed).choice(numbers, WINDOWS, replace=False))
    windows, chosen = test.windows(numbers), labels[numbers]
    original = permutation.losses(_logits(scorer, windows), temperature, chosen)
    increases = [
        permutation.loss_increase(original, _logits(scorer, copies.windows), temperature, chosen)
        for copies in permutation.permuted(windows, seed)
    ]
    return TestedMaps(_maps(scorer, windows), np.stack(increases, axis=1), test.close_time[numbers])


def pooled(parts: Sequence[TestedMaps], names: Sequence[str]) -> tuple[PartResult, ...]:
    """Return the importance over the test windows of all folds.

    Args:
        parts: of each fold.
        names: of the features.
    """
    maps = np.concatenate([part.maps for part in parts])
    close_time = np.concatenate([part.close_time for part in parts])
    increases = np.concatenate([part.increases for part in parts])
    share = summarize(maps, close_time).share
    loss = permutation.estimate(increases, close_time, maps.shape[1])
    return tuple(
        PartResult(
            "" if part.feature is None else names[part.feature],
            part.time,
            _estimate(share, number),
            _estimate(loss, number),
        )
        for number, part in enumerate(parts_of((maps.shape[1], maps.shape[2])))
    )


def _maps(scorer: Scorer, windows: Float32s) -> Float32s:
    request, parts = Request(DEFAULT_METHOD, ScoreSpec()), []
    for first in range(0, len(windows), ROWS_AT_ONCE):
        rows = torch.from_numpy(windows[first : first + ROWS_AT_ONCE])
        baseline = scorer.mean.expand_as(rows)
        attribution = METHODS[DEFAULT_METHOD].attribute(
            scorer, Rows(rows, baseline, scorer.deviation), request
        )
        parts.append(attribution.values.numpy())
    return comparable(np.concatenate(parts), METHODS[DEFAULT_METHOD].quantity, scorer.deviation.numpy())


@torch.no_grad()
def _logits(scorer: Scorer, windows: Float32s) -> Float32s:
    parts = [
        scorer(torch.from_numpy(windows[first : first + ROWS_AT_ONCE])).numpy()
        for first in range(0, len(windows), ROWS_AT_ONCE)
    ]
    return np.concatenate(parts)


def _estimate(estimates: Estimates, number: int) -> IntervalEstimate | None:
    value, low, high = (float(each[number]) for each in (estimates.value, estimates.low, estimates.high))
    return None if math.isnan(low) else IntervalEstimate(round(value, 6), round(low, 6), round(high, 6))
