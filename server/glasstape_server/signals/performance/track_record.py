"""The track record: hit rates of signals beside their base rates, and what the models know of whether and which way.

The base rate of calls is (hits + opposites) / (2 calls); see `domain.skill`.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import IntEnum

import numpy as np
from numpy.typing import NDArray

from glasstape_server.domain.arrays import Floats, Ints
from glasstape_server.domain.signals import Direction, Event, ModelRef, Outcome
from glasstape_server.domain.skill import (
    CallRecord,
    SkillSplit,
    call_record,
    clusters,
    log_loss_parts,
    skill_split,
)
from glasstape_server.domain.statistics import equal_mass_bins
from glasstape_server.domain.times import DAY
from glasstape_server.signals.performance.returns import Returns, returns_of

BANDS = 20
"""Confidence bands, from 0 to 1."""
BINS = 10
"""Bins of a reliability diagram, at most."""
LEAST_STATED = 1e-12
"""Probability that a smaller one is taken for in the log loss."""


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
    resolved_time: int | None = None
    """Close at which it was known, microseconds; None: in the signal's own session."""

    @classmethod
    def of(cls, event: Event) -> "Scored":
        """Return the outcome of an outcome event."""
        assert isinstance(event.body, Outcome)
        return cls(event.symbol, event.model, event.body, event.bar_close_time)


@dataclass(frozen=True, slots=True)
class TrackRecordRow:
    """Figures of one group of outcomes."""

    predicted: Direction | None
    """None: UP and DOWN together."""
    calls: CallRecord
    kept: int
    """Calls that were not abstained."""
    returns: Returns
    """Log returns in the called direction, without costs."""
    costs: float
    """Log return that entry and exit cost, 0 or less."""
    sessions: int
    skill: SkillSplit | None = None
    """Of UP and DOWN together: all outcomes of the group, FLAT included. None: unknown prior, or too few sessions."""
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
    skill: SkillSplit | None
    """Of all outcomes. None: no prior is known, or too few sessions."""


Prior = tuple[float, float, float]
"""Class shares of all training windows of a model."""


def track_record(
    scored: Sequence[Scored],
    group_by: Sequence[Group] = (),
    cost: float = 0.0,
    prior_of: Callable[[str], Prior | None] = lambda digest: None,
) -> TrackRecord:
    """Return hit rates of UP, of DOWN and of both, in each group. FLAT calls are not scored.

    Args:
        scored: outcomes, in any order.
        group_by: what to group by; groups without calls are left out, but for those of everything.
        cost: of entering or leaving a position, as a share of the price.
        prior_of: class shares of the training windows of a model, by digest; None if they are not known.
    """
    groups: dict[tuple[object, ...], list[Scored]] = {} if group_by else {(): list(scored)}
    for item in scored if group_by else ():
        groups.setdefault(tuple(_KEYS[group](item) for group in group_by), []).append(item)
    records = [
        record
        for key, members in sorted(groups.items(), key=lambda pair: tuple(map(str, pair[0])))
        for record in _records(members, dict(zip(group_by, key, strict=True)), cost, prior_of)
    ]
    everything = _Outcomes.of(scored, prior_of)
    stated, classes = everything.stated, everything.realized
    if not len(classes):
        return TrackRecord(tuple(records), 0, 0.0, 0.0, (), None)
    return TrackRecord(
        tuple(records),
        len(classes),
        float(((stated - np.eye(3)[classes]) ** 2).sum(axis=1).mean()),
        float(log_loss_parts(np.maximum(stated, LEAST_STATED), classes).sum(axis=1).mean()),
        tuple(_reliability(stated, classes)),
        everything.skill(),
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


@dataclass(frozen=True, slots=True)
class _Outcomes:
    """Outcomes as columns, (n,) each."""

    stated: Floats
    """Probabilities, (n, 3)."""
    predicted: Ints
    realized: Ints
    session: Ints
    cluster: Ints
    returns: Floats
    """Realized log returns."""
    abstained: Ints
    """Whether the signal was abstained, 0 or 1."""
    prior: Floats
    """Class shares of the training windows, (n, 3); NaN where they are not known."""

    @classmethod
    def of(cls, scored: Sequence[Scored], prior_of: Callable[[str], Prior | None]) -> "_Outcomes":
        outcomes = [item.outcome for item in scored]
        confidences = [outcome.confidence for outcome in outcomes]
        known = {digest: prior_of(digest) for digest in {item.model.digest for item in scored}}
        unknown = (math.nan,) * 3
        session_of = np.array([session(o.signal_close_time) for o in outcomes], dtype=np.int64)
        resolved = [session(i.resolved_time or i.outcome.signal_close_time) for i in scored]
        return cls(
            np.array([(c.down, c.flat, c.up) for c in confidences]).reshape(-1, 3),
            np.array([o.predicted for o in outcomes], dtype=np.int64),
            np.array([o.realized for o in outcomes], dtype=np.int64),
            session_of,
            clusters(session_of, np.array(resolved, dtype=np.int64)),
            np.array([o.realized_return for o in outcomes]),
            np.array([c.abstained for c in confidences], dtype=np.int64),
            np.array([known[item.model.digest] or unknown for item in scored]).reshape(-1, 3),
        )

    def skill(self) -> SkillSplit | None:
        """Return the split of the outcomes whose prior is known."""
        known = np.isfinite(self.prior[:, 0])
        return skill_split(self.stated[known], self.realized[known], self.prior[known], self.cluster[known])


def _records(
    members: Sequence[Scored],
    key: dict[Group, object],
    cost: float,
    prior_of: Callable[[str], Prior | None],
) -> list[TrackRecordRow]:
    outcomes = _Outcomes.of(members, prior_of)
    band = int(str(key[Group.CONFIDENCE])) if Group.CONFIDENCE in key else None
    rows = []
    for predicted in (Direction.UP, Direction.DOWN, None):
        called = (
            outcomes.predicted != Direction.FLAT if predicted is None else outcomes.predicted == predicted
        )
        if not called.any() and key:
            continue
        rows.append(
            TrackRecordRow(
                predicted,
                call_record(outcomes.predicted[called], outcomes.realized[called], outcomes.cluster[called]),
                int(called.sum() - outcomes.abstained[called].sum()),
                _returns(outcomes, called),
                2 * math.log1p(-cost) * bool(called.any()),
                len(np.unique(outcomes.session[called])),
                outcomes.skill() if predicted is None else None,
                str(key.get(Group.MODEL, "")),
                str(key.get(Group.SYMBOL, "")),
                (0.0, 0.0) if band is None else (band / BANDS, (band + 1) / BANDS),
            )
        )
    return rows


def _returns(outcomes: _Outcomes, called: NDArray[np.bool_]) -> Returns:
    side = outcomes.predicted[called] - int(Direction.FLAT)
    return returns_of(side * outcomes.returns[called], outcomes.session[called], outcomes.cluster[called])


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
