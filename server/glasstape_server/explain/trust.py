"""Trust in a map, 0-1: how faithful it is to the model, as far as its own evidence tells.

A logistic regression estimates from the evidence how far a map has come from a random order of the cells (0) to one
that ranks every salient cell first (1). It is fitted on maps of networks that were trained on windows with known
salient cells, maps of networks that were trained on noise counting 0 (`glasstape bench trust`). Trust is about the
model: what it used, not whether it is right about the market.
"""

import math
from bisect import bisect_right
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import IntEnum
from functools import cache
from importlib.resources import files

import numpy as np
from pydantic import BaseModel, ConfigDict

from glasstape_server.domain.arrays import Floats

MEDIUM, HIGH = 0.4, 0.7
"""Least trust of each level."""
MAX_RATIO = 100.0
"""Largest deletion ratio that is stated, as of a map whose random cells change nothing."""
TELLING_RATIO = 10.0
TELLING_CONCENTRATION = 12.0
"""Deletion ratio, and concentration relative to that of equal cells, from which on more tells nothing: a network that
is nearly constant has maps of a single cell, whose removal changes next to nothing, and that of others nothing."""


class TrustLevel(IntEnum):
    """Trust in one word. Values as on the wire."""

    LOW = 1
    MEDIUM = 2
    HIGH = 3


@dataclass(frozen=True, slots=True)
class MapEvidence:
    """Evidence of one map: see `evidence.Evidence`."""

    deletion: Floats
    """With both fills, (2,)."""
    random_deletion: Floats
    """With both fills, (2,)."""
    sign_agreement: float
    """0-1."""
    concentration: float
    """1/native_cells to 1."""
    probability: float
    """Calibrated probability of the winning class."""
    native_cells: int
    """Cells of the map at the resolution of its method."""
    cells: int
    """Cells of the window."""

    @property
    def ratios(self) -> Floats:
        """Return the change of the score by the strongest cells relative to random ones, 0-100, (2,)."""
        least = np.finfo(np.float64).tiny
        with np.errstate(over="ignore"):
            return np.minimum(self.deletion / np.maximum(self.random_deletion, least), MAX_RATIO)

    def predictors(self) -> dict[str, float]:
        """Return the predictors of the regression by name."""
        return {
            "log_deletion_ratio": math.log(min(max(float(self.ratios.min()), 1 / MAX_RATIO), TELLING_RATIO)),
            "sign_agreement": self.sign_agreement,
            "probability": self.probability,
            "log_relative_concentration": math.log(
                min(max(self.concentration * self.native_cells, 1.0), TELLING_CONCENTRATION)
            ),
            "log_resolution": math.log(self.native_cells / self.cells),
        }


@dataclass(frozen=True, slots=True)
class Trust:
    """Trust in one map."""

    value: float
    """0-1."""
    average_precision: float
    """Mean average precision of benchmark maps whose trust is in the same bin, 0-1."""
    maps: int
    """Number of these maps."""

    @property
    def level(self) -> TrustLevel:
        """Return the trust in one word."""
        return TrustLevel(1 + bisect_right((MEDIUM, HIGH), self.value))


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Bin(_Part):
    """Benchmark maps of similar trust."""

    below: float
    """Trust of its maps is less, and at least that of the bin before."""
    maps: int
    average_precision: float
    """Mean of the maps, 0-1; maps of noise count 0."""


class TrustModel(_Part):
    """Fitted regression with its calibration table."""

    intercept: float
    coefficients: Mapping[str, float]
    """By predictor."""
    bins: Sequence[Bin]
    """Ascending; the last one reaches above 1."""

    def value(self, evidence: MapEvidence) -> float:
        """Return the trust, 0-1; 0 for evidence that is not finite."""
        predictors = evidence.predictors()
        score = self.intercept + sum(predictors[name] * slope for name, slope in self.coefficients.items())
        return 1 / (1 + math.exp(-min(max(score, -30.0), 30.0))) if math.isfinite(score) else 0.0

    def trust(self, evidence: MapEvidence) -> Trust:
        """Return the trust with what it meant on the benchmark."""
        value = self.value(evidence)
        similar = self.bins[bisect_right([part.below for part in self.bins], value)]
        return Trust(value, similar.average_precision, similar.maps)


def trust_in(evidence: MapEvidence) -> Trust:
    """Return the trust in a map by the regression that is shipped in trust.json."""
    return shipped().trust(evidence)


@cache
def shipped() -> TrustModel:
    """Return the regression of trust.json."""
    return TrustModel.model_validate_json(
        files("glasstape_server.explain").joinpath("trust.json").read_text("utf-8")
    )
