"""Made-up bars for tests of the chart."""

from datetime import timedelta

from glasstape import Bar
from stores import START


def bars(count, first=0, interval="1d"):
    """Bars whose close is 100 plus their number, each 2 high."""
    return [
        Bar(symbol="A", interval=interval, close_time=START + timedelta(days=n), open=99.5 + n, high=101.0 + n,
            low=99.0 + n, close=100.0 + n, volume=1000.0 + n)
        for n in range(first, first + count)
    ]  # fmt: skip
