"""Outcomes of signals, resolved by bar count, and the signals that wait for one."""

from collections.abc import Callable, Hashable, Iterable, Sequence
from typing import Generic, NamedTuple, TypeVar

import numpy as np
from numpy.typing import NDArray

from glasstape_server.domain.arrays import Floats, Ints
from glasstape_server.domain.bars import SeriesKey
from glasstape_server.domain.signals import Entry, Event, LabelKind, ModelRef, Signal
from glasstape_server.features.labels import realized
from glasstape_server.signals.columns import Confidences, Outcomes, Signals

T = TypeVar("T", bound=Hashable)

Since = Callable[[SeriesKey, int, int], Floats]
"""Returns up to so many bars of a series from a close time on, (6, bar)."""

_ROW = np.dtype(
    [
        ("series", np.int64),
        ("horizon", np.int64),
        ("model", np.int64),
        ("sequence", np.int64),
        ("close_time", np.int64),
        ("flat_threshold", np.float64),
        ("probabilities", np.float64, 3),
        ("abstained", np.bool_),
        ("novelty", np.float64),
    ]
)
"""A signal without an outcome; series, horizon and model by number."""


class Horizon(NamedTuple):
    """What decides the outcome of a signal."""

    kind: LabelKind
    entry: Entry
    bars: int


class OpenSignals:
    """Confidences that wait for their outcome, as one array in the order in which they were added."""

    def __init__(self, events: Iterable[Event] = ()) -> None:
        """Begin with confidence events."""
        self._series = _Numbers[SeriesKey]()
        self._horizons = _Numbers[Horizon]()
        self._models = _Numbers[ModelRef]()
        self._rows = np.array([self._row(event) for event in events], _ROW)

    def __len__(self) -> int:
        """Return the number of signals without an outcome."""
        return len(self._rows)

    def add(self, signals: Signals, sequence: Ints) -> None:
        """Add signals with the sequences of their confidences, (n,)."""
        closed, stated, rule = signals.closed, signals.confidences, signals.rule
        rows = np.empty(len(signals), _ROW)
        rows["series"] = [self._series.of(key) for key in closed.keys]
        rows["horizon"] = self._horizons.of(Horizon(rule.kind, rule.entry, rule.horizon_bars))
        rows["model"] = self._models.of(signals.model)
        rows["sequence"], rows["close_time"] = sequence, closed.close_time
        rows["flat_threshold"] = closed.flat_threshold
        rows["probabilities"] = stated.probabilities
        rows["abstained"], rows["novelty"] = stated.abstained, stated.novelty
        self._rows = np.concatenate([self._rows, rows])

    def remove(self, sequences: Ints) -> None:
        """Remove those that were resolved."""
        self._rows = self._rows[~np.isin(self._rows["sequence"], sequences)]

    def resolve(self, keys: Sequence[SeriesKey], close_time: Ints, bars: Floats, since: Since) -> Outcomes:
        """Return the outcomes of those of some series whose horizon has passed: by series, then as they were added.

        Args:
            keys: the series.
            close_time: close of the newest bar of each, which resolves its signals.
            bars: newest usable bars of each up to then, (series, 6, bar): close time, open, high, low, close, volume;
                right-aligned, NaN where a series has fewer.
            since: for signals that are older.
        """
        place = np.full(len(self._series.values), -1)
        for number, key in enumerate(keys):
            if (series := self._series.find(key)) is not None:
                place[series] = number
        places = place[self._rows["series"]]
        waiting = np.flatnonzero(places >= 0)
        waiting = waiting[np.argsort(places[waiting], kind="stable")]
        rows, places = self._rows[waiting], places[waiting]
        classes, returns = self._realized(rows, bars[places, 0], bars[places, 4])
        first = np.fmin.reduce(bars[:, 0], axis=1, initial=np.inf)
        for row in np.flatnonzero(rows["close_time"] < first[places]).tolist():
            key, horizon = keys[places[row]], self._horizons.values[rows[row]["horizon"]]
            older = since(key, int(rows[row]["close_time"]), int(horizon.entry) + horizon.bars + 1)
            one = self._realized(rows[row : row + 1], older[None, 0], older[None, 4])
            classes[row : row + 1], returns[row : row + 1] = one
        done = np.flatnonzero(classes >= 0)
        rows, places = rows[done], places[done]
        return Outcomes(
            [keys[number] for number in places.tolist()],
            [self._models.values[number] for number in rows["model"].tolist()],
            close_time[places],
            rows["sequence"],
            rows["close_time"],
            classes[done],
            returns[done],
            Confidences(rows["probabilities"], rows["abstained"], rows["novelty"]),
        )

    def _row(self, event: Event) -> tuple[object, ...]:
        signal = event.body
        assert isinstance(signal, Signal)
        stated, horizon = signal.confidence, Horizon(signal.label_kind, signal.entry, signal.horizon_bars)
        return (
            self._series.of((event.symbol, event.interval)), self._horizons.of(horizon),
            self._models.of(event.model), event.sequence, event.bar_close_time, signal.flat_threshold,
            (stated.down, stated.flat, stated.up), stated.abstained, stated.novelty,
        )  # fmt: skip

    def _realized(self, rows: NDArray[np.void], times: Floats, closes: Floats) -> tuple[Ints, Floats]:
        """Return class index and log return of each signal, (n,); -1 and NaN where the future is not known.

        Args:
            rows: signals.
            times: close times of the bars of each one's series, (n, bar), NaN where there is none.
            closes: their closes.
        """
        classes, returns = np.full(len(rows), -1), np.full(len(rows), np.nan)
        known = ~np.isnan(times)
        at_or_before = (known & (times <= rows["close_time"][:, None])).sum(axis=1)
        # The newest bar up to the signal's: its own, or the one before if a correction halted it.
        start = times.shape[1] - known.sum(axis=1) + at_or_before - 1
        for number, (kind, entry, bars) in enumerate(self._horizons.values):
            ends = start + int(entry) + bars
            chosen = np.flatnonzero(
                (rows["horizon"] == number) & (at_or_before > 0) & (ends < times.shape[1])
            )
            if len(chosen):
                path = start[chosen, None] + np.arange(int(entry), int(entry) + bars + 1)
                logs = np.log(closes[chosen[:, None], path])
                threshold = rows["flat_threshold"][chosen]
                classes[chosen], returns[chosen] = realized(kind, logs[:, 1:] - logs[:, :1], threshold)
        return classes, returns


class _Numbers(Generic[T]):
    """Values by number, each once."""

    def __init__(self) -> None:
        self.values: list[T] = []
        self._numbers: dict[T, int] = {}

    def of(self, value: T) -> int:
        """Return the number of a value, which gets one if it is new."""
        number = self._numbers.setdefault(value, len(self.values))
        if number == len(self.values):
            self.values.append(value)
        return number

    def find(self, value: T) -> int | None:
        """Return the number of a value; None if it has none."""
        return self._numbers.get(value)
