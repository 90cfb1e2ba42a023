"""Outcomes of signals, resolved by bar count, and the signals that wait for one."""

from collections.abc import Callable, Iterable

import numpy as np

from glasstape_server.domain.arrays import Floats
from glasstape_server.domain.bars import SeriesKey
from glasstape_server.domain.signals import Direction, Event, Outcome, Signal
from glasstape_server.features.labels import realized


def resolve(event: Event, columns: Floats) -> Outcome | None:
    """Return the outcome of a confidence event, if its horizon has passed.

    Args:
        event: the confidence.
        columns: bars of its series up to now, (6, bar): close time, open, high, low, close, volume.

    Returns:
        The outcome, or None while the future is not known.
    """
    signal = event.body
    assert isinstance(signal, Signal)
    # The newest bar up to the signal's: its own, or the one before if a correction halted it.
    start = int(columns[0].searchsorted(event.bar_close_time, side="right")) - 1
    end = start + int(signal.entry) + signal.horizon_bars
    if start < 0 or end >= columns.shape[1]:
        return None
    closes = np.log(columns[4, start + int(signal.entry) : end + 1])
    paths, threshold = (closes[1:] - closes[0])[None], np.array([signal.flat_threshold])
    (class_index,), (log_return,) = realized(signal.label_kind, paths, threshold)
    return Outcome(
        confidence_sequence=event.sequence,
        signal_close_time=event.bar_close_time,
        predicted=signal.confidence.direction,
        realized=Direction(class_index),
        realized_return=float(log_return),
        confidence=signal.confidence,
    )


Resolved = tuple[Event, Outcome]
"""A confidence event with its outcome."""


class OpenSignals:
    """Confidence events that wait for their outcome."""

    def __init__(self, events: Iterable[Event] = ()) -> None:
        self._by_series: dict[SeriesKey, list[Event]] = {}
        self.add(events)

    def __len__(self) -> int:
        """Return the number of signals without an outcome."""
        return sum(map(len, self._by_series.values()))

    def add(self, events: Iterable[Event]) -> None:
        """Add confidence events."""
        for event in events:
            self._by_series.setdefault((event.symbol, event.interval), []).append(event)

    def remove(self, resolved: Iterable[Event]) -> None:
        """Remove events that were resolved."""
        done: dict[SeriesKey, set[int]] = {}
        for event in resolved:
            done.setdefault((event.symbol, event.interval), set()).add(event.sequence)
        for key, sequences in done.items():
            self._by_series[key] = [e for e in self._by_series[key] if e.sequence not in sequences]

    def resolve(
        self, key: SeriesKey, columns: Floats, since: Callable[[SeriesKey, int, int], Floats]
    ) -> list[Resolved]:
        """Return those of a series whose horizon has passed, with their outcomes.

        Args:
            key: the series.
            columns: its newest bars, (6, bar).
            since: up to so many bars of a series from a close time on, for signals that are older.
        """
        resolved = []
        for event in self._by_series.get(key, ()):
            assert isinstance(event.body, Signal)
            bars = columns
            if not columns.shape[1] or event.bar_close_time < columns[0, 0]:
                ahead = int(event.body.entry) + event.body.horizon_bars
                bars = since(key, event.bar_close_time, ahead + 1)
            outcome = resolve(event, bars)
            if outcome is not None:
                resolved.append((event, outcome))
        return resolved
