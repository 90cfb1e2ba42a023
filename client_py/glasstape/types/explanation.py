"""Explanations: maps, verdicts, drivers and counterfactuals."""

from dataclasses import dataclass
from datetime import datetime

import numpy as np
from numpy.typing import NDArray

from glasstape.types.enums import Baseline, Direction, Method, QualityLevel, Quantity, Score, Verdict
from glasstape.types.inference import Check, Confidence, Prediction

DEGENERATE = 1e-8
"""A map whose largest cell is below this shows nothing."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Heatmap:
    """A (time x feature) map."""

    values: NDArray[np.float32]
    """Shape (time, feature), oldest bar first, read-only."""
    quantity: Quantity
    native_shape: tuple[int, int]
    """Resolution before any upsampling."""
    upsampled: bool
    """Whether `values` were spread from a coarser native shape."""
    sign_stability: NDArray[np.float32] | None = None
    """Shaped like `values`: share of noisy copies of the window whose gradient keeps its sign, 0-1."""

    @property
    def edges(self) -> tuple[list[int], list[int]]:
        """Where native rows and native columns begin in `values`, and the end behind the last."""
        steps, features = (
            [*np.flatnonzero(np.diff(np.arange(size) * coarse // size, prepend=-1)).tolist(), size]
            for size, coarse in zip(self.values.shape, self.native_shape, strict=True)
        )
        return steps, features

    @property
    def native(self) -> NDArray[np.float32]:
        """The map at its native shape: sums of a CONTRIBUTION, means of everything else."""
        rows, columns = (edges[:-1] for edges in self.edges)
        total = np.add.reduceat(np.add.reduceat(self.values, rows, 0), columns, 1)
        if self.quantity is Quantity.CONTRIBUTION:
            return total
        cells = np.ones_like(self.values)
        return np.asarray(total / np.add.reduceat(np.add.reduceat(cells, rows, 0), columns, 1))

    @property
    def full_colour(self) -> float:
        """What a picture's strongest colour stands for: the largest finite native cell.

        1 for a map that shows nothing (no cell above 1e-8): stretched to full colour, noise would look like reasons.
        """
        strength = np.abs(self.native[np.isfinite(self.native)])
        peak = float(strength.max(initial=0.0))
        return peak if peak >= DEGENERATE else 1.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Driver:
    """What mattered: one cell of a map at its native resolution."""

    feature: str
    """Empty: all features of `span`."""
    feature_index: int
    time_index: int
    """0 = oldest bar."""
    span: tuple[int, int]
    """Bars and features that it covers; (1, 1) for full maps."""
    value: float | None
    """The feature's value; None where it covers several cells."""
    z_score: float | None
    """Distance from the training mean in standard deviations."""
    attribution: float
    share: float | None
    """Part of the sum of absolute contributions, 0-1; None for maps that do not sum to anything."""
    bar_close_time: datetime | None
    """Of the bar at `time_index`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Quality:
    """A verdict on one map."""

    level: QualityLevel
    verdict: Verdict
    reasons: tuple[str, ...]
    """Why it is not RELIABLE."""
    checks: tuple[Check, ...] = ()
    """What was measured."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BarValues:
    """Open, high, low, close and volume of one bar."""

    open: float
    high: float
    low: float
    close: float
    volume: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Counterfactual:
    """The smallest edit of the last bar that was found to flip the class."""

    found: bool
    hypothetical: bool
    """Features were edited, not a bar: no real bar need look like it."""
    direction: Direction | None
    """The class after the edit; None if none was found."""
    size: float
    """Length of the edit in standard deviations."""
    bar: BarValues | None
    edited_bar: BarValues | None
    confidence: Confidence | None
    """After the edit."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Explanation:
    """One prediction with its reason, both from one model version."""

    prediction: Prediction
    method: Method
    score_kind: Score
    baseline: Baseline | None
    heatmap: Heatmap | None
    """None when the prediction is an error."""
    score: float | None
    baseline_score: float | None
    completeness_error: float | None
    samples: int
    target: Direction | None
    foil: Direction | None
    quality: Quality | None
    drivers: tuple[Driver, ...]
    bar_close_times: tuple[datetime, ...] = ()
    """Of the window's bars, oldest first; empty where they are not known."""
    window: NDArray[np.float32] | None = None
    """The window that was explained, (time, feature); None when the request carried it."""
    counterfactual: Counterfactual | None = None
    """Set by COUNTERFACTUAL."""
