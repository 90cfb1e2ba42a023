"""What the pipeline needs of a model."""

from typing import Protocol

from glasstape_server.domain.arrays import Float32s
from glasstape_server.domain.signals import Forecasts, ModelRef
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
