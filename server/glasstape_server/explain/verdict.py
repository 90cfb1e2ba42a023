"""How far a map can be trusted, with the reason: from the map itself, and from evidence where asked for."""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import IntEnum

import numpy as np

from glasstape_server.domain.values import Float32s, Floats
from glasstape_server.explain.method import Quantity
from glasstape_server.explain.path import LEAST_DIFFERENCE, TOLERANCE
from glasstape_server.models.manifest import Check

SMALLEST = 1e-8
"""A map whose largest cell is below this shows nothing."""
SIGN_AGREEMENT = 0.8
CORRELATION = 0.5


class Verdict(IntEnum):
    """Verdicts. Values as on the wire."""

    RELIABLE = 1
    CAUTION = 2
    DEGENERATE = 3


@dataclass(frozen=True, slots=True)
class Judgement:
    """A verdict with its reasons and what was measured for it."""

    verdict: Verdict
    reasons: tuple[str, ...]
    checks: tuple[Check, ...] = ()


@dataclass(frozen=True, slots=True)
class MapFacts:
    """What is known of one map without further forward passes."""

    values: Float32s  # (time, feature)
    quantity: Quantity
    difference: float | None = None
    """Score minus baseline score, where defined."""
    completeness_error: float | None = None
    """How far the cells' sum is from that difference, where defined."""


def degenerate(values: Float32s) -> str:
    """Why a map shows nothing; empty if it shows something."""
    if not np.isfinite(values).all():
        return "the map is not finite"
    peak = float(np.abs(values).max())
    return f"no cell exceeds {SMALLEST:g} (largest: {peak:.3g})" if peak < SMALLEST else ""


def judge_fast(facts: MapFacts) -> Judgement:
    """Judge one map by itself. Never says RELIABLE."""
    nothing = degenerate(facts.values)
    if nothing:
        return Judgement(Verdict.DEGENERATE, (nothing,))
    checks = _completeness(facts)
    reasons = [failure(check) for check in checks if not check.passed]
    return Judgement(
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
) -> Judgement:
    """Judge one map with its evidence (see `evidence.Evidence`): RELIABLE if every check passes.

    Args:
        facts: the map.
        sign_agreement: 0-1.
        occlusion_correlation: -1 .. 1.
        deletion: (2,), for both fills.
        random_deletion: (2,), for both fills.
        of_model: checks of the model itself, from its manifest.
        of_occlusion: whether the map is an occlusion itself, and was compared with integrated gradients.
    """
    nothing = degenerate(facts.values)
    if nothing:
        return Judgement(Verdict.DEGENERATE, (nothing,))
    checks = _completeness(facts)
    checks.append(
        _at_least(
            "sign_agreement",
            sign_agreement,
            SIGN_AGREEMENT,
            "gradients around the window keep their sign on the strongest cells",
        )
    )
    what = f"rank correlation with {'integrated gradients' if of_occlusion else 'occlusion'}"
    checks.append(_at_least("occlusion_correlation", occlusion_correlation, CORRELATION, what))
    for name, changed, usual in zip(("mean", "resampled"), deletion, random_deletion, strict=True):
        text = (
            f"removing the strongest cells in turn ({name} fill) moves the score by {changed:.3g}, "
            f"random ones by {usual:.3g}"
        )
        checks.append(_check(f"deletion_{name}", changed, usual, bool(changed > usual), text))
    reasons = [failure(check) for check in (*checks, *of_model) if not check.passed]
    return Judgement(Verdict.CAUTION if reasons else Verdict.RELIABLE, tuple(reasons), tuple(checks))


def failure(check: Check) -> str:
    """A failed check as a reason."""
    return f"{check.name.replace('_', ' ')} failed: {check.text}"


def _completeness(facts: MapFacts) -> list[Check]:
    if facts.quantity is not Quantity.CONTRIBUTION:
        return []
    if facts.difference is None or facts.completeness_error is None:
        return []
    limit = TOLERANCE * max(abs(facts.difference), LEAST_DIFFERENCE)
    error = facts.completeness_error
    text = f"completeness error {error:.3g}, at most {limit:.3g}"
    return [_check("completeness", error, limit, bool(error <= limit), text)]


def _at_least(name: str, value: float, limit: float, what: str) -> Check:
    return _check(name, value, limit, bool(value >= limit), f"{what}: {value:.2f}, at least {limit:g}")


def _check(name: str, value: float, limit: float, passed: bool, text: str) -> Check:
    return Check(name=name, value=_finite(value), limit=_finite(limit), passed=passed, text=text)


def _finite(value: float) -> float:
    """A number that a manifest may hold: what is not finite failed anyway."""
    return float(np.nan_to_num(value))
