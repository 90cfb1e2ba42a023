"""What the device can be asked to do with a batch of windows. Equal works share a batch."""

from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import torch
from numpy.typing import NDArray

from glasstape_server.domain import Float32s, Forecasts
from glasstape_server.explain import catalogue
from glasstape_server.explain.method import Request
from glasstape_server.models.artefact import Model

Columns = tuple[NDArray[Any], ...]
"""Arrays whose first axis is the batch."""

PASSES_AT_ONCE = 4096
"""Rows that one run of the device may compute: the longest that a more urgent lane has to wait."""


class Work(Protocol):
    """Something to do with windows. Hashable; equal works may be run as one batch."""

    @property
    def passes(self) -> int:
        """Rows that the device computes for one window."""
        ...

    def run(self, windows: Float32s) -> Columns:
        """Do it, on the device thread."""
        ...


@dataclass(frozen=True, slots=True)
class Forecast:
    """Predict with one pinned model version. Columns: logits."""

    model: Model

    @property
    def passes(self) -> int:
        """One forward."""
        return 1

    @torch.no_grad()
    def run(self, windows: Float32s) -> Columns:
        """Logits of the windows."""
        return (self.model.scorer(torch.from_numpy(windows)).numpy(),)


@dataclass(frozen=True, slots=True)
class Explain:
    """Predict and explain with one pinned model version.

    Columns: logits, values, target, foil (-1: none), score, baseline score (NaN: none), completeness
    error (NaN: none), steps.
    """

    model: Model
    request: Request

    @property
    def passes(self) -> int:
        """As the method says."""
        cells = self.model.window_shape[0] * self.model.window_shape[1]
        return catalogue.method(self.request.method).passes(self.request.samples, cells)

    def run(self, windows: Float32s) -> Columns:
        """Explain the windows."""
        made = catalogue.explain(self.model, torch.from_numpy(windows), self.request)
        rows = len(windows)
        nothing = torch.full((rows,), torch.nan)
        columns = (
            made.logits,
            made.values,
            made.frozen.target,
            torch.full((rows,), -1) if made.frozen.foil is None else made.frozen.foil,
            made.score,
            nothing if made.baseline_score is None else made.baseline_score,
            nothing if made.completeness_error is None else made.completeness_error,
            torch.zeros(rows, dtype=torch.long) if made.samples is None else made.samples,
        )
        return tuple(column.numpy() for column in columns)


def forecasts(
    model: Model,
    windows: Float32s,
    logits: Float32s,
    queue_seconds: float = 0.0,
    compute_seconds: float = 0.0,
) -> Forecasts:
    """Calibrate logits: probabilities, abstention and novelty. Numpy alone; any thread."""
    scaled = logits.astype(np.float64) / model.manifest.temperature
    scaled -= scaled.max(axis=1, keepdims=True)
    exponents = np.exp(scaled)
    probabilities = exponents / exponents.sum(axis=1, keepdims=True)
    return Forecasts(
        model=model.ref,
        logits=logits,
        probabilities=probabilities,
        abstained=probabilities.max(axis=1) < model.manifest.thresholds.abstain,
        novelty=model.novelty(windows),
        queue_seconds=queue_seconds,
        compute_seconds=compute_seconds,
    )
