"""Options of a paper book, shared by commands."""

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from glasstape_server.cli.arguments import positive

if TYPE_CHECKING:
    import polars as pl

    from glasstape_server.domain.book_rule import BookRule
    from glasstape_server.evaluation.book_result import PaperBookResult
    from glasstape_server.evaluation.book_scores import BookScores
    from glasstape_server.market.trading_costs import MarketCosts

RATES = {
    "commission": "cost of a buy or a sell",
    "half_spread": "cost from the close to the price that is paid",
    "sell_tax": "tax of a sell",
    "borrow": "fee of a short position, for a year",
    "price_limit": "largest daily change of a price, beyond which nothing is filled; 0: none",
}
"""Options that replace rates of the table."""
MOST_TRIALS = 100


def add_book(parser: argparse.ArgumentParser) -> None:
    """Add the options of a paper book and its costs."""
    group = parser.add_argument_group("paper book", "what is held, and what trades cost")
    group.add_argument(
        "--market", metavar="NAME", help="table of costs: kr, us, fx, crypto or free, or one of --costs"
    )
    group.add_argument(
        "--top", type=positive, metavar="K", help="number of symbols to hold, 1/K of the equity each"
    )
    group.add_argument(
        "--threshold",
        type=float,
        metavar="X",
        help="least score of a symbol to hold; without --top, all of them",
    )
    group.add_argument(
        "--keep",
        type=positive,
        metavar="N",
        help="rank up to which a held symbol stays (default: ranks alone decide)",
    )
    group.add_argument(
        "--short", action="store_true", help="also sell the worst symbols short, half of the equity"
    )
    group.add_argument(
        "--every",
        type=positive,
        default=1,
        metavar="N",
        help="closes between decisions (default: %(default)s)",
    )
    group.add_argument(
        "--max-weight",
        type=float,
        default=0.1,
        metavar="W",
        help="largest weight of a symbol without --top, 0-1 (default: %(default)s)",
    )
    group.add_argument(
        "--trials",
        type=positive,
        default=1,
        metavar="N",
        help="books or models that were tried on this period, 1-100; widens intervals (default: %(default)s)",
    )
    group.add_argument("--costs", type=Path, metavar="FILE", help="TOML file of costs in place of the table")
    for name, text in RATES.items():
        option = f"--{name.replace('_', '-')}"
        group.add_argument(
            option, type=float, metavar="RATE", help=f"{text}, as a share (default: of --market)"
        )


def book_rule(options: argparse.Namespace) -> "BookRule":
    """Return the rule of the options.

    Raises:
        ValueError: they contradict each other; the text names the option.
    """
    from glasstape_server.domain.book_rule import BookRule

    if options.top is None and options.threshold is None:
        raise ValueError("--top: a book needs --top K, --threshold X, or both")
    if not 1 <= options.trials <= MOST_TRIALS:
        raise ValueError(f"--trials: must be 1-{MOST_TRIALS}, is {options.trials}")
    names = ("top", "threshold", "keep", "short", "max_weight", "every")
    try:
        return BookRule(**{name: getattr(options, name) for name in names})
    except ValueError as error:
        raise ValueError(_as_option(str(error))) from None


def market_costs(options: argparse.Namespace) -> "MarketCosts":
    """Return the costs of the options.

    Raises:
        ValueError: no market is given, it is unknown, or a rate is outside its range.
        OSError: the file of costs cannot be read.
    """
    from glasstape_server.market.trading_costs import read_costs

    if not options.market:
        raise ValueError(
            "--market: required, because costs decide: kr, us, fx, crypto or free, or one of --costs"
        )
    costs = read_costs(options.market, options.costs)
    try:
        return costs.with_rates({name: getattr(options, name) for name in RATES})
    except ValueError as error:
        raise ValueError(_as_option(str(error))) from None


def paper_book(
    options: argparse.Namespace, scores: "BookScores", closes: "pl.DataFrame", score: str, interval: str
) -> "PaperBookResult":
    """Run a book over scores.

    Args:
        options: of `add_book`.
        scores: that decide.
        closes: of bars with trades; columns symbol, close_time and close.
        score: name of the score.
        interval: of the bars.

    Raises:
        ValueError: an option is invalid, or the scores do not suffice.
        OSError: the file of costs cannot be read.
    """
    from glasstape_server.domain.book_figures import book_figures
    from glasstape_server.evaluation.book_result import PaperBookResult
    from glasstape_server.evaluation.paper_record import paper_record

    rule, costs = book_rule(options), market_costs(options)
    record = paper_record(closes, scores.frame, rule, costs, interval)
    check_top(options, record.symbols)
    figures = book_figures(record.curve, trials=options.trials)
    return PaperBookResult(scores.source, score, rule, costs, interval, record, figures, scores.notes)


def check_top(options: argparse.Namespace, symbols: int) -> None:
    """Check that a book of the best symbols is not one of all of them.

    Raises:
        ValueError: it is.
    """
    if options.top is not None and options.top >= symbols:
        raise ValueError(f"--top: must be less than the {symbols} symbols with a score, is {options.top}")


def _as_option(text: str) -> str:
    name, _, rest = text.partition(":")
    return f"--{name.replace('_', '-')}:{rest}"
