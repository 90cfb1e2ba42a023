"""Texts of the watch table: cells, row descriptions and durations."""

from datetime import timedelta
from functools import lru_cache
from html import escape

from glasstape import Confidence, DataState, Direction, Signal
from glasstape.prices import bar_decimals, close_text

from glasstape_qt.i18n import language, tr
from glasstape_qt.models.watch_columns import day_of
from glasstape_qt.state import exchange
from glasstape_qt.state.connection import LinkState
from glasstape_qt.state.quotes import Quote, change_of
from glasstape_qt.state.signal_store import SignalStore
from glasstape_qt.state.watch_row import WatchRow, instrument_name

ARROWS = {Direction.DOWN: "▼", Direction.FLAT: "■", Direction.UP: "▲"}
"""Shown beside every direction: color alone is not accessible."""

ENGLISH_UNITS = ((1e12, "T"), (1e9, "B"), (1e6, "M"), (1e3, "k"))
KOREAN_UNITS = ((1e12, "조"), (1e8, "억"), (1e4, "만"))


class CellTexts:
    """Cell texts, cached until the row changes; those that depend on the clock are not cached."""

    def __init__(self, store: SignalStore) -> None:
        self._store = store
        self._cache: dict[str, tuple[WatchRow, Quote | None, dict[str, str]]] = {}
        self.market_now = store.connection.market_now()
        """Time on the market's clock at the last `update_clock`."""
        self.fresh = True
        """Whether the rows are up to date."""

    def clear(self) -> None:
        """Drop cached texts: the language has changed."""
        self._cache.clear()

    def update_clock(self) -> None:
        """Update the time that ages, expiry and freshness are computed from."""
        connection = self._store.connection
        self.market_now = connection.market_now()
        self.fresh = connection.fresh or connection.state is LinkState.CONNECTING

    def text(self, symbol: str, column: str) -> str:
        """Return the text of one cell."""
        row, quote = self._store.rows.get(symbol), self._store.quotes.get(symbol)
        if row is None:
            return self._text_without_signal(symbol, column, quote)
        if column in ("age", "expiry", "market"):
            return self._clock_text(row, column)
        if column in ("trend", "range", "turnover", "outcome", "hit"):
            return self._figure(row, column)
        cached = self._cache.get(symbol)
        if cached is None or cached[0] is not row or cached[1] is not quote:
            cached = self._cache[symbol] = (row, quote, _row_texts(row, quote))
        return cached[2][column]

    def _figure(self, row: WatchRow, column: str) -> str:
        """Return the text of a cell that depends on bars or outcomes; "" while they are not known."""
        record, day = self._store.figures.records.get(row.symbol), None
        if column in ("range", "turnover"):
            day = day_of(row, self._store)
        decimals = row.decimals()
        match column:
            case "trend":
                closes = self._store.figures.recent_bars(row.symbol).closes(None)
                return f"{closes[-1] / closes[0] - 1:+.1%}" if len(closes) > 1 and closes[0] else ""
            case "range":
                return f"{day.low:,.{decimals}f} – {day.high:,.{decimals}f}" if day is not None else ""
            case "turnover":
                return amount(day.turnover) if day is not None else ""
            case "outcome":
                last = record.last if record is not None else None
                return "" if last is None else f"{'✓' if last.hit else '✗'} {last.realized_return:+.2%}"
        hits, moved = record.hit_when_moved if record is not None else (0, 0)
        return f"{hits / moved:.0%} ({moved})" if moved else ""

    def _text_without_signal(self, symbol: str, column: str, quote: Quote | None) -> str:
        instrument = self._store.instrument(symbol)
        match column:
            case "code":
                return symbol
            case "name":
                return instrument_name(instrument, language())
            case "price":
                return close_text(quote.bar, instrument) if quote is not None else ""
            case "direction":
                return tr("cell.no_signal")
        return ""

    def _clock_text(self, row: WatchRow, column: str) -> str:
        now = self.market_now
        if column == "age":
            return format_duration(row.age(now))
        if column == "expiry":
            left = row.time_left(now)
            return tr("cell.expired") if left <= timedelta() else format_duration(left)
        if row.old:
            return tr("cell.old")
        if row.event.signal.data_state is DataState.REPLAY:
            return tr("cell.replay")
        if not self.fresh:
            return tr("cell.stale")
        hours = self._store.hours.get(row.instrument.exchange)
        return tr(f"phase.{hours.phase.value}") if hours else ""


def _row_texts(row: WatchRow, quote: Quote | None) -> dict[str, str]:
    confidence, bars = row.confidence, [row.event.signal.bar]
    if quote is not None:
        bars.append(quote.bar)
    decimals = bar_decimals(bars, row.instrument)
    direction = tr(f"direction.{confidence.direction.name.lower()}")
    return {
        "code": row.symbol,
        "name": row.name(language()),
        "price": f"{bars[-1].close:,.{decimals}f}",
        "change": _change_text(row, bars[-1].close, change_of(row, quote)),
        "confidence": f"{confidence.down:.0%} · {confidence.flat:.0%} · {confidence.up:.0%}",
        "direction": f"{ARROWS[confidence.direction]} {direction}"
        + (f" ({tr('cell.abstained')})" if confidence.abstained else ""),
        "rank": _rank_text(row.event.signal),
        "up_change": _points(row.up_change()),
        "model": f"{row.event.model.name}@{row.event.model.version}",
        "novelty": f"{confidence.novelty:.0%}",
    }


def _points(change: float | None) -> str:
    return "" if change is None else f"{100 * change:+.1f}"


def amount(value: float) -> str:
    """Return an amount with three digits: in Korean in 만, 억 and 조, else in k, M, B and T."""
    units = KOREAN_UNITS if language() == "ko" else ENGLISH_UNITS
    size, unit = next(((size, unit) for size, unit in units if abs(value) >= size), (1.0, ""))
    digits = max(0, 2 - len(f"{abs(value) / size:.0f}") + 1)
    return f"{value / size:,.{digits}f}{unit}"


def _change_text(row: WatchRow, price: float, change: float | None) -> str:
    """Return the change with its arrow; a price limit is named after the number, which it must not displace."""
    if change is None:
        return ""
    arrow = "" if not change else "▲" if change > 0 else "▼"
    limit = {1: tr("cell.limit_up"), -1: tr("cell.limit_down"), 0: ""}[
        exchange.price_limit(row, price, change)
    ]
    return " ".join(part for part in (arrow, f"{abs(change):.2%}", limit) if part)


def _rank_text(signal: Signal) -> str:
    """Return the place within the close, or else the rank score; "" without a rank head."""
    if signal.close_rank is not None:
        return f"{signal.close_rank:,} / {signal.close_size:,}"
    return "" if signal.rank_score is None else f"{signal.rank_score:+.3f}"


def row_description(row: WatchRow) -> str:
    """Return everything about a row in sentences: its tooltip and accessible description."""
    event, signal = row.event, row.event.signal
    confidence = signal.probabilities
    zone = exchange.zone(row.instrument)
    rank = _rank_text(signal)
    return tr(
        "row.description",
        name=row.name(language()) or row.symbol,
        **confidence_values(confidence),
        bar=exchange.in_market_time(event.bar_close_time, zone),
        until=exchange.in_market_time(signal.expire_time, zone),
        horizon=signal.horizon_bars,
        model=f"{event.model.name}@{event.model.version}",
        novelty=f"{confidence.novelty:.0%}",
        abstained=tr("row.abstained") if confidence.abstained else "",
        state=tr(f"data.{signal.data_state.value}"),
    ).strip() + (f"\n{tr('row.rank', rank=rank)}" if rank else "")


def confidence_values(confidence: Confidence) -> dict[str, str]:
    """Return the placeholder values of texts that name the winning class and all three confidences."""
    return {
        "direction": tr(f"direction.{confidence.direction.name.lower()}"),
        "winning": f"{confidence.winning:.1%}",
        "down": f"{confidence.down:.1%}",
        "flat": f"{confidence.flat:.1%}",
        "up": f"{confidence.up:.1%}",
    }


def as_tooltip(text: str) -> str:
    """Return plain text as the HTML of a tooltip: names come from the server and are escaped."""
    return "<qt>" + escape(text).replace("\n", "<br>") + "</qt>"


def format_duration(duration: timedelta) -> str:
    """Return a duration in its two largest units."""
    return _format_seconds(int(duration.total_seconds()), language())


@lru_cache(maxsize=4096)
def _format_seconds(seconds: int, _: str) -> str:
    if seconds < 60:
        return tr("duration.seconds", n=seconds)
    if seconds < 3600:
        return tr("duration.minutes", n=seconds // 60)
    if seconds < 86_400:
        return tr("duration.hours", n=seconds // 3600, minutes=seconds % 3600 // 60)
    return tr("duration.days", n=seconds // 86_400, hours=seconds % 86_400 // 3600)
