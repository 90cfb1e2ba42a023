"""Live calibration of a model's confidences, and drift of its inputs.

A model is out of calibration when on two consecutive sessions the 99 % interval of the last 60 sessions lies
wholly outside the calibration band. Everything is counted from outcomes, by session, so that the verdict is a
function of the journal and survives a restart.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from enum import IntEnum
from threading import Lock

import numpy as np

from glasstape_server.domain.arrays import Floats
from glasstape_server.domain.signals import Direction, Outcome
from glasstape_server.domain.statistics import block_sums, interval
from glasstape_server.signals.performance.track_record import session

SESSIONS = 60
"""Sessions that a verdict covers."""
BAND = 0.02
"""Calibration band: largest |realized share - mean confidence| of a calibrated model."""
LEVEL = 0.99
BLOCK = 5
"""Sessions per block of the bootstrap."""
DRAWS = 2000
NOVEL = 0.95
"""Novelty beyond which a window counts as novel: by definition so do 5 % of the validation windows."""
DRIFTED = 0.10
"""Inputs have drifted when the whole interval of the share of novel windows exceeds this."""


class State(IntEnum):
    """The verdict. Values as on the wire."""

    UNKNOWN = 1
    HOLDS = 2
    BROKEN = 3


@dataclass(frozen=True, slots=True)
class Estimate:
    """An estimate with its confidence interval."""

    value: float
    low: float
    high: float


@dataclass(frozen=True, slots=True)
class Live:
    """Live calibration of one model."""

    state: State
    sessions: int
    outcomes: int
    winner_gap: Estimate
    up_gap: Estimate
    novel_share: Estimate
    drifted: bool


class CalibrationWatch:
    """Counts outcomes by model and session. Counting is cheap; `judge` is not, and may run on another thread."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._days: dict[str, dict[int, Floats]] = {}
        self._judged: dict[str, Live] = {}
        self._changed: set[str] = set()

    def add(self, outcomes: Iterable[tuple[str, Outcome]]) -> None:
        """Count outcomes, in any order.

        Args:
            outcomes: digest of the model, and outcome.
        """
        counted: dict[str, dict[int, Floats]] = {}
        for digest, outcome in outcomes:
            confidence = outcome.confidence
            sums = counted.setdefault(digest, {}).setdefault(session(outcome.signal_close_time), np.zeros(6))
            sums += (
                1,
                outcome.hit,
                confidence.winning,
                outcome.realized is Direction.UP,
                confidence.up,
                confidence.novelty > NOVEL,
            )
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
            changed = {d: [sums for _, sums in sorted(self._days[d].items())] for d in self._changed}
            self._changed.clear()
        for digest, days in changed.items():
            self._judged[digest] = _judge(days)

    def of(self, digest: str) -> Live | None:
        """Return the newest verdict on a model with its figures; None without an outcome."""
        return self._judged.get(digest)

    def state(self, digest: str) -> State:
        """Return the verdict on a model."""
        live = self.of(digest)
        return State.UNKNOWN if live is None else live.state


def _judge(days: list[Floats]) -> Live:
    now = np.array(days[-SESSIONS:])
    winner, up, novel = _estimates(now)
    state = State.UNKNOWN
    if len(days) > SESSIONS:
        before = _estimates(np.array(days[-SESSIONS - 1 : -1]))
        broken = any(_outside(a) and _outside(b) for a, b in zip((winner, up), before[:2], strict=True))
        state = State.BROKEN if broken else State.HOLDS
    drifted = len(days) > SESSIONS and novel.low > DRIFTED
    return Live(state, len(now), int(now[:, 0].sum()), winner, up, novel, drifted)


def _estimates(days: Floats) -> tuple[Estimate, Estimate, Estimate]:
    """Return the gap of the winning class, the gap of UP, and the share of novel windows."""
    drawn = block_sums(days, BLOCK, DRAWS, seed=0)
    total = days.sum(axis=0)
    weights = np.array([[0, 1, -1, 0, 0, 0], [0, 0, 0, 1, -1, 0], [0, 0, 0, 0, 0, 1]])
    estimates = []
    for row in weights:
        low, high = interval(drawn @ row / drawn[:, 0], LEVEL)
        estimates.append(Estimate(float(total @ row / total[0]), low, high))
    return estimates[0], estimates[1], estimates[2]


def _outside(gap: Estimate) -> bool:
    return gap.low > BAND or gap.high < -BAND
