"""Predictions, explanations and models."""

from dataclasses import dataclass, field
from datetime import datetime

import numpy as np
from numpy.typing import NDArray

from glasstape.errors import GlasstapeError
from glasstape.types.enums import (
    Baseline,
    Direction,
    Entry,
    Method,
    ModelState,
    QualityLevel,
    Quantity,
    Score,
    Verdict,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelRef:
    """Names one model version for good."""

    name: str
    version: str
    digest: str
    feature_spec_hash: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Confidence:
    """Calibrated probabilities of the three classes."""

    direction: Direction
    down: float
    flat: float
    up: float
    """Probabilities, 0-1; the three sum to 1."""
    abstained: bool
    """The winning probability is below the model's published threshold."""
    novelty: float
    """How unlike the training data the window is, 0 (usual) - 1."""

    @property
    def winning(self) -> float:
        """The highest of the three."""
        return max(self.down, self.flat, self.up)


@dataclass(frozen=True, slots=True, kw_only=True)
class Prediction:
    """The answer for one item: either `confidence` or `error` is set."""

    model: ModelRef | None
    confidence: Confidence | None
    error: GlasstapeError | None
    symbol: str = ""
    bar_close_time: datetime | None = None

    def unwrap(self) -> Confidence:
        """The confidence; raises the item's error if it has one."""
        if self.confidence is None:
            raise self.error or GlasstapeError("prediction without a result")
        return self.confidence


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Heatmap:
    """A (time x feature) map."""

    values: NDArray[np.float32]
    """Shape (time, feature), oldest bar first, read-only."""
    quantity: Quantity
    native_shape: tuple[int, int]
    """Resolution before any upsampling."""
    upsampled: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Driver:
    """One cell that mattered."""

    feature: str
    feature_index: int
    time_index: int
    """0 = oldest bar."""
    value: float
    z_score: float
    """Distance from the training mean in standard deviations."""
    attribution: float
    share: float | None
    """Part of the sum of absolute contributions, 0-1; None for maps that do not sum to anything."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Quality:
    """A verdict on one map."""

    level: QualityLevel
    verdict: Verdict
    reasons: tuple[str, ...]


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


@dataclass(frozen=True, slots=True, kw_only=True)
class Feature:
    """One input feature."""

    name: str
    description: str
    mean: float
    standard_deviation: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Model:
    """What a model takes, says and is worth."""

    ref: ModelRef
    state: ModelState
    refusal: str
    """Why a REFUSED version may not serve."""
    architecture: str
    time_steps: int
    features: tuple[Feature, ...]
    min_bars: int
    """Bars needed to compute one window."""
    interval: str
    horizon_bars: int
    entry: Entry
    label_rule: str
    temperature: float
    abstain_threshold: float
    buy_ramp_low: float
    buy_ramp_high: float
    alert_threshold: float
    methods: tuple[Method, ...]
    metrics: dict[str, float] = field(hash=False)
    training_data: str
    seen_until: datetime | None
    """Last close that training or validation has seen."""
