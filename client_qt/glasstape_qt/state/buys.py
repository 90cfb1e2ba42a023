"""The feed list: every buy, with what the trader and the market made of it."""

from collections import OrderedDict
from collections.abc import Iterator
from dataclasses import dataclass, replace
from enum import StrEnum

from glasstape import BuyEvent, Direction, OutcomeEvent

KEPT = 5000
"""Entries; pinned ones stay beyond it."""


class Outcome(StrEnum):
    """What came of a buy."""

    PENDING = "pending"
    HIT = "hit"
    MISS = "miss"


@dataclass(frozen=True, slots=True)
class Buy:
    """One line of the feed list."""

    event: BuyEvent
    pinned: bool = False
    acknowledged: bool = False
    outcome: Outcome = Outcome.PENDING
    realised: Direction | None = None
    """The class that came true."""
    realised_return: float | None = None
    """Log return, once the horizon has passed."""
    backlog: bool = False
    """From before the desktop was there to see it."""


class BuyList:
    """Buys by sequence, newest last. The same buy never stands in it twice."""

    def __init__(self) -> None:
        self._buys: dict[int, Buy] = {}
        self._by_signal: dict[int, int] = {}
        self._early: OrderedDict[int, OutcomeEvent] = OrderedDict()
        """Outcomes that came before their buy, by the sequence of their signal."""
        self.snoozed: dict[str, float] = {}
        """Symbols that may not ring, until a monotonic second."""

    def __iter__(self) -> Iterator[Buy]:
        return iter(self._buys.values())

    def __len__(self) -> int:
        return len(self._buys)

    def get(self, sequence: int) -> Buy | None:
        """One buy."""
        return self._buys.get(sequence)

    def add(self, event: BuyEvent, *, backlog: bool = False) -> bool:
        """Take a buy; returns whether it is new."""
        if event.sequence in self._buys:
            return False
        late = bool(self._buys) and event.sequence < next(reversed(self._buys))
        self._buys[event.sequence] = Buy(event, backlog=backlog)
        self._by_signal[event.confidence_sequence] = event.sequence
        if late:
            self._buys = dict(sorted(self._buys.items()))
        self._forget()
        early = self._early.pop(event.confidence_sequence, None)
        if early is not None:
            self.settle(early)
        return True

    def settle(self, event: OutcomeEvent) -> bool:
        """Take an outcome; returns whether a buy was waiting for it."""
        sequence = self._by_signal.get(event.confidence_sequence)
        buy = self._buys.get(sequence) if sequence is not None else None
        if buy is None or sequence is None:
            if event.predicted is Direction.UP:
                self._early[event.confidence_sequence] = event
                if len(self._early) > KEPT:
                    self._early.popitem(last=False)
            return False
        outcome = Outcome.HIT if event.hit else Outcome.MISS
        self._buys[sequence] = replace(
            buy, outcome=outcome, realised=event.realised, realised_return=event.realised_return
        )
        return True

    def pin(self, sequence: int, pinned: bool) -> None:
        """Keep a buy at the top, and for ever."""
        if sequence in self._buys:
            self._buys[sequence] = replace(self._buys[sequence], pinned=pinned)

    def acknowledge(self, sequence: int) -> None:
        """The trader has seen it."""
        if sequence in self._buys:
            self._buys[sequence] = replace(self._buys[sequence], acknowledged=True)

    def acknowledge_all(self) -> None:
        """The trader has seen them all."""
        self._buys = {key: replace(buy, acknowledged=True) for key, buy in self._buys.items()}

    def snooze(self, symbol: str, until: float) -> None:
        """No alert of a symbol before a monotonic second."""
        self.snoozed[symbol] = until

    def clear(self) -> None:
        """History was lost: sequences mean something else now."""
        self._buys.clear()
        self._by_signal.clear()
        self._early.clear()

    @property
    def unseen(self) -> int:
        """Buys that came live and were not acknowledged."""
        return sum(not (buy.acknowledged or buy.backlog) for buy in self._buys.values())

    def _forget(self) -> None:
        if len(self._buys) <= KEPT:
            return
        for sequence, buy in self._buys.items():
            if not buy.pinned:
                del self._buys[sequence]
                self._by_signal.pop(buy.event.confidence_sequence, None)
                return
