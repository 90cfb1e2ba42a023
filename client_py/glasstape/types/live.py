"""Live figures of models."""

from dataclasses import dataclass

from glasstape.types.enums import CalibrationState


@dataclass(frozen=True, slots=True, kw_only=True)
class IntervalEstimate:
    """A figure with its interval."""

    value: float
    """The figure."""
    low: float
    """Lower end of the interval."""
    high: float
    """Upper end of the interval."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FeatureShift:
    """Mean of one feature, live against training."""

    feature: str
    """Name of the feature."""
    shift: IntervalEstimate
    """Live mean minus that of training, in standard deviations of training, with its 99 % interval."""
    significant: bool
    """Significantly farther from 0 than 0.25, corrected for the number of features."""


@dataclass(frozen=True, slots=True, kw_only=True)
class InputDrift:
    """Inputs of a model over the last 60 sessions with signals, against its training data."""

    sessions: int
    """Sessions with signals."""
    windows: int
    """Windows in those sessions."""
    shifts: tuple[FeatureShift, ...]
    """Mean of each feature, in the model's order; empty in the first sessions."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LiveCalibration:
    """Confidences against outcomes over the last 60 sessions; intervals: 99 %, clustered by session."""

    state: CalibrationState
    """Whether the confidences are still calibrated."""
    sessions: int
    """Sessions with outcomes."""
    outcomes: int
    """Outcomes in those sessions."""
    winner_gap: IntervalEstimate
    """Share of winning classes that came true minus their mean confidence."""
    up_gap: IntervalEstimate
    """Share of UP outcomes minus the mean p(UP)."""
    band: float
    """Largest acceptable |gap|."""
    novel_share: IntervalEstimate
    """Share of windows farther from the training data than 95 % of the validation windows; expected: 0.05."""
    drifted: bool
    """The inputs no longer resemble the training data."""
    down_gap: IntervalEstimate | None = None
    """Share of DOWN outcomes minus the mean p(DOWN). None: the server does not watch it."""
    flat_gap: IntervalEstimate | None = None
    """Share of FLAT outcomes minus the mean p(FLAT). None: the server does not watch it."""
    up_call_gap: IntervalEstimate | None = None
    """Share of UP predictions that came true minus their mean p(UP). None: there was none."""
    drift: InputDrift | None = None
    """Inputs against the training data. None: no signals yet, or the server does not compare them."""
