"""Bars and scores of a market, close by close, as a paper book trades them."""

from dataclasses import dataclass
from datetime import UTC, datetime

import numpy as np
import polars as pl

from glasstape_server.domain.arrays import Floats, Ints
from glasstape_server.domain.paper_book import MarketClose, Mask
from glasstape_server.domain.times import DAY, INTERVALS, SECOND
from glasstape_server.market.clock import inactive_after
from glasstape_server.market.trading_costs import MarketCosts

LIMIT_TOLERANCE = 0.005
"""How far from its price limit, as a share of the base price, a close counts as at it: limits are rounded to ticks."""
UNSCORED_END = 10
"""Last bars of a symbol that ends, for which its last score holds: predictions without an outcome may be missing."""


@dataclass(slots=True)
class Tape:
    """Bars and scores of all symbols, by close."""

    symbols: list[str]
    times: Ints
    """Distinct closes, (close,)."""
    first: int
    """Number of the first close with a score."""
    end: int
    """Number after that of the last close with a score."""
    scored: int
    scored_symbols: int
    _starts: Ints
    """First row of each close, (close + 1,)."""
    _symbol: Ints
    _price: Floats
    _score: Floats
    _limit: Ints
    """1 at the upper price limit, -1 at the lower one, (row,)."""
    _last: Ints
    """Number of the first close after the last bar of each symbol that ended, (symbol,); -1: it did not end."""
    _prices: Floats
    """Last known prices before the next close, (symbol,)."""

    @classmethod
    def of(cls, bars: pl.DataFrame, scores: pl.DataFrame, costs: MarketCosts, interval: str) -> "Tape":
        """Join bars with scores and order them by close.

        Raises:
            ValueError: see `paper_record`.
        """
        columns = _with_limits(bars.select("symbol", "close_time", "close"), costs, interval)
        scores = scores.select("symbol", "close_time", "score")
        known = scores.filter(pl.col("score").is_finite())
        joined = columns.join(known, on=["symbol", "close_time"], how="left")
        joined = _with_ends(joined, inactive_after(INTERVALS[interval])).sort("close_time", "symbol")
        names = joined["symbol"].unique().sort()
        times, number = np.unique(joined["close_time"].to_numpy(), return_inverse=True)
        scored = np.flatnonzero(joined["score"].is_not_null().to_numpy())
        if not len(scored):
            raise ValueError(f"scores: {_unmatched(scores)}")
        first, end = int(number[scored[0]]), int(number[scored[-1]]) + 1
        if end - first < 2:
            raise ValueError("scores: all are of one close; a book needs a later one")
        places = dict(zip(names, range(len(names)), strict=True))
        symbol = joined["symbol"].replace_strict(places, return_dtype=pl.Int64).to_numpy()
        last = np.zeros(len(names), dtype=np.int64)
        last[symbol] = number  # ascending, so that the last one stays
        ended = np.zeros(len(names), dtype=bool)
        ended[symbol] = joined["ended"].to_numpy()
        starts = np.searchsorted(number, np.arange(len(times) + 1))
        price = joined["close"].to_numpy()
        prices = np.full(len(names), np.nan)
        before = slice(0, starts[first])
        prices[symbol[before]] = price[before]
        return cls(
            names.to_list(), times, first, end, len(scored), len(np.unique(symbol[scored])), starts, symbol, price,
            joined["held"].fill_null(float("nan")).to_numpy(), joined["limit"].to_numpy(),
            np.where(ended, last + 1, -1), prices,
        )  # fmt: skip

    def close(self, number: int) -> tuple[MarketClose, Floats, Mask]:
        """Return a close, the scores of its symbols (NaN: none), and whether each is at a price limit, (symbol,).

        Closes are taken in order.
        """
        rows = slice(self._starts[number], self._starts[number + 1])
        symbol, limit = self._symbol[rows], self._limit[rows]
        size = len(self.symbols)
        self._prices = self._prices.copy()
        self._prices[symbol] = self._price[rows]
        scores, limited = np.full(size, np.nan), np.zeros(size, dtype=bool)
        buyable, sellable = np.zeros(size, dtype=bool), np.zeros(size, dtype=bool)
        scores[symbol] = self._score[rows]
        buyable[symbol], sellable[symbol], limited[symbol] = limit < 1, limit > -1, limit != 0
        close = MarketClose(int(self.times[number]), self._prices, buyable, sellable, self._last == number)
        return close, scores, limited


def _unmatched(scores: pl.DataFrame) -> str:
    if scores.is_empty():
        return "there are none"
    symbol, time = scores.sort("close_time", "symbol").row(0)[:2]
    first = (
        f"the first is of {symbol} at {datetime.fromtimestamp(time / SECOND, UTC).isoformat(' ', 'minutes')}"
    )
    return f"none of {scores.height:,} has a bar with trades of its symbol and close time; {first}"


def _with_ends(rows: pl.DataFrame, inactive: int) -> pl.DataFrame:
    """Add columns: ended, whether a symbol's bars end before those of the others, and held, the score that decides.

    Args:
        rows: columns symbol, close_time and score.
        inactive: time without bars after which a symbol has ended, microseconds.
    """
    time = pl.col("close_time")
    scored = pl.when(pl.col("score").is_not_null()).then(time).max().over("symbol")
    rows = rows.sort("symbol", "close_time").with_columns(
        (time.max().over("symbol") < time.max() - inactive).alias("ended"), scored.alias("scored")
    )
    carried = pl.col("score").forward_fill(UNSCORED_END).over("symbol")
    held = pl.when(pl.col("ended") & (time > pl.col("scored"))).then(carried).otherwise(pl.col("score"))
    return rows.with_columns(held.alias("held"))


def _with_limits(bars: pl.DataFrame, costs: MarketCosts, interval: str) -> pl.DataFrame:
    """Add the column limit: 1 for a close at the upper price limit of its day, -1 at the lower one, else 0.

    The base price is the close of the symbol's trading day before. Bars longer than a day have no limit.
    """
    if not any(costs.price_limit.values) or INTERVALS[interval] > DAY:
        return bars.with_columns(pl.lit(0, pl.Int64).alias("limit"))
    ends = pl.from_epoch(pl.col("close_time") - 1, "us").dt.replace_time_zone("UTC")
    bars = bars.with_columns(ends.dt.convert_time_zone(costs.time_zone).dt.date().alias("day")).sort(
        "symbol", "close_time"
    )
    days = bars.group_by("symbol", "day", maintain_order=True).agg(pl.col("close").last().alias("base"))
    days = days.with_columns(pl.col("base").shift(1).over("symbol"))
    allowed = {day: costs.price_limit.on(day) for day in bars["day"].unique()}
    bars = bars.join(days, on=["symbol", "day"], how="left").with_columns(
        pl.col("day").replace_strict(allowed, return_dtype=pl.Float64).alias("allowed")
    )
    change = pl.col("close") / pl.col("base") - 1
    reached = (pl.col("allowed") > 0) & (change.abs() >= pl.col("allowed") - LIMIT_TOLERANCE)
    limit = pl.when(reached.fill_null(False)).then(change.sign()).otherwise(0.0).cast(pl.Int64)
    return bars.select("symbol", "close_time", "close", limit.alias("limit"))
