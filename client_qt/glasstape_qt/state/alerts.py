"""Alert rules: a symbol alerts when its class *becomes* UP above the threshold, and at no other time."""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from datetime import time as clock

from glasstape import DataState, Direction

from glasstape_qt.state.watch_row import WatchRow

GROUP_ABOVE = 3
"""More symbols than this that enter UP together share one alert."""


@dataclass(frozen=True)
class AlertRules:
    """When to alert, and how."""

    threshold: float | None = None
    """Minimum confidence of UP; None: the model's own (P95 of its validation)."""
    muted: bool = False
    sound: bool = True
    notify: bool = True
    replays: bool = False
    """Alert for replayed markets too."""
    every: float = 20.0
    """Minimum seconds between two notifications."""
    quiet_from: clock | None = None
    quiet_until: clock | None = None
    """Local time; crosses midnight if it starts later than it ends."""

    def quiet(self, now: datetime) -> bool:
        """Return whether `now` (local time) lies in the quiet hours."""
        begin, end = self.quiet_from, self.quiet_until
        if begin is None or end is None or begin == end:
            return False
        local = now.time()
        return begin <= local < end if begin < end else local >= begin or local < end


@dataclass(frozen=True)
class AlertGroup:
    """Symbols that share one line of the alert line."""

    rows: tuple[WatchRow, ...]
    backlog: bool
    """They entered UP while the desktop was disconnected."""


@dataclass(frozen=True)
class AlertNotification:
    """A sound and a system notification, limited by `AlertRules.every`."""

    rows: tuple[WatchRow, ...]
    sound: bool
    notify: bool


@dataclass
class AlertTracker:
    """Collects symbols that enter UP and decides what to alert. `now` is a monotonic clock in seconds."""

    rules: AlertRules = field(default_factory=AlertRules)
    now: Callable[[], float] = time.monotonic
    _entered: list[tuple[WatchRow, bool]] = field(default_factory=list)
    _pending: list[WatchRow] = field(default_factory=list)
    _last_notified: float = float("-inf")

    def threshold(self, row: WatchRow) -> float:
        """Return the minimum confidence of UP that alerts for this row."""
        if self.rules.threshold is not None:
            return self.rules.threshold
        return row.model.alert_threshold if row.model is not None else 1.1

    def is_above(self, row: WatchRow) -> bool:
        """Return whether a row is UP, not abstained, and at or above the threshold."""
        confidence = row.event.signal.probabilities
        is_up = confidence.direction is Direction.UP and not confidence.abstained
        return is_up and confidence.up >= self.threshold(row)

    def consider(
        self, before: WatchRow | None, row: WatchRow, *, market_now: datetime, snoozed: bool, backlog: bool
    ) -> bool:
        """Record a row that `is_above` if it has just entered UP; return whether it may flash.

        Args:
            before: the symbol's previous row; None if it had none.
            row: its new row.
            market_now: time on the market's clock.
            snoozed: alerts of this symbol are snoozed.
            backlog: the signal is from before the desktop was connected.
        """
        event, state = row.event, row.event.signal.data_state
        if event.snapshot or snoozed:
            return False
        if before is not None and not before.old and self.is_above(before):
            return False
        if state is DataState.STALE or event.signal.expire_time <= market_now:
            return False
        if state is DataState.REPLAY and not self.rules.replays:
            return False
        self._entered.append((row, backlog))
        return not backlog

    def collect(
        self, rows: Mapping[str, WatchRow], market_now: datetime, local_now: datetime
    ) -> tuple[list[AlertGroup], AlertNotification | None]:
        """Return the alerts since the last call, and the notification that is due, if any.

        Args:
            rows: current row of every symbol: a symbol that has left UP is not notified.
            market_now: time on the market's clock.
            local_now: local time, for quiet hours.
        """
        entered, self._entered = self._entered, []
        if self.rules.muted or self.rules.quiet(local_now):
            self._pending = []
        else:
            self._pending += [row for row, _ in entered]
        groups = []
        for backlog in (True, False):
            group = tuple(row for row, late in entered if late is backlog)
            grouped = len(group) > GROUP_ABOVE or backlog
            parts = [group] if grouped else [(row,) for row in group]
            groups += [AlertGroup(part, backlog) for part in parts if part]
        return groups, self._notification(rows, market_now)

    def _notification(self, rows: Mapping[str, WatchRow], market_now: datetime) -> AlertNotification | None:
        if not self._pending or self.now() - self._last_notified < self.rules.every:
            return None
        pending, self._pending = self._pending, []
        current = [rows[row.symbol] for row in pending if row.symbol in rows]
        current = [row for row in current if self.is_above(row) and row.event.signal.expire_time > market_now]
        if not current or not (self.rules.sound or self.rules.notify):
            return None
        self._last_notified = self.now()
        return AlertNotification(tuple(current), self.rules.sound, self.rules.notify)
