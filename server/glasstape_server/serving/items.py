"""What a request is about: items, each with its window, its pinned model and where it came from."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from glasstape.v1 import inference_pb2 as pb

from glasstape_server.domain.errors import (
    FailedPrecondition,
    GlasstapeError,
    InvalidArgument,
    ResourceExhausted,
)
from glasstape_server.domain.limits import MAX_ITEMS
from glasstape_server.domain.values import Confidence, Float32s, Floats, Ints
from glasstape_server.models.model import Model


@dataclass(frozen=True, slots=True)
class Bars:
    """The bars behind a window, with what may be done to the last of them."""

    columns: Floats  # (6, bar): close time, open, high, low, close, volume
    session: Ints  # (bar,) trading day
    tick: float = 0.0
    price_limit: float = 0.0
    previous_session_close: float = 0.0

    def close_times(self, count: int) -> list[int]:
        """Close times of the last `count` bars."""
        return [int(time) for time in self.columns[0, -count:]]


@dataclass(slots=True)
class Item:
    """One thing to predict."""

    model: Model | None = None
    window: Float32s | None = None
    error: GlasstapeError | None = None
    symbol: str = ""
    bar_close_time: int | None = None
    journalled: Confidence | None = None
    """What was published of this very window, for past signals."""
    bars: Bars | None = None
    """The bars that the window was made of; None: not known."""
    previous: Float32s | None = None
    """The window of the signal before; None: not asked for, or there is none."""


@dataclass(slots=True)
class Group:
    """Items that one model answers together."""

    model: Model
    rows: list[int] = field(default_factory=list)
    windows: list[Float32s] = field(default_factory=list)


def group_by_model(items: Sequence[Item]) -> list[Group]:
    """Items without an error, by model."""
    groups: dict[str, Group] = {}
    for row, item in enumerate(items):
        if item.error is None and item.model is not None and item.window is not None:
            group = groups.setdefault(item.model.ref.digest, Group(item.model))
            group.rows.append(row)
            group.windows.append(item.window)
    return list(groups.values())


def put(item: Item, window: Float32s, usable: bool) -> None:
    """Give an item its window, or say why its bars make none."""
    if usable:
        item.window = window
    else:
        item.error = FailedPrecondition(
            "WINDOW_UNUSABLE",
            f"the last bars of {item.symbol!r} make no window: not finite, or not within one session",
            metadata={"symbol": item.symbol},
        )


def put_previous(item: Item, window: Float32s | None) -> None:
    """Give an item the window before its own, or say that there is none."""
    if item.error is None and window is None:
        item.error = FailedPrecondition(
            "NO_PREVIOUS_SIGNAL",
            f"baseline: BASELINE_PREVIOUS, and {item.symbol!r} has no window before this one",
            metadata={"symbol": item.symbol},
        )
    item.previous = window


def too_few(symbol: str, have: int, need: int) -> FailedPrecondition:
    """The error of too short a history."""
    return FailedPrecondition(
        "TOO_FEW_BARS",
        f"{symbol!r} has {have} bars, the model needs {need}",
        metadata={"symbol": symbol, "bars": str(have), "min_bars": str(need)},
    )


def asked_for(source: pb.Input) -> int:
    """How many items a request asks for, before any of them is looked at."""
    match source.WhichOneof("source"):
        case "windows":
            return source.windows.count
        case "bars":
            return len(source.bars.series)
        case "symbols":
            return len(source.symbols.symbols)
        case _:
            return len(source.signals.sequences)


def check_count(field_name: str, count: int) -> None:
    """Refuse a call about nothing, or about too much.

    Raises:
        InvalidArgument: nothing.
        ResourceExhausted: more than `MAX_ITEMS`.
    """
    if count == 0:
        raise InvalidArgument.field(field_name, f"must be 1-{MAX_ITEMS}, is 0")
    if count > MAX_ITEMS:
        raise ResourceExhausted(
            "TOO_MANY_ITEMS",
            f"{field_name}: at most {MAX_ITEMS} in a call, asked for {count}",
            metadata={"limit": str(MAX_ITEMS), "count": str(count)},
        )
