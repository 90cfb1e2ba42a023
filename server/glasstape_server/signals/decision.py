"""The decision rule: what is published for one symbol at one bar close."""

from dataclasses import dataclass
from typing import Protocol

from glasstape_server.domain.arrays import Float32s
from glasstape_server.domain.bars import Bar, DataState
from glasstape_server.domain.signals import (
    Buy,
    Confidence,
    Direction,
    Event,
    Forecasts,
    ModelRef,
    Outcome,
    Signal,
)
from glasstape_server.features.labels import LabelRule
from glasstape_server.features.spec import FeatureSpec


class Forecaster(Protocol):
    """The active model, pinned for one burst."""

    @property
    def ref(self) -> ModelRef:
        """Identity."""
        ...

    @property
    def spec(self) -> FeatureSpec:
        """Features it takes."""
        ...

    @property
    def label_rule(self) -> LabelRule:
        """What its classes mean."""
        ...

    @property
    def has_rank_head(self) -> bool:
        """Whether it scores symbols to rank them within their close."""
        ...

    async def forecast(self, windows: Float32s) -> Forecasts:
        """Predict a batch of windows."""
        ...


@dataclass(frozen=True, slots=True)
class Closed:
    """A bar that closed, with what its signal holds beside the confidences."""

    bar: Bar
    previous_session_close: float | None
    flat_threshold: float
    data_state: DataState
    expire_time: int
    """Close of the bar at which the outcome is known, microseconds since 1970, UTC."""
    missing_bars: int = 0
    """Bars missing between those of the window; see `market.missing_bars`."""
    missing_symbols: int = 0
    """Most symbols that were awaited and missing at one of the window's closes; 0 without ranks."""
    ranked: bool = False
    """Whether its rank score, if it has one, is ranked among those of the burst, all of one close."""


def make_signal(closed: Closed, confidence: Confidence, rule: LabelRule) -> Signal:
    """Return the signal of one closed bar."""
    bar = closed.bar
    return Signal(
        confidence=confidence,
        bar=bar,
        previous_session_close=closed.previous_session_close,
        horizon_bars=rule.horizon_bars,
        entry=rule.entry,
        expire_time=closed.expire_time,
        data_state=closed.data_state,
        flat_threshold=closed.flat_threshold,
        label_kind=rule.kind,
        missing_bars=closed.missing_bars,
        missing_symbols=closed.missing_symbols,
    )


def announce(signal: Signal, batch_index: int, publish_time: int, model: ModelRef) -> list[Event]:
    """Return the events of one signal: its confidence, and directly after it the buy of an UP.

    Args:
        signal: what is announced.
        batch_index: of the confidence within its batch, from 1; the journal numbers the batch.
        publish_time: wall time, microseconds.
        model: which made the signal.
    """
    bar = signal.bar
    bodies: list[Signal | Buy | Outcome] = [signal]
    if signal.confidence.direction is Direction.UP:
        bodies.append(Buy(batch_index, signal))
    return [
        Event(batch_index + offset, bar.symbol, bar.interval, bar.close_time, publish_time, model, body)
        for offset, body in enumerate(bodies)
    ]
