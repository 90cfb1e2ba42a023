"""Signals whose horizon has not passed, by series."""

from collections.abc import Callable, Iterable

from glasstape_server.domain.values import Event, Floats, Outcome, Signal
from glasstape_server.signals.journal.records import SeriesKey
from glasstape_server.signals.outcomes import resolve

Resolved = tuple[Event, Outcome]
"""A confidence event with its outcome."""


class OpenSignals:
    """Confidence events that wait for their outcome."""

    def __init__(self, events: Iterable[Event] = ()) -> None:
        self._by_series: dict[SeriesKey, list[Event]] = {}
        self.add(events)

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
