"""Record of one training or evaluation: data, options, models and their metrics, enough to compare it with others."""

import math
from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field

from glasstape_server.domain.statistics import IntervalEstimate
from glasstape_server.models.manifest import Digest, Manifest

ID_PATTERN = r"^\d{8}-\d{6}-[0-9a-f]{8}$"
"""Day and time (UTC) of a run's start, and eight random digits."""
INTERVAL_ENDS = ("_low", "_high")
"""Ends of the names of interval bounds in the metrics of a manifest."""
GAINS = ("check/log_loss_gain", "validation/log_loss_gain", "log_loss_gain")
"""Names of the log loss gain, on the windows that count."""
Status = Literal["finished", "failed", "interrupted"]


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


class Metric(_Part):
    """A figure, with its 95 % interval if it has one."""

    value: float
    low: float | None = None
    high: float | None = None

    @classmethod
    def of(cls, estimate: IntervalEstimate) -> Self:
        """Return a figure; a bound that is not known is left out."""
        low, high = (bound if math.isfinite(bound) else None for bound in (estimate.low, estimate.high))
        return cls(value=estimate.value, low=low, high=high)

    def to_text(self) -> str:
        """Return the figure and its interval, with four digits."""
        if self.low is None or self.high is None:
            return f"{self.value:.4g}"
        return f"{self.value:.4g} ({self.low:.4g} … {self.high:.4g})"


class RunModel(_Part):
    """A model that was trained, or a candidate that was evaluated."""

    name: str
    """NAME@VERSION, or the candidate."""
    architecture: str
    seed: int | None = None
    sha256: Digest | None = None
    """Digest of the artifact; None: there is none."""
    metrics: dict[str, Metric] = Field(default_factory=dict)

    @classmethod
    def of_manifest(cls, manifest: Manifest) -> Self:
        """Return a trained model with the metrics of its artifact."""
        named = manifest.metrics
        metrics = {
            name: Metric(value=value, **{end[1:]: named.get(f"{name}{end}") for end in INTERVAL_ENDS})
            for name, value in named.items()
            if not any(name.endswith(end) and name.removesuffix(end) in named for end in INTERVAL_ENDS)
        }
        return cls(
            name=f"{manifest.name}@{manifest.version}",
            architecture=manifest.architecture.name,
            seed=manifest.data.seed,
            sha256=manifest.digest,
            metrics=metrics,
        )

    @classmethod
    def of_candidate(cls, name: str, estimates: Mapping[str, IntervalEstimate]) -> Self:
        """Return a candidate of an evaluation; metrics without a value are left out."""
        known = {key: Metric.of(each) for key, each in estimates.items() if math.isfinite(each.value)}
        return cls(name=name, architecture=name, metrics=known)


class RunData(_Part):
    """Bars of a run."""

    sha256: Digest
    """Digest of the usable bars; equal bars have equal digests, whatever files hold them."""
    names: tuple[str, ...]
    """Files, folders and patterns as they were given."""
    files: Annotated[int, Field(ge=1)]
    symbols: Annotated[int, Field(ge=0)]
    bars: Annotated[int, Field(ge=0)]
    first_close: datetime
    last_close: datetime
    interval: str
    time_zone: str


class RunOutput(_Part):
    """A file or artifact that a run wrote."""

    path: str
    sha256: Digest


class RunRecord(_Part):
    """One run."""

    format: Literal[1] = 1
    id: Annotated[str, Field(pattern=ID_PATTERN)]
    kind: Literal["train", "evaluate"]
    status: Status
    error: str = ""
    """Why it failed."""
    started: datetime
    duration_s: Annotated[float, Field(ge=0)]
    version: str
    """Version of glasstape."""
    packages: dict[str, str] = Field(default_factory=dict)
    """Versions of the libraries that compute."""
    data: RunData
    options: dict[str, Any] = Field(default_factory=dict)
    """Options of the command by name, those by default too."""
    models: tuple[RunModel, ...] = ()
    outputs: tuple[RunOutput, ...] = ()

    def to_text(self) -> str:
        """Return all fields, one line each, and the metrics of each model."""
        data = self.data
        first, last = (f"{close:%Y-%m-%d %H:%M}" for close in (data.first_close, data.last_close))
        lines = [
            f"run       {self.id} ({self.kind}, {self.status}{': ' + self.error if self.error else ''})",
            f"started   {self.started:%Y-%m-%d %H:%M:%S} UTC, took {self.duration_s:,.1f} s",
            f"version   {self.version} ({', '.join(f'{name} {v}' for name, v in self.packages.items())})",
            f"data      {', '.join(data.names)} ({data.files:,} files)",
            f"          {data.bars:,} bars of {data.symbols:,} symbols, {first} to {last} UTC, sha256 {data.sha256}",
            *(f"option    {name} = {value}" for name, value in sorted(self.options.items())),
            *(f"output    {output.path} (sha256 {output.sha256})" for output in self.outputs),
        ]
        for model in self.models:
            seed = "" if model.seed is None else f", seed {model.seed}"
            lines.append(f"model     {model.name} ({model.architecture}{seed})")
            lines += [f"          {name} = {metric.to_text()}" for name, metric in model.metrics.items()]
        return "\n".join(lines)


def best_model(models: Iterable[RunModel]) -> tuple[RunModel, Metric] | None:
    """Return the model with the largest log loss gain and that gain; None: no model has one."""
    gains = [(model, model.metrics[name]) for model in models for name in GAINS if name in model.metrics]
    return max(gains, key=lambda pair: pair[1].value, default=None)
