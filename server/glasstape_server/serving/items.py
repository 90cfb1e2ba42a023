"""Items of a request, each with its window, its pinned model and its origin."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from glasstape_server.domain.arrays import Float32s, Floats, Ints
from glasstape_server.domain.errors import FailedPrecondition, GlasstapeError, InvalidArgument
from glasstape_server.domain.limits import MAX_ITEMS
from glasstape_server.domain.signals import Confidence
from glasstape_server.models.model import Model


@dataclass(frozen=True, slots=True)
class Bars:
    """Bars of a window, with the exchange's rules for editing the last of them."""

    columns: Floats  # (6, bar): close time, open, high, low, close, volume
    session: Ints  # (bar,) trading day
    tick: float = 0.0
    price_limit: float = 0.0
    previous_session_close: float = 0.0
    time_zone: str = "UTC"

    def close_times(self, count: int) -> list[int]:
        """Return the close times of the last `count` bars, microseconds."""
        return [int(time) for time in self.columns[0, -count:]]


@dataclass(slots=True)
class Item:
    """One item to predict."""

    model: Model | None = None
    window: Float32s | None = None
    error: GlasstapeError | None = None
    symbol: str = ""
    bar_close_time: int | None = None
    missing_bars: int = 0
    """Bars missing between those of the window; see `market.missing_bars`."""
    missing_symbols: int = 0
    """Most symbols missing at one of the window's closes; see `market.cross_sections`."""
    rank_score: float | None = None
    """By the rank head: computed, or of a past signal the published one; None: none, or not computed."""
    journaled: Confidence | None = None
    """Published probabilities of this very window, for past signals."""
    bars: Bars | None = None
    """Bars that the window was made of; None: unknown."""
    previous: Float32s | None = None
    """Window of the signal before; None: not requested, or there is none."""

    @property
    def close_times(self) -> list[int]:
        """Close times of the window's bars, oldest first, microseconds; empty: unknown."""
        if self.model is None or self.bars is None:
            return []
        return self.bars.close_times(self.model.window_shape[0])


@dataclass(slots=True)
class Group:
    """Items of one model, which are computed together."""

    model: Model
    rows: list[int] = field(default_factory=list)
    windows: list[Float32s] = field(default_factory=list)


def group_by_model(items: Sequence[Item]) -> list[Group]:
    """Return the items without an error, by model."""
    groups: dict[str, Group] = {}
    for row, item in enumerate(items):
        if item.error is None and item.model is not None and item.window is not None:
            group = groups.setdefault(item.model.ref.digest, Group(item.model))
            group.rows.append(row)
            group.windows.append(item.window)
    return list(groups.values())


def set_window(item: Item, window: Float32s, usable: bool) -> None:
    """Set an item's window, or its error when its bars make none."""
    if usable:
        item.window = window
    else:
        item.error = FailedPrecondition(
            "WINDOW_UNUSABLE",
            f"the last bars of {item.symbol!r} make no window: not finite, or not within one session",
            metadata={"symbol": item.symbol},
        )


def set_previous(item: Item, window: Float32s | None) -> None:
    """Set the window before an item's own, or its error when there is none."""
    if item.error is None and window is None:
        item.error = FailedPrecondition(
            "NO_PREVIOUS_SIGNAL",
            f"baseline: BASELINE_PREVIOUS, and {item.symbol!r} has no window before this one",
            metadata={"symbol": item.symbol},
        )
    item.previous = window


def too_few_bars(symbol: str, bars: int, required: int) -> FailedPrecondition:
    """Return the error of a series that is too short."""
    return FailedPrecondition(
        "TOO_FEW_BARS",
        f"{symbol!r} has {bars} bars, the model needs {required}",
        metadata={"symbol": symbol, "bars": str(bars), "min_bars": str(required)},
    )


def check_count(field_name: str, count: int) -> None:
    """Check the number of items of a call.

    Raises:
        InvalidArgument: none, or more than `MAX_ITEMS`.
    """
    if count == 0:
        raise InvalidArgument.field(field_name, f"must be 1-{MAX_ITEMS}, is 0")
    if count > MAX_ITEMS:
        raise InvalidArgument.field(
            field_name, f"at most {MAX_ITEMS} in a call, is {count}", "TOO_MANY_ITEMS"
        )
