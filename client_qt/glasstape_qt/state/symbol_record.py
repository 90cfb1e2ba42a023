"""What came of the signals of a symbol, as far as the desktop knows its outcomes."""

from dataclasses import dataclass, field

from glasstape import Direction, OutcomeEvent


@dataclass
class SymbolRecord:
    """Outcomes of the UP and DOWN calls of one symbol."""

    outcomes: dict[int, OutcomeEvent] = field(default_factory=dict)
    """By the sequence of their signal."""

    def add(self, event: OutcomeEvent) -> None:
        """Add an outcome."""
        if event.predicted is not Direction.FLAT:
            self.outcomes[event.confidence_sequence] = event

    @property
    def last(self) -> OutcomeEvent | None:
        """The outcome of the newest call; None if there is none."""
        return self.outcomes[max(self.outcomes)] if self.outcomes else None

    @property
    def hit_when_moved(self) -> tuple[int, int]:
        """Calls whose direction was right, and calls where the price moved at all."""
        moved = [event for event in self.outcomes.values() if event.realized is not Direction.FLAT]
        return sum(event.hit for event in moved), len(moved)
