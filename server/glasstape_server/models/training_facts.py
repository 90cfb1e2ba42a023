"""What a model was trained on, as far as its past signals need it."""

from dataclasses import dataclass

from glasstape_server.domain.times import SECOND
from glasstape_server.models.manifest import Manifest


@dataclass(frozen=True, slots=True)
class TrainingFacts:
    """Symbols, end and class shares of the training and validation data of a model."""

    seen_until: int
    """Last close of the data, microseconds since 1970."""
    symbols: frozenset[str]
    shares: tuple[float, float, float] | None
    """Of DOWN, FLAT and UP in the training windows. None: trained before they were counted."""

    @classmethod
    def of(cls, manifest: Manifest) -> "TrainingFacts":
        """Return the facts of a manifest."""
        data = manifest.data
        last = int(data.seen_until.timestamp() * SECOND)
        return cls(last, frozenset(data.symbols), manifest.training_shares)

    def include(self, symbol: str, close_time: int) -> bool:
        """Return whether a bar may be in the data: it has the symbol, and bars up to that close or later.

        Args:
            symbol: of the bar.
            close_time: of the bar, microseconds since 1970.
        """
        return symbol in self.symbols and close_time <= self.seen_until
