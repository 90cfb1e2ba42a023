"""Forecaster pinned to one model version, so that all signals of a burst come from it."""

from dataclasses import dataclass

from glasstape_server.domain.arrays import Float32s
from glasstape_server.domain.calls import Call
from glasstape_server.domain.signals import Forecasts, ModelRef
from glasstape_server.engine.engine import Engine
from glasstape_server.engine.job import Lane
from glasstape_server.engine.work import ForecastWork, forecasts
from glasstape_server.features.labels import LabelRule
from glasstape_server.features.spec import FeatureSpec
from glasstape_server.models.model import Model


@dataclass(frozen=True, slots=True)
class PinnedForecaster:
    """One model version on the engine's feed lane."""

    model: Model
    engine: Engine

    @property
    def ref(self) -> ModelRef:
        """Identity of the model."""
        return self.model.ref

    @property
    def spec(self) -> FeatureSpec:
        """Feature spec of the model."""
        return self.model.spec

    @property
    def label_rule(self) -> LabelRule:
        """Label rule that defines its classes."""
        return self.model.label_rule

    @property
    def has_rank_head(self) -> bool:
        """Whether the model scores symbols to rank them within their close."""
        return self.model.rank_scorer is not None

    async def forecast(self, windows: Float32s) -> Forecasts:
        """Predict windows (n, time, feature), float32.

        Raises:
            ResourceExhausted: the engine queue is full; has `retry_after`.
            Unavailable: the engine has stopped.
        """
        result = await self.engine.run(ForecastWork(self.model), windows, Lane.FEED, Call())
        return forecasts(
            self.model,
            windows,
            *result.outputs,
            queue_seconds=result.queue_seconds,
            compute_seconds=result.compute_seconds,
        )
