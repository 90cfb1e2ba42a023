"""Made-up markets: random walks with honest OHLCV bars."""

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import numpy as np
from glasstape import Bar

if TYPE_CHECKING:
    from glasstape_server.features.series import Series

FIRST_CLOSE = datetime(2015, 1, 5, 21, tzinfo=UTC)
OLDER = FIRST_CLOSE - timedelta(days=60)
"""First close of a long series that ends before the bars of the shared market, whose age other tests look at."""
LONG_AGO = datetime(1985, 1, 7, 21, tzinfo=UTC)
"""Where some 15,000 daily bars fit before today."""


def columns(bars: int, seed: int = 0) -> np.ndarray:
    """Open, high, low, close, volume as (5, bar)."""
    random = np.random.default_rng(seed)
    close = 100 * np.exp(random.normal(0, 0.015, bars).cumsum())
    open_ = close * np.exp(random.normal(0, 0.005, bars))
    high = np.maximum(open_, close) * np.exp(np.abs(random.normal(0, 0.004, bars)))
    low = np.minimum(open_, close) * np.exp(-np.abs(random.normal(0, 0.004, bars)))
    volume = np.floor(np.exp(random.normal(12, 0.5, bars)))
    return np.stack([open_, high, low, close, volume])


def series(bars: int, seed: int = 0) -> "Series":
    """A daily series, a session a bar."""
    from glasstape_server.domain.times import DAY
    from glasstape_server.features.series import Series  # the SDK's tests run without the server

    close_time = np.arange(1, bars + 1) * DAY
    return Series(close_time, *columns(bars, seed), session=close_time)


def daily(symbol: str, bars: int, seed: int = 0, first: datetime = FIRST_CLOSE) -> list[Bar]:
    """Daily bars for the SDK, every day of the week."""
    return [
        Bar(
            symbol=symbol,
            interval="1d",
            close_time=first + timedelta(days=number),
            open=row[0],
            high=row[1],
            low=row[2],
            close=row[3],
            volume=row[4],
        )
        for number, row in enumerate(columns(bars, seed).T.tolist())
    ]
