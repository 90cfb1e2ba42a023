"""Live calibration of a model's confidences.

Five gaps are watched: of the winning class, of each class, and of UP calls. Their 99 % intervals hold together at 95 %
(Bonferroni). Confidences *hold* when every interval lies within the calibration band, and are *broken* when on two
consecutive sessions one lies wholly outside it; otherwise the outcomes cannot tell. Everything is counted from
outcomes, by session, so that the verdict is a function of the journal and survives a restart.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from enum import IntEnum
from threading import Lock

import numpy as np

from glasstape_server.domain.arrays import Floats
from glasstape_server.domain.session_means import session_mean
from glasstape_server.domain.signals import Direction, Outcome
from glasstape_server.domain.statistics import IntervalEstimate
from glasstape_server.signals.performance.track_record import session

SESSIONS = 60
"""Sessions that a verdict covers, at most."""
MIN_SESSIONS = 20
"""Sessions from which on there is a verdict."""
BAND = 0.02
"""Calibration band: largest |realized share - mean confidence| of a calibrated model."""
LEVEL = 0.99
GAPS = ("winner", "down", "flat", "up", "up_call")
"""Gaps that are watched."""


class State(IntEnum):
    """The verdict. Values as on the wire."""

    UNKNOWN = 1
    HOLDS = 2
    BROKEN = 3
    UNDECIDED = 4


@dataclass(frozen=True, slots=True)
class Calibration:
    """Live calibration of one model: realized shares minus mean confidences, with 99 % intervals."""

    state: State
    sessions: int
    outcomes: int
    winner_gap: IntervalEstimate
    down_gap: IntervalEstimate
    flat_gap: IntervalEstimate
    up_gap: IntervalEstimate
    up_call_gap: IntervalEstimate | None
    """Of signals whose direction is UP; None: there was none."""


NO_OUTCOMES = Calibration(State.UNKNOWN, 0, 0, *(IntervalEstimate(0.0, -1.0, 1.0),) * 4, None)
"""Calibration of a model without outcomes."""


class CalibrationWatch:
    """Counts outcomes by model and session. Counting is cheap; `judge` is not, and may run on another thread."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._days: dict[str, dict[int, Floats]] = {}
        self._judged: dict[str, Calibration] = {}
        self._changed: set[str] = set()

    def add(self, outcomes: Iterable[tuple[str, Outcome]]) -> None:
        """Count outcomes, in any order.

        Args:
            outcomes: digest of the model, and outcome.
        """
        counted: dict[str, dict[int, Floats]] = {}
        for digest, outcome in outcomes:
            days = counted.setdefault(digest, {})
            day = session(outcome.signal_close_time)
            days[day] = days.get(day, 0.0) + _figures(outcome)
        with self._lock:
            for digest, days in counted.items():
                known = self._days.setdefault(digest, {})
                for day, sums in days.items():
                    known[day] = known.get(day, 0.0) + sums
                while len(known) > SESSIONS + 1:
                    del known[min(known)]
                self._changed.add(digest)

    def enough(self, digest: str) -> bool:
        """Return whether older outcomes of a model could no longer change its verdict."""
        with self._lock:
            return len(self._days.get(digest, ())) > SESSIONS

    def judge(self) -> None:
        """Update the verdict on every model whose outcomes have changed."""
        with self._lock:
            changed = {
                d: np.array([sums for _, sums in sorted(self._days[d].items())]) for d in self._changed
            }
            self._changed.clear()
        for digest, days in changed.items():
            self._judged[digest] = _judge(days)

    def of(self, digest: str) -> Calibration | None:
        """Return the newest verdict on a model with its figures; None without an outcome."""
        return self._judged.get(digest)


def _figures(outcome: Outcome) -> Floats:
    """Return whether each of `GAPS` counts, what came, what was stated, and the variance of what came, (gap, 4)."""
    confidence = outcome.confidence
    called = confidence.direction is Direction.UP
    rows = [
        (1.0, float(outcome.hit), confidence.winning),
        (1.0, float(outcome.realized is Direction.DOWN), confidence.down),
        (1.0, float(outcome.realized is Direction.FLAT), confidence.flat),
        (1.0, float(outcome.realized is Direction.UP), confidence.up),
        (float(called), called * float(outcome.realized is Direction.UP), called * confidence.up),
    ]
    return np.array([(*row, row[2] * (1 - row[2])) for row in rows])


def _judge(days: Floats) -> Calibration:
    """Return the verdict on sessions in order, (session, gap, figure)."""
    now = days[-SESSIONS:]
    gaps = _gaps(now)
    state = State.UNKNOWN
    if len(days) > MIN_SESSIONS:
        before = _gaps(days[-SESSIONS - 1 : -1])
        if any(_outside(gaps[name]) and _outside(before[name]) for name in gaps.keys() & before.keys()):
            state = State.BROKEN
        else:
            state = State.HOLDS if all(map(_inside, gaps.values())) else State.UNDECIDED
    return Calibration(
        state,
        len(now),
        int(now[:, 0, 0].sum()),
        gaps["winner"],
        gaps["down"],
        gaps["flat"],
        gaps["up"],
        gaps.get("up_call"),
    )


def _gaps(days: Floats) -> dict[str, IntervalEstimate]:
    """Return each gap for which something counts."""
    counted = {name: days[:, number] for number, name in enumerate(GAPS)}
    return {name: _gap(figures) for name, figures in counted.items() if figures[:, 0].any()}


def _gap(days: Floats) -> IntervalEstimate:
    """Return a gap.

    Args:
        days: number, what came, what was stated and its variance, (session, 4).
    """
    counts, came, stated, variance = days[days[:, 0] > 0].T
    least = float(variance.sum() / counts.sum() ** 2)
    return session_mean(came - stated, counts, least).interval(LEVEL, (-1.0, 1.0))


def _outside(gap: IntervalEstimate) -> bool:
    return gap.low > BAND or gap.high < -BAND


def _inside(gap: IntervalEstimate) -> bool:
    return -BAND <= gap.low <= gap.high <= BAND
