"""Predictions and models."""

from dataclasses import dataclass, field
from datetime import datetime

from glasstape.errors import GlasstapeError
from glasstape.types.enums import CalibrationState, Direction, Entry, Method, ModelState


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
class Health:
    """Whether a server, a service or a model is serving (grpc.health.v1)."""

    serving: bool
    reasons: tuple[str, ...] = ()
    """What is wrong with the server, in sentences; also while it serves."""


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
class Estimate:
    """A figure with its interval."""

    value: float
    low: float
    high: float


@dataclass(frozen=True, slots=True, kw_only=True)
class LiveCalibration:
    """Confidences against outcomes over the last 60 sessions; intervals: 99 %, blocks of sessions."""

    state: CalibrationState
    sessions: int
    outcomes: int
    winner_gap: Estimate
    """Share of winning classes that came true minus their mean confidence."""
    up_gap: Estimate
    """Share of UP outcomes minus the mean p(UP)."""
    band: float
    """Largest |gap| that the confidences are said to keep."""
    novel_share: Estimate
    """Share of windows beyond 95 % of the validation windows; 0.05 is usual."""
    drifted: bool
    """Inputs are no longer those that the model learnt from."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ShadowRecord:
    """How often a shadow would have said something else than the active model."""

    compared: int
    disagreed: int
    against: ModelRef
    """The active model that it is compared with."""

    @property
    def rate(self) -> float:
        """Share of disagreements, 0-1."""
        return self.disagreed / self.compared if self.compared else 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class ReliabilityPoint:
    """One point of a reliability diagram."""

    direction: Direction | None
    """Class whose confidence it is; None: the winning class."""
    stated: float
    realised: float
    count: int


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
    live: LiveCalibration | None = None
    """What came of its own signals lately; None: none has an outcome yet."""
    shadow: ShadowRecord | None = None
    """Set for a model that shadows the active one."""
    reliability: tuple[ReliabilityPoint, ...] = ()
    """Of the winning class on the validation set."""
