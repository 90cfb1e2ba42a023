"""The track record: hit rates of signals, beside their base rates.

The base rate is the expected hit rate if the same calls were assigned at random to the outcomes of the group.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import IntEnum

import numpy as np

from glasstape_server.domain.arrays import Floats
from glasstape_server.domain.signals import Direction, Event, ModelRef, Outcome
from glasstape_server.domain.statistics import clustered_wilson, equal_mass_bins
from glasstape_server.domain.times import DAY

BANDS = 20
"""Confidence bands, from 0 to 1."""
BINS = 10
"""Bins of a reliability diagram, at most."""


class Group(IntEnum):
    """What rows may be grouped by. Values as on the wire."""

    MODEL = 1
    SYMBOL = 2
    CONFIDENCE = 3


@dataclass(frozen=True, slots=True)
class Scored:
    """An outcome with its symbol and model."""

    symbol: str
    model: ModelRef
    outcome: Outcome

    @classmethod
    def of(cls, event: Event) -> "Scored":
        """Return the outcome of an outcome event."""
        assert isinstance(event.body, Outcome)
        return cls(event.symbol, event.model, event.body)


@dataclass(frozen=True, slots=True)
class TrackRecordRow:
    """Figures of one group of outcomes."""

    predicted: Direction | None
    """None: UP and DOWN together."""
    count: int
    hits: int
    hit_rate: float
    hit_rate_low: float
    hit_rate_high: float
    base_rate: float
    mean_return: float
    net_return: float
    sessions: int
    model: str = ""
    symbol: str = ""
    band: tuple[float, float] = (0.0, 0.0)


@dataclass(frozen=True, slots=True)
class Point:
    """One point of a reliability diagram."""

    direction: Direction | None
    """None: of the winning class."""
    stated: float
    realized: float
    count: int


@dataclass(frozen=True, slots=True)
class TrackRecord:
    """Hit rates and calibration of some outcomes."""

    records: tuple[TrackRecordRow, ...]
    outcomes: int
    brier_score: float
    log_loss: float
    reliability: tuple[Point, ...]


def track_record(scored: Sequence[Scored], group_by: Sequence[Group] = (), cost: float = 0.0) -> TrackRecord:
    """Return hit rates of UP, of DOWN and of both, in each group. FLAT calls are not scored.

    Args:
        scored: outcomes, in any order.
        group_by: what to group by; groups without calls are left out, but for those of everything.
        cost: of entering or leaving a position, as a share of the price.
    """
    groups: dict[tuple[object, ...], list[Scored]] = {} if group_by else {(): list(scored)}
    for item in scored if group_by else ():
        groups.setdefault(tuple(_KEYS[group](item) for group in group_by), []).append(item)
    records = [
        record
        for key, members in sorted(groups.items(), key=lambda pair: tuple(map(str, pair[0])))
        for record in _records(members, dict(zip(group_by, key, strict=True)), cost)
    ]
    stated = np.array([[o.down, o.flat, o.up] for o in (item.outcome.confidence for item in scored)])
    classes = np.array([item.outcome.realized for item in scored], dtype=np.int64)
    if not len(classes):
        return TrackRecord(tuple(records), 0, 0.0, 0.0, ())
    brier = float(((stated - np.eye(3)[classes]) ** 2).sum(axis=1).mean())
    likelihood = np.maximum(stated[np.arange(len(classes)), classes], 1e-12)
    return TrackRecord(
        tuple(records),
        len(classes),
        brier,
        float(-np.log(likelihood).mean()),
        tuple(_reliability(stated, classes)),
    )


def session(close_time: int) -> int:
    """Return the session of a signal: the UTC day of its close."""
    return (close_time - 1) // DAY


def _band(item: Scored) -> int:
    return min(BANDS - 1, math.floor(item.outcome.confidence.winning * BANDS + 1e-9))


_KEYS: dict[Group, Callable[[Scored], object]] = {
    Group.MODEL: lambda item: f"{item.model.name}@{item.model.version}",
    Group.SYMBOL: lambda item: item.symbol,
    Group.CONFIDENCE: lambda item: f"{_band(item):02d}",
}


def _records(members: Sequence[Scored], key: dict[Group, object], cost: float) -> list[TrackRecordRow]:
    outcomes = [item.outcome for item in members]
    realized = [outcome.realized for outcome in outcomes]
    share = {d: realized.count(d) / len(realized) if realized else 0.0 for d in Direction}
    band = int(str(key[Group.CONFIDENCE])) if Group.CONFIDENCE in key else None
    rows = []
    for predicted in (Direction.UP, Direction.DOWN, None):
        wanted = (Direction.UP, Direction.DOWN) if predicted is None else (predicted,)
        calls = [outcome for outcome in outcomes if outcome.predicted in wanted]
        if not calls and key:
            continue
        rows.append(
            _record(
                predicted,
                calls,
                share,
                cost,
                str(key.get(Group.MODEL, "")),
                str(key.get(Group.SYMBOL, "")),
                (0.0, 0.0) if band is None else (band / BANDS, (band + 1) / BANDS),
            )
        )
    return rows


def _record(
    predicted: Direction | None,
    calls: Sequence[Outcome],
    share: dict[Direction, float],
    cost: float,
    model: str,
    symbol: str,
    band: tuple[float, float],
) -> TrackRecordRow:
    count, hits = len(calls), sum(outcome.hit for outcome in calls)
    _, day = np.unique(np.array([session(o.signal_close_time) for o in calls], np.int64), return_inverse=True)
    by_day = np.bincount(day, [outcome.hit for outcome in calls]).astype(np.int64)
    low, high = clustered_wilson(by_day, np.bincount(day))
    signs = {Direction.UP: 1.0, Direction.DOWN: -1.0, Direction.FLAT: 0.0}
    mean = sum(signs[o.predicted] * o.realized_return for o in calls) / max(count, 1)
    # Expected hit rate if the same calls were assigned at random to the outcomes of the group.
    base = sum(share[o.predicted] for o in calls) / max(count, 1)
    return TrackRecordRow(
        predicted, count, hits, hits / max(count, 1), low, high, base, mean,
        mean + 2 * math.log1p(-cost) * bool(count), len(by_day), model, symbol, band,
    )  # fmt: skip


def _reliability(stated: Floats, classes: np.ndarray) -> list[Point]:
    winner = stated.argmax(axis=1)
    pairs: list[tuple[Direction | None, Floats, np.ndarray]] = [
        (None, stated.max(axis=1), winner == classes),
        *((direction, stated[:, direction], classes == direction) for direction in Direction),
    ]
    return [
        Point(direction, float(confidence[part].mean()), float(hit[part].mean()), len(part))
        for direction, confidence, hit in pairs
        for part in _equal_mass_bins(confidence)
    ]


def _equal_mass_bins(confidence: Floats) -> list[np.ndarray]:
    """Return the indices of the outcomes of each bin, lowest first; equal confidences share one."""
    number = equal_mass_bins(confidence, BINS)
    return [np.flatnonzero(number == wanted) for wanted in np.unique(number)]
