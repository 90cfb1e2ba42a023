"""What a model looks at over many windows."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

import numpy as np
from numpy.typing import NDArray

from glasstape.types.enums import Direction, Method, Quantity, Score
from glasstape.types.event_base import RowValue
from glasstape.types.inference import ModelRef

_FIGURES = ("importance", "share", "signed_mean", "loss_increase")
IMPORTANCE_COLUMNS = (
    "feature", "time_index",
    *(f"{figure}{end}" for figure in _FIGURES for end in ("", "_low", "_high")),
    "change", "change_low", "change_high", "p_value", "significant",
)  # fmt: skip
"""Columns of `Importance.rows`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class WindowFilter:
    """Which windows of the server's stored bars; a window ends at each final bar of the model's interval."""

    symbols: Sequence[str] = ()
    """Only these; empty: all."""
    start: datetime | None = None
    """First bar close, inclusive; None: `days` before the end."""
    end: datetime | None = None
    """Last bar close, inclusive; None: the newest; of a reference, the last one before the period of the filter."""
    validation: bool = False
    """The validation period of the model; `start` and `end` must be None, and `days` 0."""
    directions: Iterable[Direction | str] = ()
    """Only windows for which the model predicts one of these; empty: all."""
    exclude_abstained: bool = False
    """Leave out windows for which the model abstains."""
    days: int = 0
    """Length of the period, 1-36,500, instead of `start`; 0: 30 days, unless there is a start."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ImportanceEstimate:
    """A figure with its 95 % interval."""

    value: float
    """The figure."""
    low: float | None
    """Lower end of the interval; None: too few closes."""
    high: float | None
    """Upper end of the interval."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ImportanceChange:
    """Change of a share since the reference."""

    change: ImportanceEstimate
    """Share minus share in the reference; the interval is that of this part alone."""
    p_value: float | None
    """Two-sided, 0-1, corrected for the number of features, of bars or of cells; None: too few closes."""
    significant: bool
    """Whether the p-value is below 0.05."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PartImportance:
    """Importance of a cell, of all bars of a feature, or of all features of a bar."""

    feature: str
    """Name of the feature; "": all features."""
    feature_index: int | None
    """Column in the window; None: all features."""
    time_index: int | None
    """Row in the window, 0 = oldest bar; None: all bars."""
    importance: ImportanceEstimate
    """Mean |map|, in units of the score, comparable across features; of a feature or a bar, the sum of its cells."""
    share: ImportanceEstimate | None
    """Share of the importance of all cells, 0-1; None: every map is 0."""
    signed_mean: ImportanceEstimate
    """Mean map, in units of the score. Above 0: of an IMPORTANCE or SENSITIVITY, higher values favor the explained
    class; of other quantities, the values of these windows did."""
    loss_increase: ImportanceEstimate | None
    """Permutation importance: increase of the log loss, nats, without knowledge of the part; None: not measured."""
    change: ImportanceChange | None
    """Change since the reference; None: not compared."""


@dataclass(frozen=True, slots=True, kw_only=True)
class WindowSet:
    """What was summarized, and what was left out."""

    windows: int
    """Windows."""
    closes: int
    """Distinct closes."""
    symbols: int
    """Symbols."""
    block: int
    """Closes per block of the bootstrap; 0: no window."""
    start: datetime
    """First close of the period."""
    end: datetime
    """Last close of the period."""
    bars: int
    """Final bars of the period, without halted ones."""
    examined: int
    """Bars that were drawn from them, until there were enough windows."""
    unusable: int
    """Examined bars that end no window: too few bars before, another session, or a feature is undefined."""
    other_calls: int
    """Examined windows whose prediction the filter leaves out."""
    seen: int
    """Windows within the model's training and validation data: permutation importance there is no evidence of skill."""
    labeled: int
    """Windows whose outcome is known."""
    down: int
    """Windows predicted as DOWN."""
    flat: int
    """Windows predicted as FLAT."""
    up: int
    """Windows predicted as UP."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Importance:
    """What a model looks at, and how that has changed."""

    model: ModelRef
    """The model."""
    method: Method
    """Method of the maps."""
    score: Score
    """Score that the maps explain."""
    quantity: Quantity
    """What the numbers of the maps are."""
    shape: tuple[int, int]
    """Bars and features of a window."""
    windows: WindowSet
    """The windows."""
    parts: tuple[PartImportance, ...]
    """Each feature, then each bar, then each cell, oldest bar first; empty: no window."""
    reference_windows: WindowSet | None
    """The windows to compare with."""
    reference_parts: tuple[PartImportance, ...]
    """Their importance, without changes."""

    @property
    def features(self) -> tuple[PartImportance, ...]:
        """The features, in the window's order."""
        return tuple(part for part in self.parts if part.time_index is None)

    @property
    def bars(self) -> tuple[PartImportance, ...]:
        """The bars, oldest first."""
        return tuple(part for part in self.parts if part.feature_index is None)

    @property
    def cells(self) -> tuple[PartImportance, ...]:
        """The cells, oldest bar first."""
        return tuple(
            part for part in self.parts if part.time_index is not None and part.feature_index is not None
        )

    def values(self, figure: str = "share") -> NDArray[np.float64]:
        """Return a figure of the cells, (time, feature); NaN where it is not defined, (0, 0) without a window.

        Args:
            figure: "importance", "share", "signed_mean", "loss_increase" or "change".
        """
        if not self.parts:
            return np.empty((0, 0))
        return np.array([_value(part, figure) for part in self.cells]).reshape(self.shape)

    def rows(self) -> list[dict[str, RowValue]]:
        """Return one flat row of `IMPORTANCE_COLUMNS` for each part, as data frames and files take them.

        `feature` is "" for a bar, `time_index` None for a feature.
        """
        return [_row(part) for part in self.parts]


def _value(part: PartImportance, figure: str) -> float:
    found = _estimates(part).get(figure)
    return float("nan") if found is None else found.value


def _estimates(part: PartImportance) -> dict[str, ImportanceEstimate | None]:
    return {
        "importance": part.importance,
        "share": part.share,
        "signed_mean": part.signed_mean,
        "loss_increase": part.loss_increase,
        "change": None if part.change is None else part.change.change,
    }


def _row(part: PartImportance) -> dict[str, RowValue]:
    row: dict[str, RowValue] = {**dict.fromkeys(IMPORTANCE_COLUMNS)}
    row |= {"feature": part.feature, "time_index": part.time_index}
    for name, each in _estimates(part).items():
        if each is not None:
            row |= {name: each.value, f"{name}_low": each.low, f"{name}_high": each.high}
    if part.change is not None:
        row |= {"p_value": part.change.p_value, "significant": part.change.significant}
    return row
