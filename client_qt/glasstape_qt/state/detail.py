"""What is known of one symbol whose detail is open."""

from bisect import insort
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime

from glasstape import Bar, ConfidenceEvent, Event, Explanation, OutcomeEvent

BARS = 400
"""Bars of the chart."""
SIGNALS = 400
"""Past signals of the chart."""


@dataclass
class Detail:
    """One symbol: live, or pinned to a past signal."""

    symbol: str
    interval: str
    recent: list[Bar] = field(default_factory=list)
    """The newest bars, oldest first."""
    past: list[Bar] = field(default_factory=list)
    """Bars around a pinned signal that is older than all of `recent`."""
    signals: list[ConfidenceEvent] = field(default_factory=list)
    """Oldest first."""
    outcomes: dict[int, OutcomeEvent] = field(default_factory=dict)
    """By the sequence of their signal."""
    pinned: ConfidenceEvent | None = None
    """A past signal that was reopened; None: follow the newest."""
    explanation: Explanation | None = None
    explained: ConfidenceEvent | None = None
    """The signal that `explanation` is of: head, map and words change together, when the map has come."""
    flip: Explanation | None = None
    """The counterfactual of the same signal."""

    @property
    def shown(self) -> ConfidenceEvent | None:
        """The signal that is to be explained."""
        return self.pinned or (self.signals[-1] if self.signals else None)

    @property
    def bars(self) -> list[Bar]:
        """Bars of the chart, oldest first."""
        shown = self.explained or self.shown
        if self.past and shown is not None and _position(self.recent, shown.bar_close_time) is None:
            return self.past
        return self.recent

    def signal(self, sequence: int) -> ConfidenceEvent | None:
        """A signal that is known."""
        return next((event for event in self.signals if event.sequence == sequence), None)

    def pin(self, event: ConfidenceEvent | None) -> None:
        """Show a past signal, whatever comes; None follows the newest again."""
        newest = self.signals[-1] if self.signals else None
        self.pinned = None if event == newest else event
        self.unexplain()

    def unexplain(self) -> None:
        """What is to be shown has no map yet."""
        self.explanation = self.explained = self.flip = None

    def forget(self) -> None:
        """History was lost: sequences mean something else now."""
        self.signals.clear()
        self.outcomes.clear()
        self.pinned = None
        self.unexplain()

    def fill(self, bars: Iterable[Bar], events: Iterable[Event]) -> None:
        """Take the history that was asked for; what came live meanwhile stays."""
        known = {bar.close_time: bar for bar in [*bars, *self.recent]}
        self.recent = [known[moment] for moment in sorted(known)][-BARS:]
        for event in events:
            if isinstance(event, OutcomeEvent):
                self.outcomes[event.confidence_sequence] = event
            elif isinstance(event, ConfidenceEvent):
                self._add(event)

    def take(self, event: ConfidenceEvent) -> None:
        """A new signal of this symbol, with its bar."""
        if event.interval != self.interval:
            return
        self._add(event)
        bar = event.signal.bar
        if not self.recent or bar.close_time > self.recent[-1].close_time:
            self.recent = [*self.recent, bar][-BARS:]

    def settle(self, event: OutcomeEvent) -> None:
        """An outcome of this symbol."""
        self.outcomes[event.confidence_sequence] = event

    def verdict(self, event: ConfidenceEvent) -> bool | None:
        """Whether a signal was right; None: its horizon has not passed."""
        outcome = self.outcomes.get(event.sequence)
        return None if outcome is None else outcome.hit

    def window(self, steps: int) -> tuple[int, int] | None:
        """First and last bar of the explained signal's input; None if they are not all here."""
        shown = self.explained or self.shown
        last = _position(self.bars, shown.bar_close_time) if shown is not None else None
        return None if last is None or last + 1 < steps else (last + 1 - steps, last)

    def has_bar_of(self, event: ConfidenceEvent) -> bool:
        """Whether a chart can show a signal's bar."""
        return any(_position(bars, event.bar_close_time) is not None for bars in (self.recent, self.past))

    def _add(self, event: ConfidenceEvent) -> None:
        if event.interval != self.interval or self.signal(event.sequence) is not None:
            return
        insort(self.signals, event, key=lambda e: e.sequence)
        del self.signals[:-SIGNALS]


def _position(bars: list[Bar], moment: datetime) -> int | None:
    return next((number for number, bar in enumerate(bars) if bar.close_time == moment), None)
