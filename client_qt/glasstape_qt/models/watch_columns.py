"""The columns of the watch table: the one place that names them, with title key, width, side and order."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from glasstape_qt.i18n import language
from glasstape_qt.state.exchange import zone
from glasstape_qt.state.quotes import change_of, price_of
from glasstape_qt.state.recent_bars import DayFigures
from glasstape_qt.state.signal_store import SignalStore
from glasstape_qt.state.watch_row import WatchRow

SortKey = Callable[[WatchRow, SignalStore], Any]


@dataclass(frozen=True)
class Column:
    """One column. Its texts are `column.<name>` and `column_help.<name>`; its cells are in `cell_texts`."""

    name: str
    width: int
    """Default width in pixels, at zoom 1."""
    key: SortKey
    """Value that rows are sorted by."""
    right: bool = False
    """Whether title and cells are aligned to the right."""
    descending: bool = False
    """Whether the first click on its title sorts from the largest value."""
    hidden: bool = False
    """Whether it is hidden until the user shows it."""


def _change(row: WatchRow, store: SignalStore) -> float:
    return change_of(row, store.quotes.get(row.symbol)) or 0.0


def _trend(row: WatchRow, store: SignalStore) -> float:
    closes = store.figures.recent_bars(row.symbol).closes(None)
    return closes[-1] / closes[0] if closes and closes[0] else 0.0


def _last_return(row: WatchRow, store: SignalStore) -> float:
    record = store.figures.records.get(row.symbol)
    last = record.last if record is not None else None
    return float("-inf") if last is None else last.realized_return


def _hit_rate(row: WatchRow, store: SignalStore) -> float:
    record = store.figures.records.get(row.symbol)
    hits, moved = record.hit_when_moved if record is not None else (0, 0)
    return hits / moved if moved else -1.0


def _range(row: WatchRow, store: SignalStore) -> float:
    day = day_of(row, store)
    return (day.high / day.low - 1) if day is not None and day.low > 0 else -1.0


def _turnover(row: WatchRow, store: SignalStore) -> float:
    day = day_of(row, store)
    return day.turnover if day is not None else -1.0


def day_of(row: WatchRow, store: SignalStore) -> DayFigures | None:
    """Return the figures of a symbol's newest day, the forming bar included; None: they are not known."""
    quote = store.quotes.get(row.symbol)
    return store.figures.recent_bars(row.symbol).day(
        quote.bar if quote is not None else None, zone(row.instrument)
    )


WATCH_COLUMNS = (
    Column("code", 78, lambda row, _: row.symbol),
    Column("name", 92, lambda row, _: row.name(language())),
    Column("price", 84, lambda row, store: price_of(row, store.quotes.get(row.symbol)), right=True, descending=True),
    Column("change", 100, _change, right=True, descending=True),
    Column("confidence", 150, lambda row, _: row.confidence.up, descending=True),
    Column("direction", 130, lambda row, _: (int(row.direction), row.confidence.winning), descending=True),
    Column("rank", 84, lambda row, _: row.rank_key(), right=True),
    Column("up_change", 62, lambda row, _: row.up_change() or 0.0, right=True, descending=True),
    Column("trend", 84, _trend, descending=True),
    Column("outcome", 76, _last_return, right=True, descending=True),
    Column("hit", 86, _hit_rate, right=True, descending=True),
    Column("range", 150, _range, descending=True),
    Column("turnover", 78, _turnover, right=True, descending=True),
    Column("age", 74, lambda row, _: -row.event.bar_close_time.timestamp(), right=True),
    Column("expiry", 84, lambda row, _: row.event.signal.expire_time.timestamp(), right=True),
    Column("model", 128, lambda row, _: (row.event.model.name, row.event.model.version)),
    Column("novelty", 72, lambda row, _: row.confidence.novelty, right=True, descending=True),
    Column("market", 96, lambda row, _: row.instrument.exchange),
)  # fmt: skip
COLUMNS = tuple(column.name for column in WATCH_COLUMNS)
RIGHT_ALIGNED = frozenset(column.name for column in WATCH_COLUMNS if column.right)
RANK = COLUMNS.index("rank")
"""Column of the rank within the close."""
