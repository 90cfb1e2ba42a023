"""Rows of a market's answer, made into bars of the contract."""

from collections.abc import AsyncIterable, AsyncIterator, Callable, Iterable, Sequence
from datetime import date, datetime
from typing import NamedTuple

from glasstape.types.market import Bar


class Row(NamedTuple):
    """One row of an answer: the open of a minute bar, or the date of a daily bar, and its values."""

    stamp: date
    """Start of the bar as a `datetime` with a time zone, or its `date`."""
    open: float
    high: float
    low: float
    close: float
    volume: float

    @property
    def opened(self) -> datetime:
        """Start of a minute bar, whose stamp is not a mere date."""
        assert isinstance(self.stamp, datetime)
        return self.stamp


class BarBuilder:
    """Merges rows that belong to one bar: minutes to 5 minutes, days to a week, a closing auction to its minute."""

    def __init__(self, symbol: str, interval: str, close_of: Callable[[date], datetime | None]) -> None:
        """Describe the bars.

        Args:
            symbol: of the bars.
            interval: of the bars.
            close_of: returns the close time of the bar that a row's stamp belongs to; None leaves the row out.
        """
        self._symbol = symbol
        self._interval = interval
        self._close_of = close_of
        self._forming: Bar | None = None

    def add(self, rows: Iterable[Row]) -> list[Bar]:
        """Return the bars that rows, oldest first, complete."""
        complete = []
        for row in rows:
            close_time = self._close_of(row.stamp)
            if close_time is None:
                continue
            if self._forming is not None and self._forming.close_time != close_time:
                complete.append(self._forming)
                self._forming = None
            self._forming = self._merged(row, close_time)
        return complete

    def flush(self) -> list[Bar]:
        """Return the last bar, whose rows ended."""
        forming, self._forming = self._forming, None
        return [] if forming is None else [forming]

    def _merged(self, row: Row, close_time: datetime) -> Bar:
        forming = self._forming
        return Bar(
            symbol=self._symbol,
            interval=self._interval,
            close_time=close_time,
            open=row.open if forming is None else forming.open,
            high=row.high if forming is None else max(forming.high, row.high),
            low=row.low if forming is None else min(forming.low, row.low),
            close=row.close,
            volume=row.volume + (0.0 if forming is None else forming.volume),
        )


async def bars_of(
    pages: AsyncIterable[Iterable[Row]], builder: BarBuilder, start: datetime, end: datetime
) -> AsyncIterator[Sequence[Bar]]:
    """Yield a page of bars with `start < close_time <= end` for each page of rows, oldest first."""
    async for rows in pages:
        yield [bar for bar in builder.add(rows) if start < bar.close_time <= end]
    yield [bar for bar in builder.flush() if start < bar.close_time <= end]
