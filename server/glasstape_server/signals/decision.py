"""The decision rule: what is published for one symbol at one bar close."""

from dataclasses import dataclass
from typing import Protocol

from glasstape_server.domain.values import (
    Bar,
    Buy,
    Confidence,
    DataState,
    Direction,
    Event,
    Float32s,
    Forecasts,
    ModelRef,
    Outcome,
    Signal,
)
from glasstape_server.features.labels import LabelRule
from glasstape_server.features.spec import FeatureSpec


class Forecaster(Protocol):
    """The active model as the feed sees it: pinned for one burst."""

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

    async def forecast(self, windows: Float32s) -> Forecasts:
        """Predict a batch of windows."""
        ...


@dataclass(frozen=True, slots=True)
class Closed:
    """A bar that closed, with what its signal says beside the confidences."""

    bar: Bar
    previous_session_close: float | None
    flat_threshold: float
    data_state: DataState
    expire_time: int
    """Close of the bar at which the outcome is known, microseconds since 1970, UTC."""


def signal(closed: Closed, confidence: Confidence, rule: LabelRule) -> Signal:
    """The signal of one closed bar."""
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
    )


def announce(made: Signal, sequence: int, publish_time: int, model: ModelRef) -> list[Event]:
    """The events of one signal: its confidence at `sequence`, and right behind it the buy of an UP."""
    bar = made.bar
    bodies: list[Signal | Buy | Outcome] = [made]
    if made.confidence.direction is Direction.UP:
        bodies.append(Buy(sequence, made))
    return [
        Event(sequence + offset, bar.symbol, bar.interval, bar.close_time, publish_time, model, body)
        for offset, body in enumerate(bodies)
    ]
