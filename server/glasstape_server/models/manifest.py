"""The manifest of an artifact: everything about a trained model that is not a tensor."""

import hashlib
import json
from datetime import datetime
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

Probability = Annotated[float, Field(ge=0, le=1)]
Digest = Annotated[str, Field(pattern="^[0-9a-f]{64}$")]
LABEL = r"^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$"
"""Names and versions are folder names."""
Label = Annotated[str, Field(pattern=LABEL)]


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


class Architecture(_Part):
    """Which network, with which config."""

    name: str
    config: dict[str, Any]


class Period(_Part):
    """A stretch of training data."""

    first_close: datetime
    last_close: datetime
    windows: int = Field(ge=0)


class TrainingData(_Part):
    """Where the model comes from; enough to train it again bit for bit."""

    sha256: Digest
    symbols: tuple[str, ...]
    seed: int
    training: Period
    validation: Period
    fit: dict[str, float] = {}
    """How it was fitted: passes, patience, batch, step size, decay. Empty for artifacts of release 0.1."""
    members: tuple[dict[str, Any], ...] = ()
    """Of an ensemble: name, version, network and seed of each."""


class Thresholds(_Part):
    """Figures of the validation set that clients draw with."""

    abstain: Probability
    """Winning probability below which a signal is abstained."""
    buy_ramp_low: Probability
    """Base rate of UP."""
    buy_ramp_high: Annotated[float, Field(ge=0, le=1.1)]
    """max(P99 of p(UP), base rate + 0.10)."""
    alert: Probability
    """P95 of p(UP)."""


class Check(_Part):
    """One test of the trained model that is too slow to make while serving."""

    name: str
    value: float
    """What was measured."""
    limit: float
    """What it is held against."""
    passed: bool
    text: str
    """What was measured and what it means, in one sentence."""


class Reliability(_Part):
    """One point of the reliability diagram of the winning class on the validation set."""

    stated: Probability
    """Mean confidence of the bin."""
    realised: Probability
    """Share of its windows in which the winner came true."""
    count: int = Field(ge=0)


class Manifest(_Part):
    """The file manifest.json."""

    format: Literal[2] = 2
    name: Label
    version: Label
    interval: str
    architecture: Architecture
    feature_spec: dict[str, Any]
    label_rule: dict[str, Any]
    temperature: float = Field(gt=0, le=1000)
    thresholds: Thresholds
    metrics: dict[str, float]
    checks: tuple[Check, ...] = ()
    reliability: tuple[Reliability, ...] = ()
    """After calibration, lowest confidence first. Empty for artifacts of release 0.1."""
    data: TrainingData
    weights_sha256: Digest

    def to_bytes(self) -> bytes:
        """The file's content: equal manifests, equal bytes."""
        values = self.model_dump(mode="json")
        # What release 0.1 did not know is not written while it is empty: its models keep their digests.
        for part, name in ((values, "reliability"), (values["data"], "fit"), (values["data"], "members")):
            if not part[name]:
                del part[name]
        return (json.dumps(values, indent=1, sort_keys=True) + "\n").encode()

    @property
    def beats_base_rate(self) -> bool:
        """Whether validation accuracy is above always saying the most frequent class."""
        accuracy, base = (self.metrics.get(f"validation/{name}", 0.0) for name in ("accuracy", "base_rate"))
        return accuracy > base

    @property
    def digest(self) -> str:
        """SHA-256 of the file: names this model version for good."""
        return hashlib.sha256(self.to_bytes()).hexdigest()
