"""The list of buys: every buy with its outcome and with what the user did with it."""

from collections import OrderedDict
from collections.abc import Iterator
from dataclasses import dataclass, replace
from enum import StrEnum

from glasstape import BuyEvent, Direction, OutcomeEvent

MAX_ENTRIES = 5000
"""Entries kept; pinned ones are never removed."""


class BuyOutcome(StrEnum):
    """Outcome of a buy."""

    PENDING = "pending"
    HIT = "hit"
    MISS = "miss"


@dataclass(frozen=True, slots=True)
class BuyEntry:
    """One line of the list."""

    event: BuyEvent
    pinned: bool = False
    acknowledged: bool = False
    outcome: BuyOutcome = BuyOutcome.PENDING
    realized: Direction | None = None
    """The class that came true."""
    realized_return: float | None = None
    """Log return, once the horizon has passed."""
    historical: bool = False
    """Published before the desktop was connected."""


class BuyList:
    """Buys by sequence, oldest first, each sequence once; at most `limit` entries besides pinned ones."""

    def __init__(self, limit: int = MAX_ENTRIES) -> None:
        self._limit = limit
        self._buys: dict[int, BuyEntry] = {}
        self._by_signal: dict[int, int] = {}
        self._early: OrderedDict[int, OutcomeEvent] = OrderedDict()
        """Outcomes that arrived before their buy, by the sequence of their signal."""
        self.snoozed: dict[str, float] = {}
        """Symbols whose alerts are snoozed, with the monotonic second at which that ends."""

    def __iter__(self) -> Iterator[BuyEntry]:
        return iter(self._buys.values())

    def __len__(self) -> int:
        return len(self._buys)

    def get(self, sequence: int) -> BuyEntry | None:
        """Return one buy by its sequence."""
        return self._buys.get(sequence)

    def add(self, event: BuyEvent, *, historical: bool = False) -> bool:
        """Add a buy; return whether it is new."""
        if event.sequence in self._buys:
            return False
        late = bool(self._buys) and event.sequence < next(reversed(self._buys))
        self._buys[event.sequence] = BuyEntry(event, historical=historical)
        self._by_signal[event.confidence_sequence] = event.sequence
        if late:
            self._buys = dict(sorted(self._buys.items()))
        self._evict()
        early = self._early.pop(event.confidence_sequence, None)
        if early is not None:
            self.set_outcome(early)
        return True

    def set_outcome(self, event: OutcomeEvent) -> bool:
        """Set the outcome of a buy; return whether that buy is in the list."""
        sequence = self._by_signal.get(event.confidence_sequence)
        buy = self._buys.get(sequence) if sequence is not None else None
        if buy is None or sequence is None:
            if event.predicted is Direction.UP:
                self._early[event.confidence_sequence] = event
                if len(self._early) > self._limit:
                    self._early.popitem(last=False)
            return False
        outcome = BuyOutcome.HIT if event.hit else BuyOutcome.MISS
        self._buys[sequence] = replace(
            buy, outcome=outcome, realized=event.realized, realized_return=event.realized_return
        )
        return True

    def pin(self, sequence: int, pinned: bool) -> None:
        """Pin a buy to the top and exempt it from the limit, or undo that."""
        if sequence in self._buys:
            self._buys[sequence] = replace(self._buys[sequence], pinned=pinned)

    def acknowledge(self, sequence: int) -> None:
        """Mark a buy as seen by the user."""
        if sequence in self._buys:
            self._buys[sequence] = replace(self._buys[sequence], acknowledged=True)

    def acknowledge_all(self) -> None:
        """Mark every buy as seen by the user."""
        self._buys = {key: replace(buy, acknowledged=True) for key, buy in self._buys.items()}

    def snooze(self, symbol: str, until: float) -> None:
        """Suppress alerts of a symbol until a monotonic second."""
        self.snoozed[symbol] = until

    def unsnooze(self, symbol: str) -> None:
        """Alert for a symbol again."""
        self.snoozed.pop(symbol, None)

    def snoozed_at(self, now: float) -> list[str]:
        """Return the symbols whose alerts are snoozed at a monotonic second."""
        return sorted(symbol for symbol, until in self.snoozed.items() if until > now)

    def clear(self) -> None:
        """Remove every buy: after a reset, sequences belong to another history."""
        self._buys.clear()
        self._by_signal.clear()
        self._early.clear()

    @property
    def abstained(self) -> int:
        """Number of abstained buys."""
        return sum(buy.event.signal.probabilities.abstained for buy in self._buys.values())

    def _evict(self) -> None:
        if len(self._buys) <= self._limit:
            return
        for sequence, buy in self._buys.items():
            if not buy.pinned:
                del self._buys[sequence]
                self._by_signal.pop(buy.event.confidence_sequence, None)
                return
