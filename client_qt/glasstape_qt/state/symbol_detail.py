"""State of one symbol whose detail is open: bars, signals, outcomes and the current explanation."""

from bisect import insort
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime

from glasstape import Bar, ConfidenceEvent, Event, Explanation, Method, OutcomeEvent, Quantity

MAX_BARS = 400
"""Bars of the chart, until older ones are loaded."""
MAX_SIGNALS = 400
"""Past signals of the chart."""


@dataclass(frozen=True)
class SignalMap:
    """One map of a signal, or the error of its request."""

    method: Method
    explanation: Explanation | None
    error: Exception | None = None


@dataclass
class SymbolDetail:
    """One symbol: following its newest signal, or pinned to a past one."""

    symbol: str
    interval: str
    recent_bars: list[Bar] = field(default_factory=list)
    """The newest bars, oldest first."""
    past_bars: list[Bar] = field(default_factory=list)
    """Bars up to a pinned signal that is older than all of `recent_bars`."""
    forming: Bar | None = None
    """The bar that follows the newest and is still forming."""
    features: dict[str, dict[datetime, float]] = field(default_factory=dict)
    """Values of the model's features by name and close time, as far as they were requested."""
    signals: list[ConfidenceEvent] = field(default_factory=list)
    """Oldest first."""
    max_bars: int = MAX_BARS
    """Newest bars that are kept; grows as older ones are loaded."""
    outcomes: dict[int, OutcomeEvent] = field(default_factory=dict)
    """By the sequence of their signal."""
    pinned: ConfidenceEvent | None = None
    """A past signal that was reopened; None: follow the newest."""
    maps: tuple[SignalMap, ...] = ()
    """What is shown, at least one with an explanation; empty: it has not arrived."""
    explained_signal: ConfidenceEvent | None = None
    """The signal of `maps`. Headline, map and text change together, when the map has arrived."""
    counterfactual: Explanation | None = None
    """The counterfactual of the same signal."""

    @property
    def explanations(self) -> list[Explanation]:
        """The explanations of `maps`, in their order."""
        return [shown.explanation for shown in self.maps if shown.explanation is not None]

    @property
    def worded(self) -> Explanation | None:
        """The explanation that is put in words: the one whose map adds up, else the first."""
        adding_up = (
            item
            for item in self.explanations
            if item.heatmap is not None and item.heatmap.quantity is Quantity.CONTRIBUTION
        )
        return next(adding_up, next(iter(self.explanations), None))

    @property
    def selected_signal(self) -> ConfidenceEvent | None:
        """The signal to explain: the pinned one, else the newest."""
        return self.pinned or (self.signals[-1] if self.signals else None)

    @property
    def shown(self) -> ConfidenceEvent | None:
        """The signal that is shown: the explained one, else the one to explain."""
        return self.explained_signal or self.selected_signal

    @property
    def bars(self) -> list[Bar]:
        """Bars of the chart, oldest first."""
        shown = self.shown
        if self.past_bars and shown is not None and _position(self.recent_bars, shown.bar_close_time) is None:
            return self.past_bars
        return self.recent_bars

    @property
    def shown_bars(self) -> list[Bar]:
        """`bars`, followed by the one that is still forming."""
        bars, forming = self.bars, self.forming
        if forming is None or bars is not self.recent_bars:
            return bars
        follows = not bars or forming.close_time > bars[-1].close_time
        return [*bars, forming] if follows else bars

    def add_older(self, bars: Iterable[Bar]) -> int:
        """Add bars before the oldest one; return how many were added."""
        first = self.recent_bars[0].close_time if self.recent_bars else None
        older = [bar for bar in bars if first is None or bar.close_time < first]
        self.recent_bars = [*older, *self.recent_bars]
        self.max_bars = max(self.max_bars, len(self.recent_bars))
        return len(older)

    def signal(self, sequence: int) -> ConfidenceEvent | None:
        """Return a known signal by its sequence."""
        return next((event for event in self.signals if event.sequence == sequence), None)

    def pin(self, event: ConfidenceEvent | None) -> None:
        """Show a past signal from now on; None follows the newest again."""
        newest = self.signals[-1] if self.signals else None
        self.pinned = None if event == newest else event
        self.clear_explanation()

    def clear_explanation(self) -> None:
        """Drop the maps: those of `selected_signal` have not arrived."""
        self.maps = ()
        self.explained_signal = self.counterfactual = None

    def clear(self) -> None:
        """Drop signals and outcomes: after a reset, sequences belong to another history."""
        self.signals.clear()
        self.outcomes.clear()
        self.pinned = None
        self.clear_explanation()

    def add_history(self, bars: Iterable[Bar], events: Iterable[Event]) -> None:
        """Add history from the server; what arrived live meanwhile stays."""
        known = {bar.close_time: bar for bar in [*bars, *self.recent_bars]}
        self.recent_bars = [known[moment] for moment in sorted(known)][-self.max_bars :]
        for event in events:
            if isinstance(event, OutcomeEvent):
                self.outcomes[event.confidence_sequence] = event
            elif isinstance(event, ConfidenceEvent):
                self._add_signal(event)

    def add_signal(self, event: ConfidenceEvent) -> None:
        """Add a live signal of this symbol, with its bar."""
        if event.interval != self.interval:
            return
        self._add_signal(event)
        bar = event.signal.bar
        if not self.recent_bars or bar.close_time > self.recent_bars[-1].close_time:
            self.recent_bars = [*self.recent_bars, bar][-self.max_bars :]

    def add_outcome(self, event: OutcomeEvent) -> None:
        """Add an outcome of this symbol."""
        self.outcomes[event.confidence_sequence] = event

    def was_hit(self, event: ConfidenceEvent) -> bool | None:
        """Return whether a signal was right; None while its horizon has not passed."""
        outcome = self.outcomes.get(event.sequence)
        return None if outcome is None else outcome.hit

    def input_window(self, time_steps: int) -> tuple[int, int] | None:
        """Return the indexes of the first and last bar of the shown signal's input; None if any is missing."""
        shown = self.shown
        last = _position(self.bars, shown.bar_close_time) if shown is not None else None
        return None if last is None or last + 1 < time_steps else (last + 1 - time_steps, last)

    def has_bar_of(self, event: ConfidenceEvent) -> bool:
        """Return whether the bar of a signal is loaded."""
        groups = (self.recent_bars, self.past_bars)
        return any(_position(bars, event.bar_close_time) is not None for bars in groups)

    def _add_signal(self, event: ConfidenceEvent) -> None:
        if event.interval != self.interval or self.signal(event.sequence) is not None:
            return
        insort(self.signals, event, key=lambda e: e.sequence)
        del self.signals[:-MAX_SIGNALS]


def _position(bars: list[Bar], moment: datetime) -> int | None:
    return next((number for number, bar in enumerate(bars) if bar.close_time == moment), None)
