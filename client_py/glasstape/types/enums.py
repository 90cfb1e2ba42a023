"""Enums of the contract under their short names. Every argument that takes a member also takes its text value."""

from enum import IntEnum, StrEnum, auto


class Direction(IntEnum):
    """The three classes; the value is the class index."""

    DOWN = 0
    """The price falls by more than the threshold."""
    FLAT = 1
    """The price stays within the threshold."""
    UP = 2
    """The price rises by more than the threshold."""


class Method(StrEnum):
    """How a heat map is computed. See `Explanation.Method` in inference.proto for sources."""

    UNSPECIFIED = auto()
    """The default: SCALED_GRADIENT; at quality FULL SCALED_PATH_GRADIENT; of trees TREE_SHAP."""
    GRADIENT = auto()
    """Derivative of the score by each input cell (Simonyan et al. 2013), in units of each feature."""
    GRADIENT_X_INPUT = auto()
    """Gradient times input minus baseline (Shrikumar et al. 2016): a first-order effect."""
    SMOOTHGRAD = auto()
    """Mean gradient over noisy copies (Smilkov et al. 2017)."""
    INTEGRATED_GRADIENTS = auto()
    """Path integral of the gradient from the baseline (Sundararajan et al. 2017): complete."""
    EXPECTED_GRADIENTS = auto()
    """Integrated gradients averaged over background windows (Erion et al. 2021)."""
    OCCLUSION = auto()
    """Score change when one cell is replaced by the baseline (Zeiler and Fergus 2014), for every cell."""
    SHAPLEY_BARS = auto()
    """Exact Shapley values of the bars. Native shape: one value per bar."""
    SHAPLEY_FEATURES = auto()
    """Exact Shapley values of the features. Native shape: one value per feature."""
    GRAD_CAM = auto()
    """Grad-CAM of the last convolution (Selvaraju et al. 2017), in its native shape."""
    GRAD_CAM_X_GRADIENT = auto()
    """Grad-CAM times gradient times (input - baseline): from a coarse map to a full one."""
    ATTENTION = auto()
    """The attention weights (attention rollout, Abnar and Zuidema 2020), in their native shape."""
    ATTENTION_X_GRADIENT = auto()
    """Attention times gradient times (input - baseline)."""
    COUNTERFACTUAL = auto()
    """The smallest edit of the last bar that flips the class (Wachter et al. 2018), verified by a forward pass."""
    SCALED_GRADIENT = auto()
    """Gradient times the root mean square departure from the baseline: one backward pass."""
    SCALED_PATH_GRADIENT = auto()
    """Mean gradient on the path from the baseline, times the factor of SCALED_GRADIENT: finds most true cells."""
    TREE_SHAP = auto()
    """Exact Shapley values of single cells of gradient-boosted trees (Lundberg et al. 2020)."""


class Score(StrEnum):
    """The number that is explained, from the uncalibrated logits."""

    UNSPECIFIED = auto()
    """The method's default: LOG_PROBABILITY for OCCLUSION, MARGIN for the others."""
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
    """The method's default: BACKGROUND for EXPECTED_GRADIENTS, MEAN for the others."""
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
    """Not stated."""
    SENSITIVITY = auto()
    """d score / d input, in score units per unit of each feature."""
    CONTRIBUTION = auto()
    """The cells sum to score minus baseline score."""
    EFFECT = auto()
    """Score change when the cell is replaced by the baseline."""
    RELEVANCE = auto()
    """Importance without sign."""
    CHANGE = auto()
    """Edit of the input that changes the class."""
    IMPORTANCE = auto()
    """How strongly the score depends on the cell: signed, comparable across features, does not add up."""


class QualityLevel(StrEnum):
    """Which checks of a map to run."""

    UNSPECIFIED = auto()
    """The default: FAST."""
    NONE = auto()
    """No checks and no verdict."""
    FAST = auto()
    """Checks without extra forward passes; the verdict is never RELIABLE."""
    FULL = auto()
    """Every check, with extra forward passes."""


class Verdict(StrEnum):
    """How far a map can be trusted."""

    UNSPECIFIED = auto()
    """Not stated: no check was made."""
    RELIABLE = auto()
    """Every check of level FULL passed."""
    CAUTION = auto()
    """A check failed or was not made: see the reasons."""
    DEGENERATE = auto()
    """The map shows nothing."""


class TrustLevel(StrEnum):
    """Trust in a map, in one word."""

    UNSPECIFIED = auto()
    """Not stated."""
    LOW = auto()
    """Below 0.4: do not act on the map."""
    MEDIUM = auto()
    """0.4-0.7."""
    HIGH = auto()
    """0.7 and above."""


class Include(StrEnum):
    """What an explanation holds besides its map and score."""

    NONE = auto()
    """Nothing else. Must stand alone."""
    PREDICTION = auto()
    """The prediction of the item."""
    DRIVERS = auto()
    """The strongest cells."""
    BAR_CLOSE_TIMES = auto()
    """The close times of the window's bars."""
    WINDOW = auto()
    """The explained window."""


class EntryPrice(StrEnum):
    """The price at which a signal's return starts."""

    UNSPECIFIED = auto()
    """Not stated."""
    CURRENT_CLOSE = auto()
    """The close of the signal's own bar."""
    NEXT_CLOSE = auto()
    """The close of the bar after the signal's: tradable by a reader of the signal."""


class ModelState(StrEnum):
    """State of a model version in the repository."""

    UNSPECIFIED = auto()
    """Not stated."""
    READY = auto()
    """Checked and ready to predict."""
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
    """Not stated."""
    UNKNOWN = auto()
    """Too few sessions have outcomes."""
    HOLDS = auto()
    """The interval of every gap lies within the band."""
    BROKEN = auto()
    """In two consecutive sessions the interval of one gap lay outside the band: do not rely on the confidences."""
    UNDECIDED = auto()
    """The outcomes cannot tell: an interval lies partly outside the band."""


class LabelKind(StrEnum):
    """What decides the class of an outcome."""

    UNSPECIFIED = auto()
    """Not stated."""
    HORIZON = auto()
    """The return at the horizon's end."""
    TRIPLE_BARRIER = auto()
    """The first close beyond the threshold."""


class TrackRecordGroup(StrEnum):
    """Keys that track records can be grouped by, besides the predicted class."""

    UNSPECIFIED = auto()
    """Not stated."""
    MODEL = auto()
    """Model name and version."""
    SYMBOL = auto()
    """Symbol."""
    CONFIDENCE = auto()
    """Bands of five points of the winning confidence."""


class DataState(StrEnum):
    """Freshness of market data."""

    UNSPECIFIED = auto()
    """Not stated."""
    LIVE = auto()
    """The newest bar closed on time."""
    DELAYED = auto()
    """The newest bar closed more than one interval ago."""
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
    """Not stated."""
    REPLACED = auto()
    """A bar got other values."""
    REMOVED = auto()
    """A bar was removed."""
    RENAMED = auto()
    """A symbol was renamed."""


class EventKind(StrEnum):
    """Kinds of events."""

    UNSPECIFIED = auto()
    """Not stated."""
    CONFIDENCE = auto()
    """A signal: see `ConfidenceEvent`."""
    BUY = auto()
    """A signal whose direction is UP: see `BuyEvent`."""
    OUTCOME = auto()
    """What came of a signal: see `OutcomeEvent`."""
