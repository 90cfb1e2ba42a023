"""Rule by which a candidate replaces the active model: not worse, on closes later than everything both have seen."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass

import numpy as np
import polars as pl
import torch

from glasstape_server.domain.arrays import Floats
from glasstape_server.domain.skill import clusters, saved_parts
from glasstape_server.domain.statistics import IntervalEstimate, clustered_mean, softmax
from glasstape_server.domain.times import DAY, SECOND, duration_text
from glasstape_server.features.labels import LabelRule
from glasstape_server.models.manifest import Manifest
from glasstape_server.models.model import Model
from glasstape_server.training import dataset
from glasstape_server.training.checks import SKILL_CHECK
from glasstape_server.training.dataset import Dataset
from glasstape_server.training.usable_bars import UsableBars

MIN_SESSIONS = 10
"""Least number of sessions on which two models are compared."""
MAX_MARGIN = 0.1
_CHUNK = 1 << 14


@dataclass(frozen=True, kw_only=True)
class PromotionRule:
    """What a candidate must show."""

    shadow: int
    """Least time from its last close to the last close of the bars, microseconds."""
    margin: float = 0.002
    """Log loss, nats: the interval of what the candidate saves against the active model must lie above -margin.
    A test of non-inferiority, Wellek (2010), "Testing statistical hypotheses of equivalence and noninferiority"."""

    def __post_init__(self) -> None:
        if not 0 <= self.margin <= MAX_MARGIN:
            raise ValueError(f"margin: must be 0-{MAX_MARGIN}, is {self.margin}")


@dataclass(frozen=True, slots=True)
class Judgment:
    """Whether a candidate may be promoted, and why."""

    passed: bool
    text: str


class LabeledBars:
    """Windows of the same bars for models with different features."""

    def __init__(
        self, read: Callable[[], Iterable[UsableBars]], interval: str, time_zone: str, last_close: int
    ) -> None:
        """Read nothing yet.

        Args:
            read: returns all bars, in whole symbols.
            interval: of the bars.
            time_zone: of trading days.
            last_close: of all bars, microseconds.
        """
        self._read, self._interval, self._time_zone = read, interval, time_zone
        self.last_close = last_close
        self._windows: dict[str, Dataset] = {}

    def windows(self, model: Model) -> Dataset:
        """Return the labeled windows for a model."""
        rule = model.label_rule
        key = f"{model.spec.hash} {_question(rule)}"
        if key not in self._windows:
            self._windows[key] = dataset.build(
                self._read(), self._interval, model.spec, rule, self._time_zone
            )
        return self._windows[key]


def judge(candidate: Model, active: Model, bars: LabeledBars, rule: PromotionRule) -> Judgment:
    """Return whether a candidate may replace the active model.

    Args:
        candidate: trained later.
        active: the model that publishes.
        bars: all bars; the last close is the time at which a candidate may have expired.
        rule: what the candidate must show.
    """
    if reason := _disqualified(candidate.manifest, active.manifest, bars.last_close):
        return Judgment(False, reason)
    if _question(candidate.label_rule) != _question(active.label_rule):
        return Judgment(
            False, "its labels are others than those of the active model, which cannot be compared"
        )
    shadowed = bars.last_close - _seen_until(candidate.manifest)
    if shadowed < rule.shadow:
        lasted = duration_text(shadowed) if shadowed > 0 else "0 s"
        return Judgment(
            False, f"shadow for {lasted} of bars, at least {duration_text(rule.shadow)} are required"
        )
    sessions, windows, gain = _compare(candidate, active, bars)
    if gain is None or sessions < MIN_SESSIONS:
        return Judgment(
            False,
            f"compared on {sessions} sessions later than the data of both models, at least {MIN_SESSIONS} are required",
        )
    passed = gain.low > -rule.margin
    return Judgment(
        passed,
        f"saves {gain.value:+.5f} nats ({gain.low:+.5f} … {gain.high:+.5f}) against the active model, on {windows:,} "
        f"windows of {sessions} sessions later than the data of both; the interval must lie above {-rule.margin:+.5f}",
    )


def _disqualified(candidate: Manifest, active: Manifest, now: int) -> str:
    """Return why a candidate may not be promoted whatever its outcomes; empty: it may."""
    if candidate.expired(now):
        return f"expired on {candidate.expires:%Y-%m-%d %H:%M} UTC"
    skill = next((check for check in candidate.checks if check.name == SKILL_CHECK), None)
    if skill is None or not skill.passed:
        return f"failed {SKILL_CHECK}" + ("" if skill is None else f": {skill.text}")
    if candidate.interval != active.interval:
        return f"is for {candidate.interval} bars, the active model for {active.interval} bars"
    for name, manifest in (("it", candidate), ("the active model", active)):
        if manifest.training_shares is None:
            return f"the class shares of the training windows of {name} are not known"
    return ""


def _question(rule: LabelRule) -> tuple[str, int, str]:
    """Return what two rules must share to be compared; k is fitted by each model."""
    return rule.kind, rule.horizon_bars, rule.entry.name


def _seen_until(manifest: Manifest) -> int:
    return int(manifest.data.seen_until.timestamp() * SECOND)


def _compare(candidate: Model, active: Model, bars: LabeledBars) -> tuple[int, int, IntervalEstimate | None]:
    """Return sessions and windows that neither model has seen, and the log loss that the candidate saves, nats.

    None: fewer than two clusters of sessions.
    """
    after = max(_seen_until(model.manifest) for model in (candidate, active)) + 1
    one, other = (_saved(model, bars.windows(model), after) for model in (candidate, active))
    both = one.join(other, on=["symbol", "close_time"], suffix="_active")
    if not len(both):
        return 0, 0, None
    session, resolved = ((both[name].to_numpy() - 1) // DAY for name in ("close_time", "known_time"))
    cluster = clusters(session, resolved)
    sessions = len(np.unique(session))
    if cluster.max() == 0:
        return sessions, len(both), None
    gain = (both["saved"] - both["saved_active"]).to_numpy()
    sums, counts = np.bincount(cluster, gain), np.bincount(cluster).astype(np.float64)
    return sessions, len(both), clustered_mean(sums.astype(np.float64), counts)


def _saved(model: Model, data: Dataset, after: int) -> pl.DataFrame:
    """Return symbol, times and log loss saved against the prior, nats, of windows that close at `after` or later."""
    later = data.select(data.close_time >= after)
    labels, prior = later.labels(model.label_rule), model.manifest.training_shares
    assert prior is not None
    gains = saved_parts(_probabilities(model, later), labels, np.array(prior)).sum(axis=1)
    return pl.DataFrame(
        {
            "symbol": np.array(later.symbols)[later.symbol],
            "close_time": later.close_time,
            "known_time": later.known_time,
            "saved": gains,
        }
    )


def _probabilities(model: Model, data: Dataset) -> Floats:
    """Return calibrated probabilities, (n, 3)."""
    logits = [np.zeros((0, 3))]
    with torch.no_grad():
        for start in range(0, len(data), _CHUNK):
            windows = torch.from_numpy(data.windows(slice(start, start + _CHUNK)))
            logits.append(model.scorer(windows).double().numpy())
    stacked = np.concatenate(logits)
    return softmax(stacked, model.manifest.temperature) if len(stacked) else stacked
