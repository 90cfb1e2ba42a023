"""Live prices: the bars that are still forming, and what they say about the row of their symbol."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime

from glasstape import Bar

from glasstape_qt.state.exchange import zone
from glasstape_qt.state.watch_row import WatchRow


@dataclass(frozen=True, slots=True)
class Quote:
    """The newest provisional bar of a symbol."""

    bar: Bar
    moved: int = 0
    """Direction of the last change of its price: 1, -1, or 0 for none yet."""
    moved_at: float = 0.0
    """Monotonic second of that change."""

    def updated(self, bar: Bar, now: float) -> "Quote":
        """Return the quote with a newer bar."""
        step = (bar.close > self.bar.close) - (bar.close < self.bar.close)
        return Quote(bar, step, now) if step else Quote(bar, self.moved, self.moved_at)


class QuoteBook(dict[str, Quote]):
    """The live price of each symbol while a bar is forming."""

    def update_from(
        self, bars: Iterable[Bar], rows: Mapping[str, WatchRow], interval: str, now: float
    ) -> set[str]:
        """Keep bars that form after the last final one of their row; return the symbols that changed.

        Args:
            bars: provisional bars.
            rows: rows by symbol; the interval of a row is that of its signal.
            interval: interval of symbols without a row.
            now: monotonic second.
        """
        changed = set()
        for bar in bars:
            row, known = rows.get(bar.symbol), self.get(bar.symbol)
            expected = row.event.interval if row is not None else interval
            if bar.interval != expected or (row is not None and bar.close_time <= row.event.bar_close_time):
                continue
            self[bar.symbol] = known.updated(bar, now) if known is not None else Quote(bar)
            changed.add(bar.symbol)
        return changed

    def close(self, symbol: str, close_time: datetime) -> None:
        """Drop the quote of a bar that is final by now."""
        quote = self.get(symbol)
        if quote is not None and quote.bar.close_time <= close_time:
            del self[symbol]


def price_of(row: WatchRow, quote: Quote | None) -> float:
    """Return the newest price of a symbol: of its forming bar, else the close of its last final one."""
    return quote.bar.close if quote is not None else row.event.signal.bar.close


def change_of(row: WatchRow, quote: Quote | None) -> float | None:
    """Return the relative change of the newest price since the previous session's close; None: unknown."""
    signal = row.event.signal
    if quote is None:
        return signal.change
    place = zone(row.instrument)
    same_day = (
        quote.bar.close_time.astimezone(place).date() == row.event.bar_close_time.astimezone(place).date()
    )
    previous = signal.previous_session_close if same_day and row.event.interval != "1d" else signal.bar.close
    return None if not previous else quote.bar.close / previous - 1
