"""The truth of a simulated exchange: trades of every minute, and the candles they make."""

import math
import random
from dataclasses import dataclass
from datetime import datetime, timedelta

MINUTE = timedelta(minutes=1)
TRADES = (1.0, 16.0, 31.0, 46.0)
"""Seconds of each minute at which a trade happens."""


@dataclass(frozen=True)
class Candle:
    open_time: datetime
    open: float
    high: float
    low: float
    close: float
    volume: float

    @property
    def close_time(self):
        return self.open_time + MINUTE

    @property
    def values(self):
        return (self.open, self.high, self.low, self.close, self.volume)


class Market:
    """Minutes of several symbols from `first` on."""

    def __init__(self, symbols, first: datetime, minutes: int, seed: int = 0) -> None:
        self.first, self.minutes = first, minutes
        self.symbols = list(symbols)
        self._trades = {symbol: _walk(seed + number, minutes) for number, symbol in enumerate(symbols)}

    def candle(self, symbol: str, minute: int, seconds: float = 60.0) -> Candle | None:
        """The candle of a minute from its trades in the first `seconds`; None: no trade yet."""
        trades = [
            trade
            for second, trade in zip(TRADES, self._trades[symbol][minute], strict=True)
            if second <= seconds
        ]
        if not trades:
            return None
        prices = [price for price, _ in trades]
        volume = round(sum(size for _, size in trades), 4)
        opened = self.first + minute * MINUTE
        return Candle(opened, prices[0], max(prices), min(prices), prices[-1], volume)

    def minute_of(self, moment: datetime) -> int:
        return math.floor((moment - self.first) / MINUTE)

    def candles(self, symbol: str, start: datetime, now: datetime, limit: int) -> list[Candle]:
        """Candles that open at or after `start`, the forming one included."""
        first = max(0, math.ceil((start - self.first) / MINUTE))
        last = min(self.minutes - 1, self.minute_of(now))
        found = []
        for minute in range(first, last + 1):
            elapsed = (now - (self.first + minute * MINUTE)).total_seconds()
            candle = self.candle(symbol, minute, elapsed)
            if candle is not None:
                found.append(candle)
            if len(found) == limit:
                break
        return found

    def closed(self, symbol: str, until: datetime) -> list[Candle]:
        return [self.candle(symbol, minute) for minute in range(min(self.minutes, self.minute_of(until)))]


def _walk(seed: int, minutes: int):
    chance = random.Random(seed)
    price, trades = 100.0, []
    for _ in range(minutes):
        row = []
        for _ in TRADES:
            price = max(1.0, price * math.exp(chance.gauss(0, 0.001)))
            row.append((round(price, 2), round(chance.uniform(0.01, 5), 4)))
        trades.append(row)
    return trades
