"""Data of a training run: labeled windows of training, validation and check, the same for every model of the run.

Training windows fit the weights. The validation period is divided in time: windows of its first half select the epoch,
the temperature and the thresholds, windows of its second half are for the checks of the model and select nothing.
Cawley and Talbot (2010), "On over-fitting in model selection and subsequent selection bias in performance evaluation".
"""

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime

import numpy as np
import polars as pl

from glasstape_server.domain.arrays import Ints
from glasstape_server.domain.signals import Direction
from glasstape_server.domain.times import SECOND
from glasstape_server.features.labels import LabelRule
from glasstape_server.features.spec import FeatureSpec
from glasstape_server.training import dataset
from glasstape_server.training.checks import BLOCK
from glasstape_server.training.dataset import Dataset
from glasstape_server.training.examples import DatasetExamples, Normalization
from glasstape_server.training.usable_bars import UsableBars

MIN_WINDOWS = 64
"""Least number of windows of training, of validation and of the check."""


MIN_CHECK_CLOSES = 2 * BLOCK
"""Least number of closes of the check: two blocks, which a standard error requires."""

CHECK_RULE = (
    f"each half of the validation period must have {MIN_WINDOWS} labeled windows, the second of at least"
    f" {MIN_CHECK_CLOSES} closes"
)


class TrainingError(ValueError):
    """The data or the options do not allow training."""


@dataclass(frozen=True, kw_only=True)
class TrainingSettings:
    """Settings shared by all models of a run: bars, features, labels, and where training data ends."""

    interval: str
    train_until: int
    """First close time after training data, microseconds."""
    validate_until: int
    """First close time after the validation period, microseconds."""
    spec: FeatureSpec = field(default_factory=FeatureSpec)
    rule: LabelRule = field(default_factory=LabelRule)
    time_zone: str = "UTC"
    rolling: int = 0
    """Time before `train_until` from which training windows are taken, microseconds; 0: all earlier windows."""


@dataclass(frozen=True, slots=True)
class CheckWindows:
    """Windows that select nothing, for the checks of a model."""

    data: Dataset
    labels: Ints
    """Class indices, (n,)."""
    examples: DatasetExamples

    @classmethod
    def of(cls, data: Dataset, rule: LabelRule, normalization: Normalization) -> "CheckWindows":
        """Label and normalize windows as those of training."""
        labels = data.labels(rule)
        return cls(data, labels, DatasetExamples(data, labels, normalization))


class TrainingSplit:
    """Windows of training, validation and check. Every outcome of a part is known before the next part begins."""

    def __init__(
        self, frames: pl.DataFrame | Iterable[pl.DataFrame | UsableBars], settings: TrainingSettings
    ) -> None:
        """Compute features and labels.

        Args:
            frames: bars as read by `market.files`; of several frames, each holds whole symbols.
            settings: of the run.

        Raises:
            TrainingError: too few windows, or a class without training windows.
        """
        if settings.rule.horizon_bars < 1:
            raise TrainingError(f"horizon: must be 1 or more, is {settings.rule.horizon_bars}")
        self._digests: dict[str, str] = {}
        self._first_close: dict[str, int] = {}
        windows = dataset.build(
            self._record([frames] if isinstance(frames, pl.DataFrame) else frames),
            settings.interval, settings.spec, settings.rule, settings.time_zone,
        )  # fmt: skip
        self.settings = settings
        self.window_count = windows.window_count
        """Bars of the data, and why some of them end no window."""
        self.training, self.validation, check = _split(windows, settings)
        self.history = windows.known_between(0, settings.train_until)
        """Windows whose outcome is known before training ends, also those before a rolling window."""
        self.rule = self.training.fitted(settings.rule)
        self.normalization = Normalization.of(self.training)
        self.labels = (self.training.labels(self.rule), self.validation.labels(self.rule))
        """Class indices of training and of validation windows, (n,) each."""
        for direction in Direction:
            if not (self.labels[0] == direction).any():
                raise TrainingError(f"training: no window is {direction.name}; all classes must occur")
        self.examples = (
            DatasetExamples(self.training, self.labels[0], self.normalization),
            DatasetExamples(self.validation, self.labels[1], self.normalization),
        )
        self.check = None if check is None else CheckWindows.of(check, self.rule, self.normalization)
        """None if the validation period is too short to divide: all its windows select then."""

    @property
    def symbols(self) -> tuple[str, ...]:
        """Symbols with a bar before validation ends, ordered by name."""
        end = self.settings.validate_until
        return tuple(sorted(symbol for symbol, first in self._first_close.items() if first < end))

    @property
    def sha256(self) -> str:
        """Digest of all usable bars."""
        return dataset.combined(self._digests)

    def _record(self, frames: Iterable[pl.DataFrame | UsableBars]) -> Iterable[UsableBars]:
        for frame in frames:
            bars = frame if isinstance(frame, UsableBars) else UsableBars.of(frame)
            self._digests |= bars.digests()
            self._first_close |= bars.first_closes()
            yield bars


def _split(windows: Dataset, settings: TrainingSettings) -> tuple[Dataset, Dataset, Dataset | None]:
    """Return the windows of training, of validation, and of the check, if there are enough.

    Raises:
        TrainingError: too few windows of training or validation.
    """
    first = settings.train_until - settings.rolling if settings.rolling else 0
    training = windows.known_between(first, settings.train_until)
    period = windows.known_between(settings.train_until, settings.validate_until)
    validation, check = _divided(period, settings.validate_until)
    for name, part in (("training", training), ("validation", validation)):
        if len(part) < MIN_WINDOWS:
            begin, end = (_day(int(windows.close_time[i])) if len(windows) else "-" for i in (0, -1))
            begins = f" begins on {_day(first)} (--rolling) and" if settings.rolling else ""
            raise TrainingError(
                f"{name}: {len(part)} labeled windows, at least {MIN_WINDOWS} are required; the data has windows "
                f"from {begin} to {end}, training{begins} ends before {_day(settings.train_until)} and validation "
                f"before {_day(settings.validate_until)} (--train-until, --validate-until); "
                f"{dataset.no_windows(windows.window_count, settings.spec, settings.rule)}"
            )
    return training, validation, check


def _divided(period: Dataset, end: int) -> tuple[Dataset, Dataset | None]:
    """Divide windows at the middle one of their closes; every outcome of the first part is known before the second.

    If a part has too few windows or closes, the first part is the whole and the second None.
    """
    closes = np.unique(period.close_time)
    if len(closes) < 2 * MIN_CHECK_CLOSES:
        return period, None
    middle = int(closes[len(closes) // 2])
    first, second = period.known_between(0, middle), period.known_between(middle, end)
    return (period, None) if min(len(first), len(second)) < MIN_WINDOWS else (first, second)


def _day(time: int) -> str:
    return f"{datetime.fromtimestamp(time / SECOND, UTC):%Y-%m-%d}"
