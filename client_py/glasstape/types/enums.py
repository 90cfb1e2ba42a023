"""Enums of the contract under their short names. Text values may be given wherever an enum is asked for."""

from enum import IntEnum, StrEnum, auto


class Direction(IntEnum):
    """The three classes; the value is the class index."""

    DOWN = 0
    FLAT = 1
    UP = 2


class Method(StrEnum):
    """How a heat map is computed. See `Method` in inference.proto for sources."""

    UNSPECIFIED = auto()
    GRADIENT = auto()
    GRADIENT_X_INPUT = auto()
    SMOOTHGRAD = auto()
    INTEGRATED_GRADIENTS = auto()
    EXPECTED_GRADIENTS = auto()
    OCCLUSION = auto()
    SHAPLEY_BARS = auto()
    SHAPLEY_FEATURES = auto()
    GRAD_CAM = auto()
    GRAD_CAM_X_GRADIENT = auto()
    ATTENTION = auto()
    ATTENTION_X_GRADIENT = auto()
    COUNTERFACTUAL = auto()


class Score(StrEnum):
    """The number that is explained, from the uncalibrated logits."""

    UNSPECIFIED = auto()
    MARGIN = auto()
    """Logit of the target minus logit of the foil."""
    LOGIT = auto()
    """Logit of the target: the original's choice."""
    LOG_PROBABILITY = auto()
    """Log of the target's uncalibrated probability."""
    UP_MINUS_DOWN = auto()
    """Logit of UP minus logit of DOWN, whatever won."""


class Baseline(StrEnum):
    """What absent means for methods that compare with a reference input."""

    UNSPECIFIED = auto()
    MEAN = auto()
    """The mean of each feature over the training data."""
    ZERO = auto()
    """Zero in every cell."""
    PREVIOUS = auto()
    """The window of the signal before: the map says what changed."""
    CUSTOM = auto()
    """Windows of the caller's own."""
    BACKGROUND = auto()
    """Ordinary windows, averaged: EXPECTED_GRADIENTS alone."""


class Quantity(StrEnum):
    """What the numbers of a heat map are."""

    UNSPECIFIED = auto()
    SENSITIVITY = auto()
    """d score / d input."""
    CONTRIBUTION = auto()
    """The cells sum to score minus baseline score."""
    EFFECT = auto()
    """Score change when the cell is replaced by the baseline."""
    RELEVANCE = auto()
    """Importance without sign."""
    CHANGE = auto()
    """Edit of the input that changes the class."""


class QualityLevel(StrEnum):
    """How much checking of a map is asked for."""

    UNSPECIFIED = auto()
    NONE = auto()
    FAST = auto()
    """Without further forward passes; never says RELIABLE."""
    FULL = auto()


class Verdict(StrEnum):
    """How far a map can be trusted."""

    UNSPECIFIED = auto()
    RELIABLE = auto()
    CAUTION = auto()
    DEGENERATE = auto()
    """The map shows nothing."""


class Entry(StrEnum):
    """Where a signal's return starts."""

    UNSPECIFIED = auto()
    CURRENT_CLOSE = auto()
    NEXT_CLOSE = auto()


class ModelState(StrEnum):
    """Where a model version stands."""

    UNSPECIFIED = auto()
    READY = auto()
    ACTIVE = auto()
    """Publishes signals."""
    REFUSED = auto()
    """On disk and not usable."""


class CalibrationState(StrEnum):
    """Whether confidences still mean what they say."""

    UNSPECIFIED = auto()
    UNKNOWN = auto()
    """Too few sessions have outcomes to tell."""
    HOLDS = auto()
    BROKEN = auto()
    """On two consecutive sessions the intervals lay outside the band: do not trust the numbers."""


class LabelKind(StrEnum):
    """What decides the class of an outcome."""

    UNSPECIFIED = auto()
    HORIZON = auto()
    """The return at the horizon's end."""
    TRIPLE_BARRIER = auto()
    """The first close beyond the threshold."""


class TrackRecordGroup(StrEnum):
    """What track records may be split by, besides the predicted class."""

    UNSPECIFIED = auto()
    MODEL = auto()
    SYMBOL = auto()
    CONFIDENCE = auto()
    """Bands of five points of the winning confidence."""


class DataState(StrEnum):
    """Where market data stands in time."""

    UNSPECIFIED = auto()
    LIVE = auto()
    DELAYED = auto()
    REPLAY = auto()
    """Historical bars on a simulated clock: never act on these."""
    STALE = auto()


class EventKind(StrEnum):
    """Kinds of events."""

    UNSPECIFIED = auto()
    CONFIDENCE = auto()
    BUY = auto()
    OUTCOME = auto()


class Start(StrEnum):
    """Where a stream without a resume token begins."""

    SNAPSHOT = auto()
    """The latest confidences and the unexpired buys, then live."""
    LIVE = auto()
    """Only what happens from now on."""
    EARLIEST = auto()
    """Everything in the journal, then live."""


class Delivery(StrEnum):
    """How confidences reach a slow reader."""

    CONFLATED = auto()
    """A newer confidence of the same symbol replaces one still waiting."""
    EVERY_EVENT = auto()


class OpenResult(StrEnum):
    """How the server took the resume token."""

    UNSPECIFIED = auto()
    STARTED = auto()
    RESUMED = auto()
    RESET = auto()
    """It could not be used: the stream began anew with a snapshot."""


class ResetReason(StrEnum):
    """Why a token could not be used."""

    UNSPECIFIED = auto()
    EPOCH_CHANGED = auto()
    HISTORY_LOST = auto()


class GoodbyeReason(StrEnum):
    """Why the server ended a stream."""

    UNSPECIFIED = auto()
    DRAIN = auto()
    EPOCH_CHANGED = auto()
