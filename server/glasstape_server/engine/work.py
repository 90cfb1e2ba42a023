"""What the device can be asked to do with a batch of windows. Equal works share a batch."""

from dataclasses import dataclass, field, fields
from typing import Any, Protocol

import numpy as np
import torch
from numpy.typing import NDArray

from glasstape_server.domain.values import Float32s, Forecasts
from glasstape_server.explain import catalogue, evidence
from glasstape_server.explain.method import Attribution, BaselineKind, Request
from glasstape_server.models.model import Model

Columns = tuple[NDArray[Any], ...]
"""Arrays whose first axis is the batch."""

PASSES_AT_ONCE = 4096
"""Rows that one run of the device computes, as far as methods know before: what a more urgent lane waits for."""


class Work(Protocol):
    """Something to do with rows. Hashable; equal works may be run as one batch."""

    @property
    def passes(self) -> int:
        """Rows that the device computes for one row."""
        ...

    def run(self, rows: Columns) -> Columns:
        """Do it, on the device thread."""
        ...


@dataclass(frozen=True, slots=True)
class Forecast:
    """Predict with one pinned model version. Rows: windows. Columns: logits."""

    model: Model

    @property
    def passes(self) -> int:
        """One forward."""
        return 1

    @torch.no_grad()
    def run(self, rows: Columns) -> Columns:
        """Logits of the windows."""
        return (self.model.network(torch.from_numpy(rows[0])).numpy(),)


@dataclass(frozen=True, slots=True)
class Maps:
    """What came of explaining a batch; rows as they were asked for. NaN and -1 stand for "not defined"."""

    logits: Float32s  # (n, 3)
    values: Float32s  # (n, time, feature)
    target: NDArray[np.int64]  # (n,) class index
    foil: NDArray[np.int64]  # (n,)
    score: Float32s  # (n,)
    baseline_score: Float32s  # (n,)
    completeness_error: Float32s  # (n,)
    samples: NDArray[np.int64]  # (n,)
    native_shape: NDArray[np.int64]  # (n, 2)
    sign_stability: Float32s | None = None  # (n, time, feature)
    sign_agreement: Float32s | None = None  # (n,), as the following: where the maps were checked
    occlusion_correlation: Float32s | None = None  # (n,)
    deletion: Float32s | None = None  # (n, 2)
    random_deletion: Float32s | None = None  # (n, 2)

    @classmethod
    def of(cls, columns: Columns) -> "Maps":
        """Name the columns that `Explain` gave."""
        return cls(*columns)

    def row(self, row: int) -> "Maps":
        """The map of one row, as a batch of its own."""
        columns: list[Any] = [getattr(self, field.name) for field in fields(self)]
        rows: list[Any] = [None if column is None else column[row : row + 1] for column in columns]
        return Maps(*rows)


@dataclass(frozen=True, slots=True)
class Explain:
    """Predict and explain with one pinned model version.

    Rows: windows and, where each brings its own, baselines. Columns: the fields of `Maps`.
    """

    model: Model
    request: Request
    _passes: int = field(init=False, compare=False)

    def __post_init__(self) -> None:
        shape = self.model.window_shape
        passes = catalogue.METHODS[self.request.method].passes(self.request.samples, shape)
        if catalogue.baseline_of(self.request) is BaselineKind.BACKGROUND:
            passes *= catalogue.background_count(self.model, self.request)
        passes += evidence.passes(shape) if self.request.checked else 0
        object.__setattr__(self, "_passes", passes)

    @property
    def passes(self) -> int:
        """As the method and its checks say."""
        return self._passes

    def run(self, rows: Columns) -> Columns:
        """Explain the windows."""
        windows = torch.from_numpy(rows[0])
        baseline = torch.from_numpy(rows[1]) if len(rows) > 1 else None
        asked = catalogue.rows_of(self.model, windows, baseline, self.request)
        made = catalogue.explain(self.model, asked, self.request)
        columns = _plain(made)
        if self.request.checked:
            mean = self.model.statistics.mean
            found = evidence.hold_against(self.model.network, asked, mean, made, self.request)
            checked = (
                found.sign_stability if made.sign_stability is None else made.sign_stability,
                found.sign_agreement,
                found.occlusion_correlation,
                found.deletion,
                found.random_deletion,
            )
            return (*columns, *(column.numpy() for column in checked))
        return columns if made.sign_stability is None else (*columns, made.sign_stability.numpy())


def _plain(made: Attribution) -> Columns:
    rows = len(made.values)
    nothing = np.full(rows, np.nan, np.float32)
    native = made.native_shape or made.values.shape[1:]
    return (
        made.logits.numpy(),
        made.values.numpy(),
        made.frozen.target.numpy(),
        np.full(rows, -1) if made.frozen.foil is None else made.frozen.foil.numpy(),
        made.score.numpy(),
        nothing if made.baseline_score is None else made.baseline_score.numpy(),
        nothing if made.completeness_error is None else made.completeness_error.numpy(),
        np.zeros(rows, np.int64) if made.samples is None else made.samples.numpy(),
        np.full((rows, 2), native),
    )


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
