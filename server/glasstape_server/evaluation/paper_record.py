"""A paper book over recorded or out-of-sample scores, and the equal-weighted universe beside it."""

from dataclasses import dataclass, field, fields

import numpy as np
import polars as pl

from glasstape_server.domain.arrays import Floats, Ints
from glasstape_server.domain.book_figures import BookCurve
from glasstape_server.domain.book_rule import BookRule
from glasstape_server.domain.paper_book import CostRates, Fills, MarketClose, PaperBook
from glasstape_server.evaluation.book_tape import Tape
from glasstape_server.market.trading_costs import MarketCosts

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
    tape = Tape.of(bars, scores, costs, interval)
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
