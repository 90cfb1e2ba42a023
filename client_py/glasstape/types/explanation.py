"""Explanations: maps, verdicts, drivers and counterfactuals."""

from dataclasses import dataclass
from datetime import datetime

import numpy as np
from numpy.typing import NDArray

from glasstape.errors import GlasstapeError
from glasstape.types.enums import (
    Baseline,
    Direction,
    Method,
    QualityLevel,
    Quantity,
    Score,
    TrustLevel,
    Verdict,
)
from glasstape.types.inference import CheckResult, Confidence, ModelRef, Prediction

DEGENERATE = 1e-8
"""A map whose largest absolute cell is below this is degenerate."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Heatmap:
    """A (time x feature) map."""

    values: NDArray[np.float32]
    """Shape (time, feature), oldest bar first, read-only."""
    quantity: Quantity
    """What the values are."""
    native_shape: tuple[int, int]
    """Resolution of the method, before any upsampling."""
    upsampled: bool
    """Whether `values` were spread from a coarser native shape."""
    sign_stability: NDArray[np.float32] | None = None
    """Shaped like `values`: share of noisy copies of the window in which the gradient keeps its sign, 0-1."""
    feature_scale: NDArray[np.float32] | None = None
    """Shape (feature,): factors that make features comparable. None: `values` are comparable as they stand."""

    @property
    def comparable(self) -> NDArray[np.float32]:
        """Return `values` in units that are comparable across features, for rankings and colors."""
        return self.values if self.feature_scale is None else self.values * self.feature_scale

    @property
    def edges(self) -> tuple[list[int], list[int]]:
        """Return the first row and column in `values` of each native cell, and the end after the last."""
        steps, features = (
            [*np.flatnonzero(np.diff(np.arange(size) * coarse // size, prepend=-1)).tolist(), size]
            for size, coarse in zip(self.values.shape, self.native_shape, strict=True)
        )
        return steps, features

    @property
    def native(self) -> NDArray[np.float32]:
        """Return the map at its native shape: sums of a CONTRIBUTION, means of other quantities."""
        return self._at_native_shape(self.values)

    @property
    def native_comparable(self) -> NDArray[np.float32]:
        """Return `comparable` at the native shape: what colors show."""
        return self._at_native_shape(self.comparable)

    def _at_native_shape(self, values: NDArray[np.float32]) -> NDArray[np.float32]:
        rows, columns = (edges[:-1] for edges in self.edges)
        total = np.add.reduceat(np.add.reduceat(values, rows, 0), columns, 1)
        if self.quantity is Quantity.CONTRIBUTION:
            return np.asarray(total)
        cells = np.ones_like(values)
        return np.asarray(total / np.add.reduceat(np.add.reduceat(cells, rows, 0), columns, 1))

    @property
    def full_color(self) -> float:
        """Return what a picture's strongest color stands for: the largest finite |cell| of `native_comparable`.

        1 for a degenerate map (no cell above 1e-8), whose noise must not be stretched to full color.
        """
        cells = self.native_comparable
        peak = float(np.abs(cells[np.isfinite(cells)]).max(initial=0.0))
        return peak if peak >= DEGENERATE else 1.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Driver:
    """One of the strongest cells of a map, at its native resolution."""

    feature: str
    """Empty: all features of `span`."""
    feature_index: int
    """Position of the feature in the window; of the first, where `span` covers several."""
    time_index: int
    """0 = oldest bar."""
    span: tuple[int, int]
    """Bars and features covered; (1, 1) for full maps."""
    value: float | None
    """The feature's value; None where it covers several cells."""
    z_score: float | None
    """Distance from the training mean in standard deviations."""
    attribution: float
    """Value of the cell, in the map's quantity."""
    share: float | None
    """Share of the sum of absolute contributions, 0-1; None for maps that do not add up."""
    bar_close_time: datetime | None
    """Of the bar at `time_index`, where it is known."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Trust:
    """How likely a map marks what the model used: true to the model, not to the market."""

    value: float
    """Expected share of the way from a random map (0) to one that ranks every salient cell first (1)."""
    level: TrustLevel
    """The same in one word."""
    average_precision: float
    """Mean average precision of benchmark maps of similar trust, 0-1."""
    maps: int
    """Number of these maps."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Quality:
    """A verdict on one map."""

    level: QualityLevel
    """Which checks were made."""
    verdict: Verdict
    """How far the map can be trusted."""
    reasons: tuple[str, ...]
    """Why it is not RELIABLE."""
    checks: tuple[CheckResult, ...] = ()
    """Measurements of this map."""
    trust: Trust | None = None
    """Set at level FULL, unless the map is degenerate or a counterfactual."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BarValues:
    """Open, high, low, close and volume of one bar."""

    open: float
    """Price of the first trade."""
    high: float
    """Highest price."""
    low: float
    """Lowest price."""
    close: float
    """Price of the last trade."""
    volume: float
    """Units traded."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Counterfactual:
    """The smallest edit of the last bar that was found to flip the class."""

    found: bool
    """Whether an edit flips the class."""
    hypothetical: bool
    """Features were edited instead of a bar: a real bar may not look like it."""
    direction: Direction | None
    """The class after the edit; None if none was found."""
    size: float
    """Length of the edit in standard deviations."""
    bar: BarValues | None
    """The last bar as it was; None where the window's bars are unknown."""
    edited_bar: BarValues | None
    """The last bar after the edit; None if `hypothetical`, or none was found."""
    confidence: Confidence | None
    """After the edit."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Explanation:
    """Result for one item: the heat map of a prediction from the same model version, or `error`."""

    prediction: Prediction | None
    """None if it was not included, or the item failed."""
    method: Method
    """How the map was computed."""
    score_kind: Score
    """The number that was explained."""
    baseline: Baseline | None
    """The reference input; None for methods without one."""
    heatmap: Heatmap | None
    """None if the item failed."""
    score: float | None
    """The explained score, in logits."""
    baseline_score: float | None
    """Score of the baseline input; set for contributions."""
    completeness_error: float | None
    """|sum of the map - (score - baseline score)|; set for contributions."""
    samples: int
    """Steps or draws taken."""
    target: Direction | None
    """The explained class."""
    foil: Direction | None
    """The class compared with."""
    quality: Quality | None
    """How far the map can be trusted; None if no check was requested, or the item failed."""
    drivers: tuple[Driver, ...]
    """The strongest cells, strongest first, at most 5."""
    bar_close_times: tuple[datetime, ...] = ()
    """Of the window's bars, oldest first; empty where they are unknown."""
    window: NDArray[np.float32] | None = None
    """The explained window, (time, feature); None if the request carried it."""
    counterfactual: Counterfactual | None = None
    """Set by COUNTERFACTUAL."""
    model: ModelRef | None = None
    """The model version of map and prediction; None if the item failed."""
    error: GlasstapeError | None = None
    """Why the item failed."""
    symbol: str = ""
    """Where the input names one."""

    @property
    def confidence(self) -> Confidence:
        """Return the confidence of the prediction.

        Raises:
            GlasstapeError: the item failed, or the prediction was not included.
        """
        prediction = self.unwrap().prediction
        if prediction is None:
            raise GlasstapeError("the explanation was requested without its prediction")
        return prediction.unwrap()

    def unwrap(self) -> "Explanation":
        """Return this explanation.

        Raises:
            GlasstapeError: the item failed.
        """
        if self.error is not None:
            raise self.error
        return self
