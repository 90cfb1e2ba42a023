"""Predictions and models."""

from dataclasses import dataclass, field
from datetime import datetime

from glasstape.errors import GlasstapeError
from glasstape.skill import SkillVerdict
from glasstape.types.enums import Direction, EntryPrice, Method, ModelState
from glasstape.types.live import IntervalEstimate, LiveCalibration


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelRef:
    """Permanent identity of one model version."""

    name: str
    """Name of the model."""
    version: str
    """Version of that name."""
    digest: str
    """SHA-256 of the artifact's manifest, 64 hex digits."""
    feature_spec_hash: str
    """SHA-256 of the feature spec: equal hash, equal features."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Confidence:
    """Calibrated probabilities of the three classes."""

    direction: Direction
    """The winning class."""
    down: float
    """Probability of DOWN, 0-1."""
    flat: float
    """Probability of FLAT, 0-1."""
    up: float
    """Probability of UP, 0-1; the three sum to 1."""
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
    """Result for one item: either `confidence` or `error` is set."""

    model: ModelRef | None
    """None if the item failed."""
    confidence: Confidence | None
    """The probabilities; None if the item failed."""
    error: GlasstapeError | None
    """Why the item failed; None if it did not."""
    symbol: str = ""
    """Symbol of the input, where it names one."""
    bar_close_time: datetime | None = None
    """Close of the window's last bar, where it is known."""
    missing_bars: int = 0
    """As in `Signal`; 0 for windows and bars that the request carries."""
    missing_symbols: int = 0
    """As in `Signal`; 0 for windows that the request carries."""
    rank_score: float | None = None
    """As in `Signal`; None in explanations, except of past signals."""

    def unwrap(self) -> Confidence:
        """Return the confidence.

        Raises:
            GlasstapeError: the item failed.
        """
        if self.confidence is None:
            raise self.error or GlasstapeError("prediction without a result")
        return self.confidence


@dataclass(frozen=True, slots=True, kw_only=True)
class Health:
    """Whether a server, a service or a model is serving (grpc.health.v1)."""

    serving: bool
    """Whether calls are answered."""
    reasons: tuple[str, ...] = ()
    """Problems of the server, one sentence each; may be set while it serves."""
    reachable: bool = True
    """Whether the server answered the health check."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckResult:
    """One test, of a map or of a model."""

    name: str
    """Name of the test."""
    value: float
    """What was measured."""
    limit: float
    """Threshold of the check."""
    passed: bool
    """Whether the value is within the limit."""
    text: str
    """Value and limit in one sentence."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelFeature:
    """One input feature."""

    name: str
    """Name of the feature."""
    description: str
    """Formula and unit."""
    mean: float
    """Over the training data."""
    standard_deviation: float
    """Over the training data."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SkillSplit:
    """Log loss saved against the class shares of all training windows, in two parts that add up; 95 % intervals."""

    log_loss_saved: IntervalEstimate
    """Log loss of the class shares minus that of the model, nats."""
    flat: IntervalEstimate
    """Part from whether the price moved, nats."""
    direction: IntervalEstimate
    """Part from which way it went, nats."""
    moved_hit_rate: IntervalEstimate
    """Hits among UP and DOWN calls where the price moved, 0-1; its base is one half."""
    verdict: SkillVerdict
    """What these intervals show; `glasstape.skill` has its sentences."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ShadowRecord:
    """How often a shadow model disagreed with the active model."""

    compared: int
    """Windows that both models predicted."""
    disagreed: int
    """Windows for which the winning classes differ."""
    against: ModelRef
    """The active model."""

    @property
    def rate(self) -> float:
        """Return the share of disagreements, 0-1."""
        return self.disagreed / self.compared if self.compared else 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class ReliabilityPoint:
    """One point of a reliability diagram."""

    direction: Direction | None
    """Class whose confidence it is; None: the winning class."""
    stated: float
    """Mean confidence, 0-1."""
    realized: float
    """Share that came true, 0-1."""
    count: int
    """Windows or outcomes."""
    realized_low: float = 0.0
    """95 % interval of `realized` (Wilson), lower end."""
    realized_high: float = 0.0
    """95 % interval of `realized`, upper end."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Model:
    """Inputs, outputs and quality of a model."""

    ref: ModelRef
    """Name, version and digest."""
    state: ModelState
    """State in the repository."""
    refusal: str
    """Why a REFUSED version is not usable."""
    architecture: str
    """Name of the network's architecture."""
    time_steps: int
    """Bars in a window."""
    features: tuple[ModelFeature, ...]
    """In the window's order."""
    min_bars: int
    """Bars needed to compute one window: features look back."""
    interval: str
    """Bar interval that the model was trained on."""
    horizon_bars: int
    """Bars over which the return is measured."""
    entry: EntryPrice
    """Price at which a signal's return starts."""
    label_rule: str
    """In words."""
    temperature: float
    """Divisor of the logits before the softmax."""
    abstain_threshold: float
    """Winning probability below which a signal is abstained."""
    buy_ramp_low: float
    """p(UP) at which a row's color starts."""
    buy_ramp_high: float
    """p(UP) at which a row's color is full."""
    alert_threshold: float
    """p(UP) from which clients alert."""
    methods: tuple[Method, ...]
    """Methods that `explain` can use."""
    metrics: dict[str, float] = field(hash=False)
    """Figures on training and validation data, for example "validation/accuracy"."""
    training_data: str
    """Symbols, period and hash in words."""
    seen_until: datetime | None
    """Last close time in the training and validation data."""
    checks: tuple[CheckResult, ...] = ()
    """Checks made at training. They describe the model and decide about none of its maps."""
    live: LiveCalibration | None = None
    """Calibration of its own recent signals; None: none has an outcome yet."""
    shadow: ShadowRecord | None = None
    """Set for a model that shadows the active one."""
    reliability: tuple[ReliabilityPoint, ...] = ()
    """Of the winning class on the validation set."""
    skill: SkillSplit | None = None
    """On windows that selected nothing, or else on those of validation. None: trained before it was measured, or too
    few sessions."""

    @property
    def rank_ic(self) -> dict[str, IntervalEstimate]:
        """Return the Rank IC of "rank_head", and of "classes" and "low_volatility" on the same windows.

        They selected nothing, or else are those of validation. Empty: no rank head, or too few sessions.
        """
        part = "check" if "check/rank_ic" in self.metrics else "validation"
        if f"{part}/rank_ic" not in self.metrics:
            return {}

        def estimate(suffix: str) -> IntervalEstimate:
            value, low, high = (self.metrics[f"{part}/rank_ic{suffix}{end}"] for end in ("", "_low", "_high"))
            return IntervalEstimate(value=value, low=low, high=high)

        named = {"rank_head": "", "classes": "_classes", "low_volatility": "_low_volatility"}
        return {name: estimate(suffix) for name, suffix in named.items()}


@dataclass(frozen=True, slots=True, kw_only=True)
class ServerLimits:
    """Limits of one call."""

    max_items: int
    """Items of one Predict or Explain call, and bars of one batch."""
    max_message_bytes: int
    """In either direction."""
    max_page_size: int
    """Items on one page of a list."""
    max_filter_symbols: int
    """Symbols in the filter of one stream."""
    max_token_bytes: int
    """Bytes of a resume token."""
    max_background_windows: int
    """Background windows of EXPECTED_GRADIENTS."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ServerInfo:
    """Versions, limits and optional features of a server."""

    contract_version: str
    """Version of the contract."""
    server_version: str
    """Version of the server."""
    limits: ServerLimits
    """Limits of one call."""
    wires: tuple[str, ...]
    """Wires that serve the contract, for example "grpcio"."""
    features: tuple[str, ...]
    """Optional features, for example "reflection"."""
