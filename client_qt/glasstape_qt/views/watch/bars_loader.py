"""Loads the recent bars of the rows in view, a few at a time."""

from datetime import datetime, timedelta
from functools import partial

from glasstape import Bar, Client
from glasstape.calendars import interval_length

from glasstape_qt.link import Link
from glasstape_qt.state.recent_bars import MAX_BARS, TREND_BARS
from glasstape_qt.state.signal_store import SignalStore
from glasstape_qt.state.store_changes import StoreChanges

AT_ONCE = 6
"""Requests that may be pending."""
CLOSED_HOURS_FACTOR = 4
"""Markets close at night and on weekends: this many bar lengths are requested for each bar."""


class BarsLoader:
    """Requests bars for symbols that are in view and have none yet."""

    def __init__(self, link: Link, store: SignalStore) -> None:
        self._link, self._store = link, store
        self._pending: set[str] = set()
        self._failed: set[str] = set()

    def clear(self) -> None:
        """Forget what was requested: the server changes."""
        self._pending.clear()
        self._failed.clear()

    def load_in_view(self) -> None:
        """Request the bars of more rows in view; called by the window's clock."""
        for symbol in sorted(self._store.in_view - self._pending - self._failed):
            row = self._store.rows.get(symbol)
            if len(self._pending) >= AT_ONCE:
                return
            if row is None or self._store.figures.recent_bars(symbol).loaded:
                continue
            self._pending.add(symbol)
            interval, end = row.event.interval, row.event.bar_close_time
            self._link.request(
                f"recent:{symbol}",
                partial(_bars, symbol=symbol, interval=interval, start=end - _span(interval)),
                partial(self._received, symbol),
                partial(self._request_failed, symbol),
            )

    def _received(self, symbol: str, bars: list[Bar]) -> None:
        self._pending.discard(symbol)
        self._store.figures.recent_bars(symbol).load(bars)
        self._link.changed.emit(StoreChanges(rows={symbol}))

    def _request_failed(self, symbol: str, _: Exception) -> None:
        """Leave the cells empty: the connection's own errors are in the status line."""
        self._pending.discard(symbol)
        self._failed.add(symbol)


def _bars(client: Client, symbol: str, interval: str, start: datetime) -> list[Bar]:
    return client.bars(symbol, interval, start=start)


def _span(interval: str) -> timedelta:
    length = interval_length(interval)
    bars = (
        TREND_BARS
        if length >= timedelta(days=1)
        else min(MAX_BARS, max(TREND_BARS, timedelta(days=1) // length))
    )
    return length * bars * (CLOSED_HOURS_FACTOR if length < timedelta(days=1) else 2)
