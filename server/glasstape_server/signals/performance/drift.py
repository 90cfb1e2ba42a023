"""Drift: whether the inputs of a model still resemble its training data.

Two checks, from `MIN_SESSIONS` sessions of signals on. The share of novel windows: by definition 5 % of the validation
windows are novel, and inputs have drifted when the whole interval lies above `NOVEL_LIMIT`. The means of the features
in the newest bar of each window against those in training: a mean has shifted when it is significantly farther away
than `SHIFT_LIMIT` standard deviations, corrected for the number of features (Holm 1979, "A simple sequentially
rejective multiple test procedure"). The limits keep what markets usually do, such as volatile weeks, from counting.
"""

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from threading import Lock

import numpy as np

from glasstape_server.domain.arrays import Float32s, Floats, Ints
from glasstape_server.domain.session_means import MIN_COSINES, SessionMean, session_mean
from glasstape_server.domain.statistics import IntervalEstimate
from glasstape_server.domain.training_reference import TrainingReference
from glasstape_server.signals.performance.track_record import session

SESSIONS = 60
"""Sessions that a verdict covers, at most."""
MIN_SESSIONS = 10
"""Sessions from which on there is a verdict."""
NOVEL = 0.95
"""Novelty beyond which a window counts as novel."""
NOVEL_LIMIT = 0.10
"""Share of novel windows that the whole interval must exceed."""
SHIFT_LIMIT = 0.25
"""Distance of a feature's mean from that of training that must be exceeded, in standard deviations."""
KNOWN = 1_000_000
"""Degrees of freedom of a standard error that is not estimated."""
NOVEL_LEVEL = 0.98
"""Of the interval of the share of novel windows."""
SHIFT_LEVEL = 0.99
"""Of the intervals of shifts. The tests are one-sided, at half of the rest for all features together."""


@dataclass(frozen=True, slots=True)
class FeatureShift:
    """Mean of a feature minus that of training, in standard deviations of training, with a 99 % interval."""

    feature: str
    shift: IntervalEstimate
    significant: bool
    """Farther from 0 than `SHIFT_LIMIT`, corrected for the number of features."""


@dataclass(frozen=True, slots=True)
class Drift:
    """Inputs of one model against its training data."""

    sessions: int
    windows: int
    novel_share: IntervalEstimate
    drifted: bool
    shifts: tuple[FeatureShift, ...]
    """In the model's order; empty if its training statistics are not known, or the sessions are too few."""

    @property
    def text(self) -> str:
        """What has drifted, in one sentence without a figure that changes at every close."""
        shifted = ", ".join(shift.feature for shift in self.shifts if shift.significant)
        if shifted:
            return f"its inputs no longer resemble its training data: the mean of {shifted} has shifted"
        return "its inputs no longer resemble its training data: too many windows are novel"


@dataclass(slots=True)
class _Session:
    """Sums over the windows of one session."""

    windows: int = 0
    novel: int = 0
    compared: int = 0
    """Windows whose features are summed."""
    closes: frozenset[int] = frozenset()
    """Closes of these windows, microseconds."""
    features: Floats | float = 0.0
    """Sums of the features of the newest bar, (feature,); 0 without a window."""

    def add(self, novelty: Floats, newest: Sequence[Float32s], closes: Iterable[int]) -> None:
        """Add windows, and the newest bars of those that are known, with their closes."""
        self.windows += len(novelty)
        self.novel += int((novelty > NOVEL).sum())
        self.compared += len(newest)
        if newest:
            self.features = self.features + np.sum(newest, axis=0, dtype=np.float64)
            self.closes = self.closes.union(closes)


class DriftWatch:
    """Counts signals by model and session. Any thread may count or judge."""

    def __init__(self, reference: Callable[[str], TrainingReference | None]) -> None:
        """Begin with nothing.

        Args:
            reference: statistics of the training windows of a model, by digest; None if they are not known.
        """
        self._reference = reference
        self._lock = Lock()
        self._sessions: dict[str, dict[int, _Session]] = {}
        self._judged: dict[str, Drift] = {}
        self._changed: set[str] = set()

    def add(self, digest: str, close_time: Ints, novelty: Floats, newest: Sequence[Float32s | None]) -> None:
        """Count signals of one model.

        Args:
            digest: of the model.
            close_time: of the signals, microseconds, (n,).
            novelty: of their windows, (n,).
            newest: features of the newest bar of each window, (feature,); None: not known, and not counted.
        """
        numbers = np.array([session(int(time)) for time in close_time], dtype=np.int64)
        with self._lock:
            known = self._sessions.setdefault(digest, {})
            for number in np.unique(numbers).tolist():
                rows = np.flatnonzero(numbers == number)
                features = {row: bar for row in rows.tolist() if (bar := newest[row]) is not None}
                closes = close_time[list(features)].tolist()
                known.setdefault(number, _Session()).add(novelty[rows], list(features.values()), closes)
            while len(known) > SESSIONS:
                del known[min(known)]
            self._changed.add(digest)

    def enough(self, digest: str, close_time: int) -> bool:
        """Return whether signals up to a close could no longer change the verdict on a model."""
        with self._lock:
            known = self._sessions.get(digest, {})
            return len(known) >= SESSIONS and session(close_time) < min(known)

    def judge(self) -> None:
        """Update the verdict on every model with new signals."""
        with self._lock:
            changed = {
                digest: [replace(sums) for _, sums in sorted(self._sessions[digest].items())]
                for digest in self._changed
            }
            self._changed.clear()
        for digest, sessions in changed.items():
            self._judged[digest] = _judge(sessions, self._reference(digest))

    def of(self, digest: str) -> Drift | None:
        """Return the newest verdict on a model; None without a signal."""
        return self._judged.get(digest)


def _judge(sessions: Sequence[_Session], reference: TrainingReference | None) -> Drift:
    """Return the verdict on sessions in order."""
    windows = np.array([each.windows for each in sessions], dtype=np.float64)
    share = session_mean(np.array([each.novel for each in sessions], dtype=np.float64), windows)
    novel = share.interval(NOVEL_LEVEL, (0.0, 1.0))
    shifts = () if reference is None else _shifts([s for s in sessions if s.compared], reference)
    drifted = len(sessions) >= MIN_SESSIONS and (
        novel.low > NOVEL_LIMIT or any(shift.significant for shift in shifts)
    )
    return Drift(len(sessions), int(windows.sum()), novel, drifted, shifts)


def _shifts(sessions: Sequence[_Session], reference: TrainingReference) -> tuple[FeatureShift, ...]:
    """Return the shift of each feature; none for few sessions.

    A mean has two standard errors, of which the less favorable counts: that of the sessions, and that of a feature
    which is the same for all symbols and persists from bar to bar as in training. Few sessions do not show the latter:
    a rally of ten sessions has one direction.
    """
    if len(sessions) <= MIN_COSINES:
        return ()
    counts = np.array([each.compared for each in sessions], dtype=np.float64)
    sums = np.array([each.features for each in sessions]) - counts[:, None] * reference.mean
    closes = sum(len(each.closes) for each in sessions)
    # The mean of training has an error, too: that of as many sessions as it has.
    widening = math.sqrt(1 + len(sessions) / max(reference.sessions, 1))
    pairs = []
    for column, persistence in zip((sums / reference.deviation).T, reference.persistence, strict=True):
        mean = session_mean(column, counts)
        common = math.sqrt(persistent_variance(closes, float(persistence)))
        errors = ((mean.error, mean.degrees), (common, KNOWN))
        pairs.append([SessionMean(mean.value, widening * error, degrees) for error, degrees in errors])
    p_values = [max(replace(m, value=abs(m.value)).p_above(SHIFT_LIMIT) for m in pair) for pair in pairs]
    enough = len(sessions) >= MIN_SESSIONS
    rejected = holm(np.array(p_values), (1 - SHIFT_LEVEL) / 2)
    return tuple(
        FeatureShift(name, _widest(pair), bool(enough and wrong))
        for name, pair, wrong in zip(reference.names, pairs, rejected, strict=True)
    )


def _widest(means: Iterable[SessionMean]) -> IntervalEstimate:
    intervals = [mean.interval(SHIFT_LEVEL, (-math.inf, math.inf)) for mean in means]
    return max(intervals, key=lambda interval: interval.high - interval.low)


def persistent_variance(count: int, persistence: float) -> float:
    """Return the variance of the mean of so many values of a first-order autoregressive series of unit variance."""
    rest = 1 - persistence
    return ((1 + persistence) / rest - 2 * persistence * (1 - persistence**count) / (count * rest**2)) / count


def holm(p_values: Floats, level: float) -> list[bool]:
    """Return which hypotheses Holm's step-down procedure rejects at a family-wise level."""
    rejected = [False] * len(p_values)
    for rank, place in enumerate(np.argsort(p_values, kind="stable").tolist()):
        if p_values[place] > level / (len(p_values) - rank):
            break
        rejected[place] = True
    return rejected
