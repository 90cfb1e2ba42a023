"""Predictions and models."""

from dataclasses import dataclass, field
from datetime import datetime

from glasstape.errors import GlasstapeError
from glasstape.types.enums import Direction, Entry, Method, ModelState


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


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """One test, of a map or of a model."""

    name: str
    value: float
    """What was measured."""
    limit: float
    """What it was held against."""
    passed: bool
    text: str
    """Both in one sentence."""


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
    checks: tuple[Check, ...] = ()
    """Tests made when the model was; maps of a model that failed one are never RELIABLE."""
