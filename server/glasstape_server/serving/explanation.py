"""Explanations of items: computed maps with score, verdict and drivers."""

import math
from dataclasses import dataclass

import numpy as np

from glasstape_server.domain.arrays import Float32s, Floats
from glasstape_server.domain.signals import Confidence, Direction, Forecasts
from glasstape_server.engine.work import ExplainWork, Maps
from glasstape_server.explain.catalog import METHODS
from glasstape_server.explain.drivers import Driver, drivers
from glasstape_server.explain.method import Quantity, Shape
from glasstape_server.explain.trust import MapEvidence
from glasstape_server.explain.units import comparable
from glasstape_server.explain.verdict import MapFacts, QualityVerdict, degenerate, judge_fast, judge_fully
from glasstape_server.models.model import Model
from glasstape_server.serving.items import Item
from glasstape_server.serving.requests import Include, QualityLevel


@dataclass(frozen=True, slots=True)
class Counterfactual:
    """The smallest edit of a window's last bar that flips the class."""

    found: bool
    hypothetical: bool
    """Features were edited, not a bar."""
    direction: Direction | None
    """Class after the edit; None: not found."""
    size: float
    """Length of the edit in standard deviations."""
    bar: Floats | None
    """Open, high, low, close and volume, (5,), before the edit; None if hypothetical."""
    edited_bar: Floats | None
    confidence: Confidence | None
    """Calibrated probabilities after the edit."""


@dataclass(frozen=True, slots=True)
class Explanation:
    """The map of one item with what was computed beside it."""

    item: Item
    confidence: Confidence
    """Of the unperturbed window."""
    values: Float32s  # (time, feature)
    quantity: Quantity
    native_shape: Shape
    target: int
    """Class index that was explained."""
    foil: int
    """Class index compared with; -1: none."""
    score: float | None = None
    baseline_score: float | None = None
    completeness_error: float | None = None
    samples: int = 0
    sign_stability: Float32s | None = None  # (time, feature)
    quality: QualityVerdict | None = None
    """None: not requested."""
    drivers: tuple[Driver, ...] = ()
    counterfactual: Counterfactual | None = None


@dataclass(frozen=True, slots=True)
class MapBatch:
    """Computed maps of one model and request, with the windows that they belong to."""

    work: ExplainWork
    quality: QualityLevel
    include: Include
    windows: Float32s  # (n, time, feature)
    forecasts: Forecasts
    maps: Maps

    @property
    def model(self) -> Model:
        """The model."""
        return self.work.model

    @property
    def quantity(self) -> Quantity:
        """What the numbers of the maps are."""
        return METHODS[self.work.request.method].quantity

    def __len__(self) -> int:
        return len(self.windows)

    def explanation(self, row: int, item: Item | None = None) -> Explanation:
        """Return the explanation of one row.

        Args:
            row: position in the batch.
            item: the row's item; None: a window of the caller's own.
        """
        maps, values = self.maps, self.maps.values[row]
        item = item or Item(model=self.model, window=self.windows[row])
        native = (int(maps.native_shape[row, 0]), int(maps.native_shape[row, 1]))
        baseline, completeness = (
            _none_if_nan(maps.baseline_score[row]),
            _none_if_nan(maps.completeness_error[row]),
        )
        score = float(maps.score[row])
        # In the maps' own precision, as the completeness error is.
        difference = None if baseline is None else float(maps.score[row] - maps.baseline_score[row])
        deviation = self.model.statistics.deviation.numpy()
        facts = MapFacts(
            comparable(values, self.quantity, deviation), self.quantity, difference, completeness, native
        )
        return Explanation(
            item=item,
            confidence=item.journaled or self.forecasts.confidence(row),
            values=values,
            quantity=self.quantity,
            native_shape=native,
            target=int(maps.target[row]),
            foil=int(maps.foil[row]),
            score=score,
            baseline_score=baseline,
            completeness_error=completeness,
            samples=int(maps.samples[row]),
            sign_stability=None if maps.sign_stability is None else maps.sign_stability[row],
            quality=None if self.quality is QualityLevel.NONE else self._judge(facts, row),
            drivers=self._drivers(row, native) if self.include.drivers else (),
        )

    def _judge(self, facts: MapFacts, row: int) -> QualityVerdict:
        maps, request = self.maps, self.work.request
        if (
            not request.checked
            or maps.sign_agreement is None
            or maps.concentration is None
            or maps.deletion is None
            or maps.random_deletion is None
        ):
            return judge_fast(facts)
        evidence = MapEvidence(
            deletion=maps.deletion[row].astype(np.float64),
            random_deletion=maps.random_deletion[row].astype(np.float64),
            sign_agreement=float(maps.sign_agreement[row]),
            concentration=float(maps.concentration[row]),
            probability=float(self.forecasts.probabilities[row].max()),
            native_cells=int(maps.native_shape[row].prod()),
            cells=maps.values[row].size,
        )
        return judge_fully(facts, evidence)

    def _drivers(self, row: int, native: Shape) -> tuple[Driver, ...]:
        values, statistics = self.maps.values[row], self.model.statistics
        mean, deviation = statistics.mean.numpy(), statistics.deviation.numpy()
        if degenerate(comparable(values, self.quantity, deviation)):
            return ()
        return tuple(drivers(self.windows[row], values, mean, deviation, self.quantity, native))


def _none_if_nan(value: np.float32) -> float | None:
    return None if math.isnan(value) else float(value)
