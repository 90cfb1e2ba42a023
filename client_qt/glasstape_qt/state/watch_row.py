"""One row of the watch table."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from glasstape import Confidence, ConfidenceEvent, Direction, Instrument, Model
from glasstape.prices import bar_decimals

FAINT = 0.25
"""Maximum color strength of a row whose winning class is not UP, or that is abstained."""


@dataclass(frozen=True, slots=True)
class WatchRow:
    """The newest confidences of a symbol."""

    event: ConfidenceEvent
    instrument: Instrument
    model: Model | None = None
    """Description of the signal's model; None until the server has returned it."""
    old: bool = False
    """From the snapshot of an earlier run; nothing newer has arrived."""
    previous_up: float | None = None
    """Confidence of UP of the signal before; None: it is not known."""
    flashed: float = 0.0
    """Monotonic second at which its class changed; 0: never."""

    @property
    def symbol(self) -> str:
        """Symbol of the row; unique in the table."""
        return self.event.symbol

    @property
    def confidence(self) -> Confidence:
        """The three confidences."""
        return self.event.signal.probabilities

    @property
    def direction(self) -> Direction:
        """The winning class."""
        return self.confidence.direction

    def name(self, language: str) -> str:
        """Return the instrument's name in a language."""
        return instrument_name(self.instrument, language)

    def rank_key(self) -> tuple[int, float]:
        """Return the key that sorts the first of a close before the last, then rows with a score alone, then others."""
        signal = self.event.signal
        if signal.close_rank is not None:
            return 0, signal.close_rank
        return (2, 0.0) if signal.rank_score is None else (1, -signal.rank_score)

    def strength(self) -> float:
        """Return the color strength: 0 at the model's base rate, 1 at the top of its ramp."""
        if self.model is None:
            return 0.0
        low, high = self.model.buy_ramp_low, self.model.buy_ramp_high
        share = (self.confidence.up - low) / max(high - low, 1e-9)
        share = min(1.0, max(0.0, share))
        called = self.direction is Direction.UP and not self.confidence.abstained
        return share if called else min(share, FAINT)

    @property
    def current_up(self) -> float | None:
        """The confidence of UP; None: the row is of an earlier run."""
        return None if self.old else self.confidence.up

    def up_change(self) -> float | None:
        """Return the change of the confidence of UP since the signal before; None: it is not known."""
        return None if self.previous_up is None else self.confidence.up - self.previous_up

    def age(self, market_now: datetime) -> timedelta:
        """Return the market time since the bar closed."""
        return max(timedelta(), market_now - self.event.bar_close_time)

    def time_left(self, market_now: datetime) -> timedelta:
        """Return the market time until the signal expires; negative once it has."""
        return self.event.signal.expire_time - market_now

    def decimals(self) -> int:
        """Return the number of decimals of its prices."""
        return bar_decimals((self.event.signal.bar,), self.instrument)


def instrument_name(instrument: Instrument, language: str) -> str:
    """Return an instrument's name; in Korean its local name."""
    if language == "ko":
        return instrument.local_name or instrument.name
    return instrument.name or instrument.local_name
