"""Verdicts on the reliability of a map, with reasons."""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import IntEnum

import numpy as np

from glasstape_server.domain.arrays import Float32s, Floats
from glasstape_server.explain.method import Quantity
from glasstape_server.explain.path import MIN_DIFFERENCE, TOLERANCE
from glasstape_server.models.manifest import Check

MIN_PEAK = 1e-8
"""A map whose largest |cell| is below this is degenerate."""
SIGN_AGREEMENT = 0.8
CORRELATION = 0.5


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


@dataclass(frozen=True, slots=True)
class MapFacts:
    """Properties of one map that take no further forward passes."""

    values: Float32s
    """The map, (time, feature)."""
    quantity: Quantity
    difference: float | None = None
    """Score minus baseline score, if defined."""
    completeness_error: float | None = None
    """|sum of cells - difference|, if defined."""


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
        Verdict.CAUTION, (*reasons, "not compared with other methods (quality FAST)"), tuple(checks)
    )


def judge_fully(
    facts: MapFacts,
    sign_agreement: float,
    occlusion_correlation: float,
    deletion: Floats,
    random_deletion: Floats,
    of_model: Sequence[Check],
    *,
    of_occlusion: bool = False,
) -> QualityVerdict:
    """Judge one map with its evidence (see `evidence.Evidence`): RELIABLE if every check passes.

    Args:
        facts: of the map.
        sign_agreement: 0-1.
        occlusion_correlation: -1 to 1.
        deletion: with both fills, (2,).
        random_deletion: with both fills, (2,).
        of_model: checks of the model, from its manifest.
        of_occlusion: whether the map is an occlusion map, which is compared with integrated gradients.
    """
    reason = degenerate(facts.values)
    if reason:
        return QualityVerdict(Verdict.DEGENERATE, (reason,))
    checks = _completeness(facts)
    checks.append(
        _at_least(
            "sign_agreement",
            sign_agreement,
            SIGN_AGREEMENT,
            "share of gradients around the window with a stable sign on the strongest cells",
        )
    )
    label = f"rank correlation with {'integrated gradients' if of_occlusion else 'occlusion'}"
    checks.append(_at_least("occlusion_correlation", occlusion_correlation, CORRELATION, label))
    for name, change, random in zip(("mean", "resampled"), deletion, random_deletion, strict=True):
        text = (
            f"removing the strongest cells in turn ({name} fill) changes the score by {change:.3g}, "
            f"random cells by {random:.3g}"
        )
        checks.append(_check(f"deletion_{name}", change, random, bool(change > random), text))
    reasons = [failure(check) for check in (*checks, *of_model) if not check.passed]
    return QualityVerdict(Verdict.CAUTION if reasons else Verdict.RELIABLE, tuple(reasons), tuple(checks))


def failure(check: Check) -> str:
    """Return the reason that a failed check is."""
    return f"{check.name.replace('_', ' ')} failed: {check.text}"


def _completeness(facts: MapFacts) -> list[Check]:
    if facts.quantity is not Quantity.CONTRIBUTION:
        return []
    if facts.difference is None or facts.completeness_error is None:
        return []
    limit = TOLERANCE * max(abs(facts.difference), MIN_DIFFERENCE)
    error = facts.completeness_error
    text = f"completeness error {error:.3g}, at most {limit:.3g}"
    return [_check("completeness", error, limit, bool(error <= limit), text)]


def _at_least(name: str, value: float, limit: float, label: str) -> Check:
    return _check(name, value, limit, bool(value >= limit), f"{label}: {value:.2f}, at least {limit:g}")


def _check(name: str, value: float, limit: float, passed: bool, text: str) -> Check:
    return Check(name=name, value=_finite(value), limit=_finite(limit), passed=passed, text=text)


def _finite(value: float) -> float:
    """Return a finite number, as a manifest requires; the check of a value that is not finite has failed anyway."""
    return float(np.nan_to_num(value))
