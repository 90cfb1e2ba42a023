"""The alerts of this run: none is lost when the next one arrives."""

from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace

from glasstape_qt.state.alerts import AlertGroup
from glasstape_qt.state.watch_row import WatchRow

MAX_ALERTS = 500


@dataclass(frozen=True, slots=True)
class AlertEntry:
    """One symbol that entered UP."""

    number: int
    """Grows with each alert."""
    row: WatchRow
    """The symbol's row at that moment."""
    backlog: bool
    """It entered UP while the desktop was disconnected."""
    seen: bool = False


class AlertLog:
    """The newest alerts, newest first."""

    def __init__(self) -> None:
        self._entries: deque[AlertEntry] = deque(maxlen=MAX_ALERTS)
        self._count = 0

    def __iter__(self) -> Iterator[AlertEntry]:
        return iter(self._entries)

    def __len__(self) -> int:
        return len(self._entries)

    @property
    def unseen(self) -> int:
        """Number of alerts that the user has not seen."""
        return sum(not entry.seen for entry in self._entries)

    def add(self, groups: Iterable[AlertGroup]) -> None:
        """Add the symbols of alerts."""
        for group in groups:
            for row in group.rows:
                self._count += 1
                self._entries.appendleft(AlertEntry(self._count, row, group.backlog))

    def mark_seen(self, number: int | None = None) -> None:
        """Mark an alert as seen; None: all."""
        marked = [
            replace(entry, seen=True) if number is None or entry.number == number else entry
            for entry in self._entries
        ]
        self._entries = deque(marked, maxlen=MAX_ALERTS)

    def clear(self) -> None:
        """Remove every alert: the server changes."""
        self._entries.clear()
