"""The manifest of an artifact: all metadata of a trained model."""

import hashlib
import json
from datetime import datetime
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from glasstape_server.domain.skill import SkillSplit
from glasstape_server.domain.statistics import IntervalEstimate
from glasstape_server.domain.times import SECOND

Probability = Annotated[float, Field(ge=0, le=1)]
Digest = Annotated[str, Field(pattern="^[0-9a-f]{64}$")]
NAME_PATTERN = r"^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$"
"""Names and versions are folder names."""
SKILL_METRICS = ("log_loss_gain", "flat_gain", "direction_gain", "moved_hit_rate")
"""Metrics of a `SkillSplit`, in the order of its fields; each has an interval, NAME_low to NAME_high."""
Label = Annotated[str, Field(pattern=NAME_PATTERN)]


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
    """Data and options of the training, enough to reproduce it bit for bit."""

    sha256: Digest
    symbols: tuple[str, ...]
    seed: int
    training: Period
    validation: Period
    """Windows that selected epoch, temperature and thresholds."""
    check: Period | None = None
    """Later windows of the checks, which selected nothing. None, and not written: the checks read the validation
    windows, because the period was too short to divide, or the artifact precedes the division."""
    fit: dict[str, float]
    """Options of the fit: passes, patience, batch, step size, decay."""
    members: tuple[dict[str, Any], ...] = ()
    """Of an ensemble: name, version, network and seed of each. Not written for a single network."""

    @property
    def seen_until(self) -> datetime:
        """Last close of all these windows: later signals are evidence of the model's skill."""
        return (self.check or self.validation).last_close


class Thresholds(_Part):
    """Levels from the validation set for abstention, colors and alerts."""

    abstain: Probability
    """Winning probability below which a signal is abstained."""
    buy_ramp_low: Probability
    """Base rate of UP."""
    buy_ramp_high: Annotated[float, Field(ge=0, le=1.1)]
    """max(P99 of p(UP), base rate + 0.10)."""
    alert: Probability
    """P95 of p(UP)."""


class Check(_Part):
    """Result of a test of the trained model that is too slow to run while serving."""

    name: str
    value: float
    """Measured value."""
    limit: float
    """Value that it is compared with."""
    passed: bool
    text: str
    """Measurement and its meaning, one sentence."""


class Reliability(_Part):
    """One point of the reliability diagram of the winning class on the validation set."""

    stated: Probability
    """Mean confidence of the bin."""
    realized: Probability
    """Share of its windows whose predicted class was realized."""
    count: int = Field(ge=0)


class Manifest(_Part):
    """The file manifest.json."""

    format: Literal[3] = 3
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
    reliability: tuple[Reliability, ...] = Field(min_length=1)
    """After calibration, lowest confidence first."""
    data: TrainingData
    expires: datetime | None = None
    """After it, the model should be replaced. None, and not written: never."""
    weights_sha256: Digest
    rank_head: Architecture | None = None
    """Network that ranks the symbols of a close. Not written for a model without one."""

    def to_bytes(self) -> bytes:
        """Return the file's content; equal manifests have equal bytes."""
        values = self.model_dump(mode="json")
        if not self.data.members:
            del values["data"]["members"]
        if self.data.check is None:
            del values["data"]["check"]
        if self.rank_head is None:
            del values["rank_head"]
        if self.expires is None:
            del values["expires"]
        return (json.dumps(values, indent=1, sort_keys=True) + "\n").encode()

    def expired(self, now: int) -> bool:
        """Return whether the model has expired at a time, microseconds since 1970."""
        return self.expires is not None and self.expires.timestamp() * SECOND <= now

    @property
    def beats_base_rate(self) -> bool:
        """Whether validation accuracy is above that of always predicting the most frequent class."""
        accuracy, base = (self.metrics.get(f"validation/{name}", 0.0) for name in ("accuracy", "base_rate"))
        return accuracy > base

    @property
    def training_shares(self) -> tuple[float, float, float] | None:
        """Shares of DOWN, FLAT and UP in all training windows, the prior; None if one is not stated or 0."""
        down, flat, up = (self.metrics.get(f"training/{name}_share", 0.0) for name in ("down", "flat", "up"))
        return (down, flat, up) if min(down, flat, up) > 0 else None

    @property
    def skill(self) -> SkillSplit | None:
        """Skill on windows that selected nothing, or else on those of validation; None if no metric states it."""
        part = "check" if "check/log_loss_gain" in self.metrics else "validation"
        try:
            return SkillSplit(*(self._estimate(f"{part}/{name}") for name in SKILL_METRICS))
        except KeyError:
            return None

    @property
    def rank_ic(self) -> dict[str, IntervalEstimate]:
        """Rank IC of "rank_head", "classes" and "low_volatility" on the windows of `skill`; empty if none is stated."""
        part = "check" if "check/rank_ic" in self.metrics else "validation"
        named = {"rank_head": "", "classes": "_classes", "low_volatility": "_low_volatility"}
        try:
            return {name: self._estimate(f"{part}/rank_ic{suffix}") for name, suffix in named.items()}
        except KeyError:
            return {}

    def _estimate(self, name: str) -> IntervalEstimate:
        """Return a metric with its interval.

        Raises:
            KeyError: it is not stated.
        """
        value, low, high = (self.metrics[f"{name}{end}"] for end in ("", "_low", "_high"))
        return IntervalEstimate(value, low, high)

    @property
    def digest(self) -> str:
        """SHA-256 of the file, 64 hex digits: the permanent identity of this model version."""
        return hashlib.sha256(self.to_bytes()).hexdigest()
