"""Kinds of work that the device runs on a batch of windows. Equal works share a batch."""

from dataclasses import dataclass, field, fields
from typing import Any, ClassVar, Protocol

import numpy as np
import torch
from numpy.typing import NDArray

from glasstape_server.domain.arrays import Float32s
from glasstape_server.domain.signals import Forecasts
from glasstape_server.domain.statistics import softmax
from glasstape_server.explain import catalog, evidence
from glasstape_server.explain.method import Attribution, BaselineKind, Request
from glasstape_server.models.model import Model

Arrays = tuple[NDArray[Any], ...]
"""Arrays whose first axis is the batch."""


class Work(Protocol):
    """Computation on rows. Hashable; equal works may run as one batch."""

    label: ClassVar[str]
    """Of its batches in the metrics."""

    @property
    def passes(self) -> int:
        """Rows that the device computes for one row."""
        ...

    def run(self, inputs: Arrays) -> Arrays:
        """Compute the outputs of the inputs, each (n, ...). Called on the device thread."""
        ...


@dataclass(frozen=True, slots=True)
class ForecastWork:
    """Predict with one pinned model version.

    Input: windows (n, time, feature), float32. Output: logits (n, 3), float32, and of a model with a rank head its
    scores (n,), float32.
    """

    label: ClassVar[str] = "forecast"
    model: Model

    @property
    def passes(self) -> int:
        """One forward pass."""
        return 1

    @torch.no_grad()
    def run(self, inputs: Arrays) -> Arrays:
        """Compute the logits; see `Work.run`."""
        windows = torch.from_numpy(inputs[0])
        logits = self.model.network(windows).numpy()
        if self.model.rank_scorer is None:
            return (logits,)
        return logits, self.model.rank_scorer(windows)[:, 0].numpy()


@dataclass(frozen=True, slots=True)
class Maps:
    """Explanations of a batch, in the order of the request. NaN and -1 mean undefined."""

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
    concentration: Float32s | None = None  # (n,)
    deletion: Float32s | None = None  # (n, 2)
    random_deletion: Float32s | None = None  # (n, 2)

    @classmethod
    def of(cls, outputs: Arrays) -> "Maps":
        """Return the outputs of `ExplainWork` by name."""
        return cls(*outputs)

    def row(self, row: int) -> "Maps":
        """Return one row as a batch of one."""
        columns: list[Any] = [getattr(self, field.name) for field in fields(self)]
        rows: list[Any] = [None if column is None else column[row : row + 1] for column in columns]
        return Maps(*rows)


@dataclass(frozen=True, slots=True)
class ExplainWork:
    """Predict and explain with one pinned model version.

    Input: windows and optionally baselines, both (n, time, feature), float32. Output: the fields of `Maps`.
    """

    label: ClassVar[str] = "explain"
    model: Model
    request: Request
    _passes: int = field(init=False, compare=False)

    def __post_init__(self) -> None:
        shape = self.model.window_shape
        passes = catalog.METHODS[self.request.method].passes(self.request.samples, shape)
        if catalog.baseline_of(self.request) is BaselineKind.BACKGROUND:
            passes *= catalog.background_count(self.model, self.request)
        passes += evidence.passes(shape, self.model.scorer.differentiable) if self.request.checked else 0
        object.__setattr__(self, "_passes", passes)

    @property
    def passes(self) -> int:
        """Passes of the method and its checks."""
        return self._passes

    def run(self, inputs: Arrays) -> Arrays:
        """Explain the windows; see `Work.run`."""
        windows = torch.from_numpy(inputs[0])
        baseline = torch.from_numpy(inputs[1]) if len(inputs) > 1 else None
        method_rows = catalog.rows_of(self.model, windows, baseline, self.request)
        attribution = catalog.explain(self.model, method_rows, self.request)
        outputs = _outputs(attribution)
        stability = attribution.sign_stability
        if self.request.checked:
            mean = self.model.statistics.mean
            checks = evidence.measure(self.model.network, method_rows, mean, attribution, self.request)
            checked = (
                checks.sign_stability if stability is None else stability,
                checks.sign_agreement,
                checks.concentration,
                checks.deletion,
                checks.random_deletion,
            )
            return (*outputs, *(column.numpy() for column in checked))
        return outputs if stability is None else (*outputs, stability.numpy())


def _outputs(attribution: Attribution) -> Arrays:
    rows = len(attribution.values)
    undefined = np.full(rows, np.nan, np.float32)
    foil, baseline, error = (
        attribution.frozen.foil,
        attribution.baseline_score,
        attribution.completeness_error,
    )
    native = attribution.native_shape or attribution.values.shape[1:]
    return (
        attribution.logits.numpy(),
        attribution.values.numpy(),
        attribution.frozen.target.numpy(),
        np.full(rows, -1) if foil is None else foil.numpy(),
        attribution.score.numpy(),
        undefined if baseline is None else baseline.numpy(),
        undefined if error is None else error.numpy(),
        np.zeros(rows, np.int64) if attribution.samples is None else attribution.samples.numpy(),
        np.full((rows, 2), native),
    )


def forecasts(
    model: Model,
    windows: Float32s,
    logits: Float32s,
    rank_scores: Float32s | None = None,
    *,
    queue_seconds: float = 0.0,
    compute_seconds: float = 0.0,
) -> Forecasts:
    """Calibrate logits into probabilities, with abstention and novelty. Safe on any thread.

    Args:
        model: that computed the logits.
        windows: (n, time, feature), float32.
        logits: (n, 3), float32.
        rank_scores: by the rank head, (n,), float32; None: it has none, or they were not computed.
        queue_seconds: time in the queue.
        compute_seconds: time on the device.
    """
    probabilities = softmax(logits.astype(np.float64), model.manifest.temperature)
    return Forecasts(
        model=model.ref,
        logits=logits,
        probabilities=probabilities,
        abstained=probabilities.max(axis=1) < model.manifest.thresholds.abstain,
        novelty=model.novelty(windows),
        queue_seconds=queue_seconds,
        compute_seconds=compute_seconds,
        rank_scores=None if rank_scores is None else rank_scores.astype(np.float64),
    )
