"""Rejected bars, grouped by the rule that they break."""

import re
from collections.abc import Iterable, Sequence

from glasstape import Bar, Rejection

FIRST = 3
"""Bars that a line names."""
_VALUE = re.compile(r"(, is .*|[-+]?\d[\d.,:eE+-]*|inf|nan)")
_REMEDIES = {
    "symbol": "rename it with --rename FROM=TO",
    "interval": "correct --interval",
    "volume": "fill it; send 0 where the market reports none",
    "BAR_OUT_OF_ORDER": "history is published with --mode backfill",
    "BAR_CONFLICT": "a stored bar is corrected with --mode replace",
    "BAR_NOT_FOUND": "bars that are not stored are published without --mode replace",
}
"""What to do, by reason or else by field."""


def grouped(rejections: Iterable[tuple[Bar, Rejection]], unlisted: int = 0) -> list[str]:
    """Return one line for each rule that bars break, the most frequent first: count, rule, first bars and remedy.

    Args:
        rejections: rejected bars, each with its rejection.
        unlisted: further rejected bars, whose rejections the server did not send.
    """
    groups: dict[tuple[str, str, str], list[tuple[Bar, Rejection]]] = {}
    for bar, rejection in rejections:
        groups.setdefault(_rule(rejection), []).append((bar, rejection))
    ordered = sorted(groups.items(), key=lambda item: -len(item[1]))
    lines = [_line(reason, field, group) for (reason, field, _), group in ordered]
    if unlisted:
        lines.append(f"{unlisted:,} more rejected, for reasons that the server did not list")
    return lines


def _rule(rejection: Rejection) -> tuple[str, str, str]:
    """Return reason, first field and the message without its values: equal for bars that break one rule."""
    error = rejection.error
    violation = error.violations[0] if error.violations else None
    text = _VALUE.sub("#", violation.rule if violation else error.message)
    return str(error.reason), violation.field if violation else "", text


def _line(reason: str, field: str, group: Sequence[tuple[Bar, Rejection]]) -> str:
    named = ", ".join(f"{bar.symbol} {bar.close_time.isoformat()}" for bar, _ in group[:FIRST])
    more = " …" if len(group) > FIRST else ""
    remedy = _REMEDIES.get(reason) or _REMEDIES.get(field)
    end = f"; {remedy}" if remedy else ""
    return f"{len(group):,} rejected: {group[0][1].error} (first: {named}{more}){end}"
