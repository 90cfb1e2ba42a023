"""A paper book over recorded or out-of-sample scores, and the equal-weighted universe beside it."""

from dataclasses import dataclass, field, fields

import numpy as np
import polars as pl

from glasstape_server.domain.arrays import Floats, Ints
from glasstape_server.domain.book_figures import BookCurve
from glasstape_server.domain.book_rule import BookRule
from glasstape_server.domain.paper_book import CostRates, Fills, MarketClose, Mask, PaperBook
from glasstape_server.domain.times import DAY, INTERVALS
from glasstape_server.market.clock import inactive_after
from glasstape_server.market.trading_costs import MarketCosts

LIMIT_TOLERANCE = 0.005
"""How far from its price limit, as a share of the base price, a close counts as at it: limits are rounded to ticks."""
_BENCHMARK = BookRule(threshold=float("-inf"), max_weight=1.0)
_FREE = CostRates()


@dataclass(frozen=True, slots=True)
class PaperRecord:
    """A paper book from the first close with a score to the last one."""

    curve: BookCurve
    symbols: int
    """Symbols with a score."""
    scored: int
    """Scores, one for each symbol and close."""
    unpriced: int
    """Scores without a bar with trades at their close, which are not used."""
    ended: tuple[str, ...]
    """Symbols whose bars end before those of the others while they were held; they ended at their last price."""
    at_limit: int
    """Orders that met a close at the price limit, counted at each such close, and waited."""
    unfilled: int
    """Orders that could not be filled at a close for any reason, counted at each such close."""
    closes: int = field(init=False)
    """Closes of the record."""

    def __post_init__(self) -> None:
        object.__setattr__(self, "closes", len(self.curve.time))


def paper_record(
    bars: pl.DataFrame, scores: pl.DataFrame, rule: BookRule, costs: MarketCosts, interval: str
) -> PaperRecord:
    """Run a paper book: scores of a close decide, the next close of the symbol fills.

    Args:
        bars: bars with trades; columns symbol, close_time (microseconds) and close.
        scores: columns symbol, close_time and score; one row for each symbol and close.
        rule: of the book.
        costs: of the market.
        interval: of the bars.

    Raises:
        ValueError: no score has a bar, or there are fewer than two closes from the first score to the last one.
    """
    tape = _Tape.of(bars, scores, costs, interval)
    book, universe = (_Run(len(tape.symbols)) for _ in range(2))
    ended: set[int] = set()
    at_limit = 0
    for number in range(tape.first, tape.end):
        close, score, limited = tape.close(number)
        rates = costs.rates(costs.day(close.time))
        at_limit += int(((book.book.waiting > 0) & limited & ~close.buyable).sum())
        at_limit += int(((book.book.waiting < 0) & limited & ~close.sellable).sum())
        ended.update(np.flatnonzero(close.ended & (book.book.quantity != 0)).tolist())
        decide = (number - tape.first) % rule.every == 0
        book.step(close, score, rates, rule if decide else None)
        universe.step(close, score, _FREE, _BENCHMARK if decide else None)
    curve = book.curve(tape.times[tape.first : tape.end], universe)
    return PaperRecord(
        curve,
        tape.scored_symbols,
        tape.scored,
        scores.height - tape.scored,
        tuple(tape.symbols[each] for each in sorted(ended)),
        at_limit,
        book.unfilled,
    )


class _Run:
    """A book and what it was at each close."""

    def __init__(self, symbols: int) -> None:
        self.book = PaperBook(symbols)
        self.unfilled = 0
        self._ruined = False
        self._rows: list[tuple[float, ...]] = []
        self._fills: list[Fills] = []

    def step(self, close: MarketClose, scores: Floats, rates: CostRates, rule: BookRule | None) -> None:
        """Fill orders, decide if a rule is given, and note equity and positions."""
        fills = Fills() if self._ruined else self.book.fill(close, rates)
        equity = self.book.equity(close.prices)
        self._ruined = self._ruined or equity <= 0
        if rule is not None and not self._ruined:
            traded = close.buyable | close.sellable
            self.book.place(rule.weights(scores, traded, self.book.intended), close)
        values = self.book.values(close.prices)
        long, short = float(values[values > 0].sum()), -float(values[values < 0].sum())
        self._rows.append((equity, long, short, float((values != 0).sum())))
        self._fills.append(fills)
        self.unfilled += fills.unfilled

    def curve(self, times: Ints, benchmark: "_Run") -> BookCurve:
        """Return what was noted.

        Raises:
            ValueError: short positions cost more than the capital.
        """
        if self._ruined:
            raise ValueError(
                "--short: the losses of short positions exceed the capital; sell fewer symbols short"
            )
        equity, long, short, positions = np.array(self._rows).T
        sums = {each.name: np.array([getattr(f, each.name) for f in self._fills]) for each in fields(Fills)}
        return BookCurve(
            times,
            equity,
            np.array([row[0] for row in benchmark._rows]),
            long,
            short,
            sums["bought"] + sums["sold"],
            commission=sums["commission"],
            spread=sums["spread"],
            tax=sums["tax"],
            borrow=sums["borrow"],
            closed=sums["closed"],
            gained=sums["gained"],
            positions=positions.astype(np.int64),
        )


@dataclass(slots=True)
class _Tape:
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
    def of(cls, bars: pl.DataFrame, scores: pl.DataFrame, costs: MarketCosts, interval: str) -> "_Tape":
        """Join bars with scores and order them by close.

        Raises:
            ValueError: see `paper_record`.
        """
        columns = bars.select("symbol", "close_time", "close")
        columns = _with_limits(columns, costs, interval)
        known = scores.filter(pl.col("score").is_finite()).select("symbol", "close_time", "score")
        joined = columns.join(known, on=["symbol", "close_time"], how="left").sort("close_time", "symbol")
        names = joined["symbol"].unique().sort()
        times, number = np.unique(joined["close_time"].to_numpy(), return_inverse=True)
        score = joined["score"].fill_null(float("nan")).to_numpy()
        scored = np.flatnonzero(np.isfinite(score))
        if not len(scored):
            raise ValueError("scores: none has a bar with trades of its symbol and close time")
        first, end = int(number[scored[0]]), int(number[scored[-1]]) + 1
        if end - first < 2:
            raise ValueError("scores: all are of one close; a book needs a later one")
        places = dict(zip(names, range(len(names)), strict=True))
        symbol = joined["symbol"].replace_strict(places, return_dtype=pl.Int64).to_numpy()
        last = np.zeros(len(names), dtype=np.int64)
        last[symbol] = number  # ascending, so that the last one stays
        ended = times[last] < times[-1] - inactive_after(INTERVALS[interval])
        starts = np.searchsorted(number, np.arange(len(times) + 1))
        price = joined["close"].to_numpy()
        prices = np.full(len(names), np.nan)
        before = slice(0, starts[first])
        prices[symbol[before]] = price[before]
        return cls(
            names.to_list(), times, first, end, len(scored), len(np.unique(symbol[scored])), starts, symbol,
            price, score, joined["limit"].to_numpy(), np.where(ended, last + 1, -1), prices,
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
