"""Mean return of calls: its interval, and the sessions that carry it."""

from dataclasses import dataclass

import numpy as np

from glasstape_server.domain.arrays import Floats, Ints
from glasstape_server.domain.statistics import block_sums, interval

BLOCK = 5
"""Clusters per block of the bootstrap, where there are `BLOCKS` such blocks; one otherwise."""
BLOCKS = 10
DRAWS = 1000
MAX_CARRYING = 5
"""Sessions that are named, at most."""


@dataclass(frozen=True, slots=True)
class CarryingSession:
    """A session that the mean return rests on."""

    session: int
    """UTC day, counted from 1970."""
    calls: int
    total: float
    """Sum of the log returns of its calls."""
    mean_without: float
    """Mean log return of the calls without this session and those named before it; 0 if none is left."""


@dataclass(frozen=True, slots=True)
class Returns:
    """Log returns of calls in the called direction."""

    mean: float
    bounds: tuple[float, float] | None
    """95 % interval of the mean. None: fewer than two clusters."""
    carried_by: tuple[CarryingSession, ...]
    """The sessions that contribute most to the mean, until it is 0 or has the other sign without them."""


def returns_of(log_returns: Floats, session: Ints, cluster: Ints) -> Returns:
    """Return the figures of calls.

    The interval is a circular block bootstrap of sessions, or of runs of sessions where labels overlap.

    Args:
        log_returns: in the called direction, (n,).
        session: of each call, (n,).
        cluster: of each call, numbered from 0, (n,); see `domain.skill.clusters`.
    """
    if not len(log_returns):
        return Returns(0.0, None, ())
    mean = float(log_returns.mean())
    return Returns(mean, _bounds(log_returns, cluster), _carried_by(log_returns, session))


def _bounds(log_returns: Floats, cluster: Ints) -> tuple[float, float] | None:
    counts = np.bincount(cluster)
    sums = np.stack([np.bincount(cluster, log_returns), counts.astype(np.float64)], axis=1)[counts > 0]
    if len(sums) < 2:
        return None
    block = BLOCK if len(sums) >= BLOCK * BLOCKS else 1
    drawn = block_sums(sums, block, DRAWS, seed=0)
    return interval(drawn[:, 0] / drawn[:, 1], blocks=len(sums) // block)


def _carried_by(log_returns: Floats, session: Ints) -> tuple[CarryingSession, ...]:
    days, number = np.unique(session, return_inverse=True)
    sums, counts = np.bincount(number, log_returns), np.bincount(number)
    total, calls = float(sums.sum()), len(log_returns)
    sign = 1 if total > 0 else -1
    carrying: list[CarryingSession] = []
    for place in np.argsort(-sign * sums, kind="stable")[:MAX_CARRYING].tolist():
        if sign * total <= 0:
            break
        total, calls = total - float(sums[place]), calls - int(counts[place])
        mean = total / calls if calls else 0.0
        carrying.append(CarryingSession(int(days[place]), int(counts[place]), float(sums[place]), mean))
    return tuple(carrying)
