"""Hit rates, intervals and the reliability diagram, computed from outcomes of the journal."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC
from math import pi, sqrt, tan

import numpy as np
from glasstape import Direction, Model, OutcomeEvent

BINS = 10
Z = 1.959964
"""Normal quantile of a two-sided 95 % interval."""


@dataclass(frozen=True)
class HitRate:
    """Hits of a group of calls against its base rate."""

    label: str
    count: int
    hits: int
    base_rate: float
    """Expected hit rate if the same calls were assigned to these outcomes at random."""
    mean_return: float
    """Mean log return of the outcomes."""
    interval: tuple[float, float]
    """95 % Wilson interval with the effective sample size of clustered calls."""

    @property
    def rate(self) -> float:
        """Share of hits, 0-1; 0 without calls."""
        return self.hits / self.count if self.count else 0.0

    @property
    def significance(self) -> int:
        """+1: the interval lies above the base rate; -1: below it; 0: it contains the base rate."""
        low, high = self.interval
        return 1 if low > self.base_rate else -1 if high < self.base_rate else 0


@dataclass(frozen=True)
class ReliabilityBin:
    """One point of the reliability diagram."""

    confidence: float
    """Mean confidence."""
    frequency: float
    """Share of outcomes in which the class came true."""
    count: int
    interval: tuple[float, float]
    """95 % Wilson interval of `frequency`."""


def wilson(hits: float, count: float) -> tuple[float, float]:
    """Return the 95 % Wilson score interval (Wilson, 1927); (0, 1) without observations."""
    if count == 0:
        return 0.0, 1.0
    rate, square = hits / count, Z * Z
    center = (rate + square / (2 * count)) / (1 + square / count)
    half = Z * sqrt(rate * (1 - rate) / count + square / (4 * count * count)) / (1 + square / count)
    # Rounding must not put an end on the wrong side of the rate itself.
    return max(0.0, min(rate, center - half)), min(1.0, max(rate, center + half))


def clustered_interval(events: Sequence[OutcomeEvent]) -> tuple[float, float]:
    """Return the 95 % interval of the hit rate, allowing for the correlation of calls of one session.

    Korn and Graubard (1998): Wilson's interval with the sample size divided by the design effect, never below
    1, and corrected for the degrees of freedom of few sessions.
    """
    if not events:
        return 0.0, 1.0
    days = [event.signal_bar_close_time.astimezone(UTC).date().toordinal() for event in events]
    _, day = np.unique(days, return_inverse=True)
    counts, hits = np.bincount(day), np.bincount(day, [event.hit for event in events])
    total, sessions, rate = len(events), len(counts), float(hits.sum()) / len(events)
    independent = rate * (1 - rate) / total
    if sessions == 1 or independent == 0:
        effective = float(sessions)  # the clustering cannot be estimated: count each session once
    else:
        clustered = float(((hits - rate * counts) ** 2).sum()) * sessions / (sessions - 1) / total**2
        effective = total / max(1.0, clustered / independent)
    if sessions > 1:
        effective *= (t_975(total - 1) / t_975(sessions - 1)) ** 2
    return wilson(rate * effective, effective)


def t_975(freedom: int) -> float:
    """Return the 97.5 % quantile of Student's t for `freedom` >= 1 degrees of freedom.

    Exact for 1 and 2, else Abramowitz and Stegun (1964), 26.7.5.
    """
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


def select_outcomes(
    outcomes: Iterable[OutcomeEvent], models: Mapping[str, Model], *, symbol: str = "", model: str = ""
) -> list[OutcomeEvent]:
    """Return the outcomes of a symbol and model, without those that lie in the model's training data.

    Args:
        outcomes: of any symbols and models.
        models: descriptions by digest; outcomes of a model without one are included.
        symbol: "" selects every symbol.
        model: "name@version"; "" selects every model.
    """
    seen = {digest: known.seen_until for digest, known in models.items() if known.seen_until is not None}
    return [
        event
        for event in outcomes
        if (not symbol or event.symbol == symbol)
        and (not model or f"{event.model.name}@{event.model.version}" == model)
        and (event.model.digest not in seen or event.signal_bar_close_time > seen[event.model.digest])
    ]


def hit_rates(outcomes: Sequence[OutcomeEvent]) -> list[HitRate]:
    """Return the hit rates of UP, of DOWN, and of both; FLAT calls are not scored."""
    shares = {
        direction: sum(event.realised is direction for event in outcomes) / max(len(outcomes), 1)
        for direction in Direction
    }
    rates = []
    for label, classes in (
        ("up", [Direction.UP]), ("down", [Direction.DOWN]), ("both", [Direction.UP, Direction.DOWN]),
    ):  # fmt: skip
        group = [event for event in outcomes if event.predicted in classes]
        rates.append(
            HitRate(
                label=label,
                count=len(group),
                hits=sum(event.hit for event in group),
                base_rate=sum(shares[event.predicted] for event in group) / max(len(group), 1),
                mean_return=sum(event.realised_return for event in group) / max(len(group), 1),
                interval=clustered_interval(group),
            )
        )
    return rates


def reliability_bins(
    outcomes: Sequence[OutcomeEvent], direction: Direction = Direction.UP
) -> list[ReliabilityBin]:
    """Return at most `BINS` bins of about equal counts of the confidence of one class, lowest first."""
    if not outcomes:
        return []
    confidences = np.array([_confidence_of(event, direction) for event in outcomes])
    came_true = np.array([event.realised is direction for event in outcomes])
    order = np.argsort(confidences, kind="stable")
    bins = []
    for part in np.array_split(order, min(BINS, len(order))):
        hits = int(came_true[part].sum())
        interval = wilson(hits, len(part))
        bins.append(ReliabilityBin(float(confidences[part].mean()), hits / len(part), len(part), interval))
    return bins


def _confidence_of(event: OutcomeEvent, direction: Direction) -> float:
    confidence = event.confidence
    return (confidence.down, confidence.flat, confidence.up)[direction]
