"""A model as the feed uses it: the same one from the first window of a burst to its last signal."""

from dataclasses import dataclass

from glasstape_server.domain.values import Call, Float32s, Forecasts, ModelRef
from glasstape_server.engine.engine import Engine
from glasstape_server.engine.job import Lane
from glasstape_server.engine.work import Forecast, forecasts
from glasstape_server.features.labels import LabelRule
from glasstape_server.features.spec import FeatureSpec
from glasstape_server.models.model import Model


@dataclass(frozen=True, slots=True)
class PinnedForecaster:
    """The active model of one burst, as the feed uses it."""

    model: Model
    engine: Engine

    @property
    def ref(self) -> ModelRef:
        """Identity."""
        return self.model.ref

    @property
    def spec(self) -> FeatureSpec:
        """Features it takes."""
        return self.model.spec

    @property
    def label_rule(self) -> LabelRule:
        """What its classes mean."""
        return self.model.label_rule

    async def forecast(self, windows: Float32s) -> Forecasts:
        """Predict on the feed lane."""
        result = await self.engine.run(Forecast(self.model), windows, Lane.FEED, Call())
        return forecasts(self.model, windows, result.columns[0], result.queue_seconds, result.compute_seconds)
