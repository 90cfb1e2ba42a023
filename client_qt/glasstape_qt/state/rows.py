"""One line of the watch table."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from glasstape import ConfidenceEvent, Direction, Instrument, Model

FAINT = 0.25
"""Strongest colour of a row whose winner is not UP."""

MOST_DECIMALS = 10


@dataclass(frozen=True, slots=True)
class Row:
    """The newest confidences of a symbol."""

    event: ConfidenceEvent
    instrument: Instrument
    model: Model | None = None
    """What made the signal; None until the server has described it."""
    old: bool = False
    """From the snapshot of an earlier run: nothing newer has come yet."""
    flashed: float = 0.0
    """Monotonic seconds at which its class changed; 0: never."""

    @property
    def symbol(self) -> str:
        """Its key."""
        return self.event.symbol

    @property
    def direction(self) -> Direction:
        """The winner."""
        return self.event.signal.confidence.direction

    def name(self, language: str) -> str:
        """Its name, the local one in Korean."""
        return name_of(self.instrument, language)

    def strength(self) -> float:
        """How strong the row's colour is: 0 at the model's base rate, 1 at the top of its ramp."""
        if self.model is None:
            return 0.0
        low, high = self.model.buy_ramp_low, self.model.buy_ramp_high
        share = (self.event.signal.confidence.up - low) / max(high - low, 1e-9)
        share = min(1.0, max(0.0, share))
        return share if self.direction is Direction.UP else min(share, FAINT)

    def age(self, market_now: datetime) -> timedelta:
        """Market time since the bar closed."""
        return max(timedelta(), market_now - self.event.bar_close_time)

    def left(self, market_now: datetime) -> timedelta:
        """Market time until the signal's horizon ends; negative when it has."""
        return self.event.signal.expire_time - market_now

    def decimals(self) -> int:
        """Digits behind the point of its prices."""
        return decimals_of(self.instrument, self.event.signal.bar.close)


def name_of(instrument: Instrument, language: str) -> str:
    """An instrument's name, the local one in Korean."""
    if language == "ko":
        return instrument.local_name or instrument.name
    return instrument.name or instrument.local_name


def decimals_of(instrument: Instrument, price: float) -> int:
    """Digits behind the point: what the instrument says, else what the price needs."""
    if instrument.price_decimals is not None:
        return min(max(instrument.price_decimals, 0), MOST_DECIMALS)
    return 0 if price >= 1000 and price % 1 == 0 else 2 if price >= 1 else 6
