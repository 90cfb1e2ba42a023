"""Requests of Predict and Explain as domain values; `rpc.convert` makes them from messages."""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import IntEnum

from glasstape_server.domain.bars import Bar
from glasstape_server.explain.method import Request


class QualityLevel(IntEnum):
    """How much checking of a map is requested. Values as on the wire."""

    NONE = 1
    FAST = 2
    FULL = 3


@dataclass(frozen=True, slots=True)
class Windows:
    """Ready windows: the request carries them."""

    count: int
    data: bytes
    """`count` x time x features little-endian float32."""
    shape: tuple[int, int] | None = None
    """Time and features of one window, as the caller states them; None: not stated."""


@dataclass(frozen=True, slots=True)
class BarSeries:
    """Raw bars: one series, oldest bar first, for each item."""

    series: Sequence[Sequence[Bar]]


@dataclass(frozen=True, slots=True)
class Symbols:
    """The server's own latest bars of these symbols."""

    symbols: Sequence[str]


@dataclass(frozen=True, slots=True)
class SignalRefs:
    """Past signals."""

    sequences: Sequence[int]
    epoch: str = ""
    """16 hex digits; empty: the current epoch."""


Source = Windows | BarSeries | Symbols | SignalRefs


@dataclass(frozen=True, slots=True)
class Include:
    """What beside the map and its score an explanation carries."""

    prediction: bool = True
    drivers: bool = True
    bar_close_times: bool = True
    window: bool = True


MAP_ONLY = Include(prediction=False, drivers=False, bar_close_times=False, window=False)


@dataclass(frozen=True, slots=True)
class PredictRequest:
    """Items to predict."""

    source: Source
    model: str = ""
    """"name" or "name@version"; empty: the active model."""


@dataclass(frozen=True, slots=True)
class ExplainRequest:
    """Items to predict and explain."""

    source: Source
    method_request: Request
    """Method, score and parameters."""
    model: str = ""
    quality: QualityLevel = QualityLevel.FAST
    baseline_windows: Windows | None = None
    """For BaselineKind.CUSTOM: one window for all items, or one for each."""
    background: Windows | None = None
    """Background of EXPECTED_GRADIENTS; None: the model's own."""
    include: Include = Include()
