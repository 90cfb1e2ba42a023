"""How signals turned out, so that a trader can weigh the next one. Counted from outcomes of the journal."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC
from math import pi, sqrt, tan

import numpy as np
from glasstape import Direction, Model, OutcomeEvent

BINS = 10
Z = 1.959964
"""Of a two-sided 95 % interval."""


@dataclass(frozen=True)
class Rate:
    """Hits of a group against its base rate."""

    label: str
    count: int
    hits: int
    base_rate: float
    """What the same calls would hit if they were made at random on these outcomes."""
    mean_return: float
    """Mean log return of the outcomes."""
    interval: tuple[float, float]
    """95 %: Wilson's, with the sample size that calls of one session are worth."""

    @property
    def rate(self) -> float:
        """Share of hits."""
        return self.hits / self.count if self.count else 0.0

    @property
    def proven(self) -> int:
        """+1: the interval lies above the base rate; -1: below it; 0: it could be chance."""
        low, high = self.interval
        return 1 if low > self.base_rate else -1 if high < self.base_rate else 0


@dataclass(frozen=True)
class Bin:
    """One point of the reliability diagram."""

    said: float
    """Mean confidence."""
    came: float
    """Share of outcomes in which it was right."""
    count: int
    interval: tuple[float, float]


def wilson(hits: float, count: float) -> tuple[float, float]:
    """95 % Wilson score interval (Wilson, 1927)."""
    if count == 0:
        return 0.0, 1.0
    rate, square = hits / count, Z * Z
    centre = (rate + square / (2 * count)) / (1 + square / count)
    half = Z * sqrt(rate * (1 - rate) / count + square / (4 * count * count)) / (1 + square / count)
    # Rounding must not put an end on the wrong side of the rate itself.
    return max(0.0, min(rate, centre - half)), min(1.0, max(rate, centre + half))


def clustered(events: Sequence[OutcomeEvent]) -> tuple[float, float]:
    """95 % interval of the hit rate; symbols of one session move together, so that each is worth less.

    Korn and Graubard (1998): Wilson's interval with the size divided by the design effect, never below 1,
    and corrected for the few degrees of freedom of few sessions.
    """
    if not events:
        return 0.0, 1.0
    days = [event.signal_bar_close_time.astimezone(UTC).date().toordinal() for event in events]
    _, day = np.unique(days, return_inverse=True)
    counts, hits = np.bincount(day), np.bincount(day, [event.hit for event in events])
    total, sessions, rate = len(events), len(counts), float(hits.sum()) / len(events)
    alone = rate * (1 - rate) / total
    if sessions == 1 or alone == 0:
        worth = float(sessions)  # nothing shows how much a session hangs together, so each counts once
    else:
        together = float(((hits - rate * counts) ** 2).sum()) * sessions / (sessions - 1) / total**2
        worth = total / max(1.0, together / alone)
    if sessions > 1:
        worth *= (t_975(total - 1) / t_975(sessions - 1)) ** 2
    return wilson(rate * worth, worth)


def t_975(freedom: int) -> float:
    """97.5 % quantile of Student's t (Abramowitz and Stegun 1964, 26.7.5; exact for 1 and 2), freedom 1 or more."""
    if freedom == 1:
        return tan(pi * 0.475)
    if freedom == 2:
        return 0.95 * sqrt(2 / (1 - 0.95**2))
    z, n = Z, float(freedom)
    return (
        z
        + (z**3 + z) / (4 * n)
        + (5 * z**5 + 16 * z**3 + 3 * z) / (96 * n**2)
        + (3 * z**7 + 19 * z**5 + 17 * z**3 - 15 * z) / (384 * n**3)
        + (79 * z**9 + 776 * z**7 + 1482 * z**5 - 1920 * z**3 - 945 * z) / (92160 * n**4)
    )


def chosen(
    outcomes: Iterable[OutcomeEvent], models: Mapping[str, Model], *, symbol: str = "", model: str = ""
) -> list[OutcomeEvent]:
    """Outcomes of a symbol and model; what their own model had seen in training is never counted.

    Args:
        outcomes: of any symbols and models.
        models: descriptions by digest; outcomes of a model without one are counted.
        symbol: "" is every symbol.
        model: "name@version"; "" is every model.
    """
    seen = {digest: known.seen_until for digest, known in models.items() if known.seen_until is not None}
    return [
        event
        for event in outcomes
        if (not symbol or event.symbol == symbol)
        and (not model or f"{event.model.name}@{event.model.version}" == model)
        and (event.model.digest not in seen or event.signal_bar_close_time > seen[event.model.digest])
    ]


def rates(outcomes: Sequence[OutcomeEvent]) -> list[Rate]:
    """UP and DOWN, each and together. A call that something stays FLAT is not scored."""
    shares = {
        direction: sum(event.realised is direction for event in outcomes) / max(len(outcomes), 1)
        for direction in Direction
    }
    found = []
    for label, classes in (
        ("up", [Direction.UP]), ("down", [Direction.DOWN]), ("both", [Direction.UP, Direction.DOWN]),
    ):  # fmt: skip
        group = [event for event in outcomes if event.predicted in classes]
        base = sum(shares[event.predicted] for event in group) / max(len(group), 1)
        mean = sum(event.realised_return for event in group) / max(len(group), 1)
        found.append(Rate(label, len(group), sum(event.hit for event in group), base, mean, clustered(group)))
    return found


def reliability(outcomes: Sequence[OutcomeEvent], direction: Direction = Direction.UP) -> list[Bin]:
    """Bins of about equal counts of the confidence of one class, lowest first."""
    if not outcomes:
        return []
    said = np.array([_of(event, direction) for event in outcomes])
    came = np.array([event.realised is direction for event in outcomes])
    order = np.argsort(said, kind="stable")
    bins = []
    for part in np.array_split(order, min(BINS, len(order))):
        hits = int(came[part].sum())
        bins.append(Bin(float(said[part].mean()), hits / len(part), len(part), wilson(hits, len(part))))
    return bins


def _of(event: OutcomeEvent, direction: Direction) -> float:
    said = event.confidence
    return (said.down, said.flat, said.up)[direction]
