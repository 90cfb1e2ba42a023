"""The decision rule: what is published of bars that closed."""

from typing import Protocol

import numpy as np

from glasstape_server.domain.arrays import Float32s
from glasstape_server.domain.signals import Direction, Forecasts, ModelRef
from glasstape_server.features.labels import LabelRule
from glasstape_server.features.spec import FeatureSpec
from glasstape_server.signals.columns import ClosedBars, Confidences, Signals


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

    async def forecast(self, windows: Float32s) -> Forecasts:
        """Predict a batch of windows."""
        ...


def announce(
    closed: ClosedBars, confidences: Confidences, model: ModelRef, rule: LabelRule, first: int
) -> Signals:
    """Return the signals of closed bars: a confidence each, and directly after it the buy of an UP.

    Args:
        closed: what is announced.
        confidences: of its windows.
        model: which made them.
        rule: what their classes mean.
        first: position of the first confidence within its batch, from 1; the journal numbers the batch.
    """
    is_buy = confidences.class_index == Direction.UP
    position = first + np.arange(len(closed)) + is_buy.cumsum() - is_buy
    return Signals(closed, confidences, model, rule, position)
