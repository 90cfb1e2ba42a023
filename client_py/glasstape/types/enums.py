"""Enums of the contract under their short names. Every argument that takes a member also takes its text value."""

from enum import IntEnum, StrEnum, auto


class Direction(IntEnum):
    """The three classes; the value is the class index."""

    DOWN = 0
    FLAT = 1
    UP = 2


class Method(StrEnum):
    """How a heat map is computed. See `Explanation.Method` in inference.proto for sources."""

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
    """Logit of the target, as in Simonyan et al. 2013."""
    LOG_PROBABILITY = auto()
    """Log of the target's uncalibrated probability."""
    UP_MINUS_DOWN = auto()
    """Logit of UP minus logit of DOWN, whatever won."""


class Baseline(StrEnum):
    """The reference input of methods that compare with one."""

    UNSPECIFIED = auto()
    MEAN = auto()
    """The mean of each feature over the training data."""
    ZERO = auto()
    """Zero in every cell."""
    PREVIOUS = auto()
    """The window of the previous signal of the symbol: the map shows what changed."""
    CUSTOM = auto()
    """Windows that the caller passes."""
    BACKGROUND = auto()
    """Background windows, averaged: EXPECTED_GRADIENTS alone."""


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
    """Which checks of a map to run."""

    UNSPECIFIED = auto()
    NONE = auto()
    FAST = auto()
    """Checks without extra forward passes; the verdict is never RELIABLE."""
    FULL = auto()


class Verdict(StrEnum):
    """How far a map can be trusted."""

    UNSPECIFIED = auto()
    RELIABLE = auto()
    CAUTION = auto()
    DEGENERATE = auto()
    """The map shows nothing."""


class Include(StrEnum):
    """What an explanation holds besides its map and score."""

    NONE = auto()
    """Nothing else. Must stand alone."""
    PREDICTION = auto()
    DRIVERS = auto()
    BAR_CLOSE_TIMES = auto()
    WINDOW = auto()


class EntryPrice(StrEnum):
    """The price at which a signal's return starts."""

    UNSPECIFIED = auto()
    CURRENT_CLOSE = auto()
    NEXT_CLOSE = auto()


class ModelState(StrEnum):
    """State of a model version in the repository."""

    UNSPECIFIED = auto()
    READY = auto()
    ACTIVE = auto()
    """Publishes signals."""
    REFUSED = auto()
    """On disk and not usable."""


class ModelView(StrEnum):
    """Which fields of each model are listed."""

    BASIC = auto()
    """ref, state, refusal, architecture, interval and methods."""
    FULL = auto()
    """Every field."""


class CalibrationState(StrEnum):
    """Whether confidences are still calibrated."""

    UNSPECIFIED = auto()
    UNKNOWN = auto()
    """Too few sessions have outcomes."""
    HOLDS = auto()
    BROKEN = auto()
    """In two consecutive sessions the intervals lay outside the band: do not rely on the confidences."""


class LabelKind(StrEnum):
    """What decides the class of an outcome."""

    UNSPECIFIED = auto()
    HORIZON = auto()
    """The return at the horizon's end."""
    TRIPLE_BARRIER = auto()
    """The first close beyond the threshold."""


class TrackRecordGroup(StrEnum):
    """Keys that track records can be grouped by, besides the predicted class."""

    UNSPECIFIED = auto()
    MODEL = auto()
    SYMBOL = auto()
    CONFIDENCE = auto()
    """Bands of five points of the winning confidence."""


class DataState(StrEnum):
    """Freshness of market data."""

    UNSPECIFIED = auto()
    LIVE = auto()
    DELAYED = auto()
    REPLAY = auto()
    """Historical bars on a simulated clock: never act on these."""
    STALE = auto()
    """The last two due bars have not arrived."""
    EMPTY = auto()
    """The server has no bars."""


class BarMode(StrEnum):
    """What published bars are."""

    FINAL = auto()
    """Closed bars: stored, then signaled."""
    BACKFILL = auto()
    """History: closed bars of any age, stored and never signaled."""
    REPLACE = auto()
    """Corrections: closed bars that replace stored bars of the same key."""
    PROVISIONAL = auto()
    """Bars still forming."""


class CorrectionKind(StrEnum):
    """What a correction of stored bars did."""

    UNSPECIFIED = auto()
    REPLACED = auto()
    """A bar got other values."""
    REMOVED = auto()
    """A bar was removed."""
    RENAMED = auto()
    """A symbol was renamed."""


class EventKind(StrEnum):
    """Kinds of events."""

    UNSPECIFIED = auto()
    CONFIDENCE = auto()
    BUY = auto()
    OUTCOME = auto()


class Start(StrEnum):
    """Where a stream without a resume token begins."""

    SNAPSHOT = auto()
    """The latest confidence of each symbol and every unexpired buy, then live."""
    LIVE = auto()
    """Only what happens from now on."""
    EARLIEST = auto()
    """Everything in the journal, then live."""


class Delivery(StrEnum):
    """How confidences are delivered to a slow subscriber."""

    CONFLATED = auto()
    """A newer confidence of the same symbol replaces one still waiting."""
    EVERY_EVENT = auto()


class OpenResult(StrEnum):
    """How the server took the resume token."""

    UNSPECIFIED = auto()
    STARTED = auto()
    RESUMED = auto()
    RESET = auto()
    """The token could not be used: the stream begins with a snapshot."""


class ResetReason(StrEnum):
    """Why a token could not be used."""

    UNSPECIFIED = auto()
    EPOCH_CHANGED = auto()
    HISTORY_LOST = auto()


class GapReason(StrEnum):
    """Why matching events were not delivered."""

    UNSPECIFIED = auto()
    NOT_RETAINED = auto()
    """Retention removed them from the journal."""


class GoodbyeReason(StrEnum):
    """Why the server ended a stream."""

    UNSPECIFIED = auto()
    DRAIN = auto()
    EPOCH_CHANGED = auto()
