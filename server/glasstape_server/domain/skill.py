"""What predictions know of whether a bar moves, and of which way it goes: two figures that add up.

H(class) = H(moves or not) + P(moves) H(direction | moves): the log loss of a prediction is the log loss of "FLAT or
not" plus, for a bar that moved, that of its direction among UP and DOWN. Both parts of the log loss saved are
differences to the *prior*, the class shares of all training windows.

Of a call (UP or DOWN), three things can come: a *hit*, the *opposite* direction, or FLAT. A call without knowledge of
the direction has as many hits as opposites, so that its base rate is (hits + opposites) / (2 calls). The *edge* is
(hits - opposites) / calls, twice the hit rate above its base.
"""

import math
from dataclasses import dataclass

import numpy as np
from glasstape.skill import SkillVerdict, skill_verdict

from glasstape_server.domain.arrays import Floats, Ints
from glasstape_server.domain.signals import Direction
from glasstape_server.domain.statistics import IntervalEstimate, clustered_mean, clustered_wilson

LEAST = 1e-300
"""Probability that a smaller one is taken for, so that every log loss is finite."""
OVERLAPS_PER_CLUSTER = 3
"""Length of a cluster, in sessions, per session over which labels overlap: leaves a ninth of their variance out."""


def log_loss_parts(probabilities: Floats, labels: Ints) -> Floats:
    """Return the FLAT part and the direction part of each log loss, (n, 2), nats; they sum to the log loss.

    Args:
        probabilities: (n, 3).
        labels: class indices, (n,).
    """
    moved = labels != Direction.FLAT
    of_label = np.maximum(probabilities[np.arange(len(labels)), labels], LEAST)
    moves = np.maximum(probabilities[:, Direction.DOWN] + probabilities[:, Direction.UP], LEAST)
    flat_part = -np.log(np.where(moved, moves, of_label))
    direction_part = np.where(moved, np.log(moves) - np.log(of_label), 0.0)
    return np.stack([flat_part, direction_part], axis=1)


def saved_parts(probabilities: Floats, labels: Ints, prior: Floats) -> Floats:
    """Return the FLAT part and the direction part of the log loss saved against a prior, (n, 2), nats.

    Args:
        probabilities: (n, 3).
        labels: class indices, (n,).
        prior: class shares of all training windows, (3,) or (n, 3).
    """
    shares = np.broadcast_to(prior, probabilities.shape)
    return log_loss_parts(shares, labels) - log_loss_parts(probabilities, labels)


@dataclass(frozen=True, slots=True)
class CallRecord:
    """How UP and DOWN calls turned out. Every figure but the counts has meaning only with a call."""

    calls: int
    hits: int
    """The called direction came."""
    opposites: int
    """The other direction came."""
    hit_rate: IntervalEstimate
    """hits / calls, 0-1."""
    moved_hit_rate: IntervalEstimate
    """hits / (hits + opposites), 0-1: right when it moved."""
    edge: IntervalEstimate
    """(hits - opposites) / calls, -1 to 1."""

    @property
    def base_rate(self) -> float:
        """Hit rate of as many calls without knowledge of the direction: (hits + opposites) / (2 calls), 0-1."""
        return (self.hits + self.opposites) / (2 * max(self.calls, 1))


@dataclass(frozen=True, slots=True)
class SkillSplit:
    """Log loss saved against the prior, in its two parts, and how calls that moved turned out."""

    log_loss_saved: IntervalEstimate
    """Nats."""
    flat: IntervalEstimate
    """Part of it from whether a bar moved, nats."""
    direction: IntervalEstimate
    """Part of it from which way it went, nats."""
    moved_hit_rate: IntervalEstimate
    """Share of calls with the right direction among those where the price moved, 0-1."""

    @property
    def verdict(self) -> SkillVerdict:
        """What the intervals show."""
        moved = self.moved_hit_rate
        return skill_verdict(self.flat.low, self.direction.low, moved.low, moved.high)


def clusters(session: Ints, resolved: Ints) -> Ints:
    """Return the cluster of each outcome, (n,), numbered from 0: sessions, or runs of sessions where labels overlap.

    Args:
        session: session of each signal, (n,).
        resolved: session in which its outcome was known, (n,).
    """
    if not len(session):
        return np.zeros(0, dtype=np.int64)
    _, number = np.unique(np.concatenate([session, resolved]), return_inverse=True)
    first, last = number[: len(session)], number[len(session) :]
    # The median, because a halted symbol's outcome is late. The entry is one bar after the signal.
    overlap = int(np.median(last - first)) - 1
    length = OVERLAPS_PER_CLUSTER * overlap if overlap > 1 else 1
    return np.asarray(np.unique((first - first.min()) // length, return_inverse=True)[1])


def call_record(predicted: Ints, labels: Ints, cluster: Ints) -> CallRecord:
    """Return how the UP and DOWN calls of some predictions turned out.

    Args:
        predicted: class indices, (n,).
        labels: realized class indices, (n,).
        cluster: number of each prediction's cluster, (n,).
    """
    called = predicted != Direction.FLAT
    predicted, labels, cluster = predicted[called], labels[called], cluster[called]
    size = int(cluster.max()) + 1 if len(cluster) else 0
    hit, moved = predicted == labels, labels != Direction.FLAT
    hits, moves, calls = (
        np.bincount(cluster, values, size).astype(np.int64) for values in (hit, moved, np.ones(len(hit)))
    )
    count, came, any_move = int(calls.sum()), int(hits.sum()), int(moves.sum())
    moved_rate = IntervalEstimate(came / max(any_move, 1), *clustered_wilson(hits, moves))
    return CallRecord(
        calls=count,
        hits=came,
        opposites=any_move - came,
        hit_rate=IntervalEstimate(came / max(count, 1), *clustered_wilson(hits, calls)),
        moved_hit_rate=moved_rate,
        edge=_edge(
            IntervalEstimate(any_move / max(count, 1), *clustered_wilson(moves, calls)), moved_rate, any_move
        ),
    )


def _edge(moved: IntervalEstimate, right: IntervalEstimate, moves: int) -> IntervalEstimate:
    """Return the edge: share of calls that moved, times twice the hit rate of those above one half.

    Donner and Zou (2012), "Closed-form confidence intervals for functions of the normal mean and standard deviation":
    the interval of a product from those of its factors (method of variance estimates recovery). Unlike an interval from
    the differences themselves, it is not empty where every call of a few sessions was right.
    """
    if not moves:
        return IntervalEstimate(0.0, -moved.high, moved.high)
    factor, low, high = 2 * right.value - 1, 2 * right.low - 1, 2 * right.high - 1
    value = moved.value * factor
    ends = (moved.low, moved.high) if factor >= 0 else (moved.high, moved.low)
    below, above = (
        math.hypot(moved.value * (factor - end), factor * (moved.value - share))
        for end, share in zip((low, high), ends, strict=True)
    )
    return IntervalEstimate(value, max(-1.0, value - below), min(1.0, value + above))


def skill_split(probabilities: Floats, labels: Ints, prior: Floats, cluster: Ints) -> SkillSplit | None:
    """Return the log loss saved in its parts, with 95 % intervals; None with fewer than two clusters.

    Args:
        probabilities: (n, 3).
        labels: realized class indices, (n,).
        prior: class shares of all training windows, (3,) or (n, 3).
        cluster: number of each prediction's cluster, (n,).
    """
    if not len(labels) or cluster.max() == cluster.min():
        return None
    parts = saved_parts(probabilities, labels, prior)
    columns = np.column_stack([parts.sum(axis=1), parts, np.ones(len(labels))])
    sums = np.stack([np.bincount(cluster, column).astype(np.float64) for column in columns.T], axis=1)
    total, flat, direction = (clustered_mean(sums[:, column], sums[:, 3]) for column in range(3))
    record = call_record(probabilities.argmax(axis=1), labels, cluster)
    return SkillSplit(total, flat, direction, record.moved_hit_rate)
