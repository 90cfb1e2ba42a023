"""Whether a model's confidences still mean what they say, and whether its inputs are still those it learnt.

A model is out of calibration when on two consecutive sessions the 99 % interval of the last 60 sessions lies
wholly outside the band that confidences are said to keep. Everything is counted from outcomes, by session, so
that the verdict survives a restart: it is a function of the journal.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from enum import IntEnum
from threading import Lock

import numpy as np

from glasstape_server.domain.statistics import block_sums, interval
from glasstape_server.domain.values import Direction, Floats, Outcome
from glasstape_server.signals.performance.track_record import session

SESSIONS = 60
"""Sessions that a verdict looks at."""
BAND = 0.02
"""Largest |realised share - mean confidence| that is called calibrated."""
LEVEL = 0.99
BLOCK = 5
"""Sessions that are drawn together."""
DRAWS = 2000
NOVEL = 0.95
"""Novelty beyond which a window counts as novel: by definition 5 % of the validation windows do."""
DRIFTED = 0.10
"""Share of novel windows that the whole interval must exceed before inputs are said to have drifted."""


class State(IntEnum):
    """The verdict. Values as on the wire."""

    UNKNOWN = 1
    HOLDS = 2
    BROKEN = 3


@dataclass(frozen=True, slots=True)
class Estimate:
    """A figure with its interval."""

    value: float
    low: float
    high: float


@dataclass(frozen=True, slots=True)
class Live:
    """What the outcomes of one model say."""

    state: State
    sessions: int
    outcomes: int
    winner_gap: Estimate
    up_gap: Estimate
    novel_share: Estimate
    drifted: bool


class CalibrationWatch:
    """Counts outcomes by model and session. Counting is cheap; judging is not, and may run in another thread."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._days: dict[str, dict[int, Floats]] = {}
        self._judged: dict[str, Live] = {}
        self._changed: set[str] = set()

    def add(self, outcomes: Iterable[tuple[str, Outcome]]) -> None:
        """Count outcomes, in any order, with the digests of their models."""
        counted: dict[str, dict[int, Floats]] = {}
        for digest, outcome in outcomes:
            said = outcome.confidence
            sums = counted.setdefault(digest, {}).setdefault(session(outcome.signal_close_time), np.zeros(6))
            sums += (
                1,
                outcome.hit,
                said.winning,
                outcome.realised is Direction.UP,
                said.up,
                said.novelty > NOVEL,
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
        """Whether older outcomes of a model could change nothing any more."""
        with self._lock:
            return len(self._days.get(digest, ())) > SESSIONS

    def judge(self) -> None:
        """Judge every model whose outcomes have changed."""
        with self._lock:
            changed = {d: [sums for _, sums in sorted(self._days[d].items())] for d in self._changed}
            self._changed.clear()
        for digest, days in changed.items():
            self._judged[digest] = _judge(days)

    def of(self, digest: str) -> Live | None:
        """What was last judged of a model; None without an outcome."""
        return self._judged.get(digest)

    def state(self, digest: str) -> State:
        """The verdict on a model."""
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
    """Gap of the winning class, gap of UP, share of novel windows."""
    drawn = block_sums(days, BLOCK, DRAWS, seed=0)
    total = days.sum(axis=0)
    weights = np.array([[0, 1, -1, 0, 0, 0], [0, 0, 0, 1, -1, 0], [0, 0, 0, 0, 0, 1]])
    found = []
    for row in weights:
        low, high = interval(drawn @ row / drawn[:, 0], LEVEL)
        found.append(Estimate(float(total @ row / total[0]), low, high))
    return found[0], found[1], found[2]


def _outside(gap: Estimate) -> bool:
    return gap.low > BAND or gap.high < -BAND
