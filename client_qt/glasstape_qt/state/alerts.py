"""When the desktop may ring: a symbol *enters* UP above the threshold, and nothing else does."""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from datetime import time as clock

from glasstape import DataState, Direction

from glasstape_qt.state.rows import Row

CROWD = 3
"""More symbols than this at once are one line."""


@dataclass(frozen=True)
class Rules:
    """What the trader wants to hear."""

    threshold: float | None = None
    """Least confidence of UP; None: the model's own (P95 of its validation)."""
    muted: bool = False
    sound: bool = True
    notify: bool = True
    replays: bool = False
    """Ring for replayed markets too."""
    every: float = 20.0
    """Least seconds between two notifications of the system, and between two sounds."""
    quiet_from: clock | None = None
    quiet_until: clock | None = None
    """Local time; across midnight if it begins later than it ends."""

    def quiet(self, now: datetime) -> bool:
        """Whether it is a quiet hour."""
        begin, end = self.quiet_from, self.quiet_until
        if begin is None or end is None or begin == end:
            return False
        here = now.time()
        return begin <= here < end if begin < end else here >= begin or here < end


@dataclass(frozen=True)
class Line:
    """What the alert line says: one symbol, or a crowd of them."""

    rows: tuple[Row, ...]
    backlog: bool
    """They entered while nobody was connected."""


@dataclass(frozen=True)
class Call:
    """What is said out loud, at most every so often."""

    rows: tuple[Row, ...]
    sound: bool
    notify: bool


@dataclass
class Alerts:
    """Collects entries into UP, and says what to do about them."""

    rules: Rules = field(default_factory=Rules)
    now: Callable[[], float] = time.monotonic
    _entered: list[tuple[Row, bool]] = field(default_factory=list)
    _waiting: list[Row] = field(default_factory=list)
    _called: float = float("-inf")

    def threshold(self, row: Row) -> float:
        """Least confidence of UP that alerts."""
        if self.rules.threshold is not None:
            return self.rules.threshold
        return row.model.alert_threshold if row.model is not None else 1.1

    def above(self, row: Row) -> bool:
        """Whether a row stands in UP above the threshold."""
        said = row.event.signal.confidence
        return said.direction is Direction.UP and not said.abstained and said.up >= self.threshold(row)

    def consider(
        self, before: Row | None, row: Row, *, market_now: datetime, snoozed: bool, backlog: bool
    ) -> bool:
        """A row stands `above`; returns whether its symbol has just entered, so that it may flash."""
        event, state = row.event, row.event.signal.data_state
        if event.snapshot or snoozed:
            return False
        if before is not None and not before.old and self.above(before):
            return False
        if state is DataState.STALE or event.signal.expire_time <= market_now:
            return False
        if state is DataState.REPLAY and not self.rules.replays:
            return False
        self._entered.append((row, backlog))
        return not backlog

    def collect(
        self, rows: Mapping[str, Row], market_now: datetime, local_now: datetime
    ) -> tuple[list[Line], Call | None]:
        """Lines since the last time, one for a crowd or a backlog; and what to say out loud, if anything.

        Args:
            rows: how every symbol stands now: what has left UP meanwhile is not called.
            market_now: on the market's clock.
            local_now: on the wall, for quiet hours.
        """
        entered, self._entered = self._entered, []
        if self.rules.muted or self.rules.quiet(local_now):
            self._waiting = []
        else:
            self._waiting += [row for row, _ in entered]
        lines = []
        for backlog in (True, False):
            group = tuple(row for row, late in entered if late is backlog)
            together = len(group) > CROWD or backlog
            lines += [
                Line(part, backlog) for part in ([group] if together else [(row,) for row in group]) if part
            ]
        return lines, self._call(rows, market_now)

    def _call(self, rows: Mapping[str, Row], market_now: datetime) -> Call | None:
        if not self._waiting or self.now() - self._called < self.rules.every:
            return None
        waiting, self._waiting = self._waiting, []
        standing = [rows[row.symbol] for row in waiting if row.symbol in rows]
        standing = [row for row in standing if self.above(row) and row.event.signal.expire_time > market_now]
        if not standing or not (self.rules.sound or self.rules.notify):
            return None
        self._called = self.now()
        return Call(tuple(standing), self.rules.sound, self.rules.notify)
