"""Verdicts on the reliability of a map, with reasons.

A verdict is about one map: whether it is true to the model. What is measured of the model as a whole, such as its
skill, is reported once, with the model (`Model.checks`), and decides about no map.
"""

from dataclasses import dataclass
from enum import IntEnum

import numpy as np

from glasstape_server.domain.arrays import Float32s
from glasstape_server.explain.method import Quantity, Shape
from glasstape_server.explain.path import MIN_DIFFERENCE, TOLERANCE
from glasstape_server.explain.trust import MapEvidence, Trust, trust_in
from glasstape_server.models.manifest import Check

MIN_PEAK = 1e-8
"""A map whose largest |cell| is below this is degenerate."""
SIGN_AGREEMENT = 0.7
"""Trust weighs sign agreement already; a stricter limit leaves out good maps as often as poor ones."""
DELETION_RATIO = 2.0
"""Least change of the score by the strongest cells, relative to random ones, under both fills. A stricter limit
leaves out good maps as often as poor ones (docs/methods.md)."""
TRUST = 0.8
"""Least trust of a reliable map: no map of a network that was trained on noise comes near it (docs/methods.md)."""


class Verdict(IntEnum):
    """Verdicts. Values as on the wire."""

    RELIABLE = 1
    CAUTION = 2
    DEGENERATE = 3


@dataclass(frozen=True, slots=True)
class QualityVerdict:
    """Verdict with its reasons and the checks behind it."""

    verdict: Verdict
    reasons: tuple[str, ...]
    checks: tuple[Check, ...] = ()
    trust: Trust | None = None
    """None: not measured."""


@dataclass(frozen=True, slots=True)
class MapFacts:
    """Properties of one map that take no further forward passes."""

    values: Float32s
    """The map in units that are comparable across features, (time, feature)."""
    quantity: Quantity
    difference: float | None = None
    """Score minus baseline score, if defined."""
    completeness_error: float | None = None
    """|sum of cells - difference|, if defined."""
    native_shape: Shape | None = None
    """Resolution of the method before upsampling; None: that of the window."""


def degenerate(values: Float32s) -> str:
    """Return why a map (time, feature) is degenerate; empty if it is not."""
    if not np.isfinite(values).all():
        return "the map is not finite"
    peak = float(np.abs(values).max())
    return f"no cell exceeds {MIN_PEAK:g} (largest: {peak:.3g})" if peak < MIN_PEAK else ""


def judge_fast(facts: MapFacts) -> QualityVerdict:
    """Judge one map without further passes: DEGENERATE or CAUTION, never RELIABLE."""
    reason = degenerate(facts.values)
    if reason:
        return QualityVerdict(Verdict.DEGENERATE, (reason,))
    checks = _completeness(facts)
    reasons = [failure(check) for check in checks if not check.passed]
    return QualityVerdict(
        Verdict.CAUTION, (*reasons, "the strongest cells were not removed (quality FAST)"), tuple(checks)
    )


def judge_fully(facts: MapFacts, evidence: MapEvidence) -> QualityVerdict:
    """Judge one map with its evidence: RELIABLE if every check passes and every cell has a value of its own."""
    reason = degenerate(facts.values)
    if reason:
        return QualityVerdict(Verdict.DEGENERATE, (reason,))
    trust = trust_in(evidence)
    checks = (*_completeness(facts), _sign_agreement(evidence), *_deletions(evidence), _trust(trust))
    reasons = [failure(check) for check in checks if not check.passed]
    if not reasons and facts.native_shape not in (None, facts.values.shape):
        reasons = [_resolution(facts)]
    return QualityVerdict(Verdict.CAUTION if reasons else Verdict.RELIABLE, tuple(reasons), checks, trust)


def failure(check: Check) -> str:
    """Return the reason that a failed check is."""
    return f"{check.name.replace('_', ' ')} failed: {check.text}"


def _resolution(facts: MapFacts) -> str:
    """Return at which resolution a coarse map is reliable."""
    assert facts.native_shape is not None
    bars, features = facts.native_shape
    if features == 1 and bars == facts.values.shape[0]:
        return "reliable at bar resolution, not for single features"
    if bars == 1 and features == facts.values.shape[1]:
        return "reliable at feature resolution, not for single bars"
    return f"reliable at a resolution of {bars} x {features} blocks, not for single cells"


def _completeness(facts: MapFacts) -> list[Check]:
    if facts.quantity is not Quantity.CONTRIBUTION:
        return []
    if facts.difference is None or facts.completeness_error is None:
        return []
    limit = TOLERANCE * max(abs(facts.difference), MIN_DIFFERENCE)
    error = facts.completeness_error
    text = f"completeness error {error:.3g}, at most {limit:.3g}"
    return [_check("completeness", error, limit, bool(error <= limit), text)]


def _sign_agreement(evidence: MapEvidence) -> Check:
    value = evidence.sign_agreement
    text = (
        "share of gradients around the window with a stable sign on the strongest cells: "
        f"{value:.2f}, at least {SIGN_AGREEMENT:g}"
    )
    return _check("sign_agreement", value, SIGN_AGREEMENT, bool(value >= SIGN_AGREEMENT), text)


def _deletions(evidence: MapEvidence) -> list[Check]:
    checks = []
    for name, change, random, ratio in zip(
        ("mean", "resampled"), evidence.deletion, evidence.random_deletion, evidence.ratios, strict=True
    ):
        text = (
            f"removing the strongest cells in turn ({name} fill) changes the score by {change:.3g}, random cells by "
            f"{random:.3g}: {ratio:.2f} times as much, at least {DELETION_RATIO:g}"
        )
        passed = bool(ratio >= DELETION_RATIO)
        checks.append(_check(f"deletion_{name}", float(ratio), DELETION_RATIO, passed, text))
    return checks


def _trust(trust: Trust) -> Check:
    text = f"trust in the map: {trust.value:.2f}, at least {TRUST:g}"
    return _check("trust", trust.value, TRUST, trust.value >= TRUST, text)


def _check(name: str, value: float, limit: float, passed: bool, text: str) -> Check:
    return Check(name=name, value=_finite(value), limit=_finite(limit), passed=passed, text=text)


def _finite(value: float) -> float:
    """Return a finite number, as a manifest requires; the check of a value that is not finite has failed anyway."""
    return float(np.nan_to_num(value))
