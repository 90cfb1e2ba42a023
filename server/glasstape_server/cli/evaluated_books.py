"""Paper books of an evaluation: options, and the books of all fitted candidates."""

import argparse
from collections.abc import Sequence
from typing import TYPE_CHECKING

from glasstape_server.cli.book_options import book_rule, market_costs, paper_book
from glasstape_server.cli.data import DataSource

if TYPE_CHECKING:
    from glasstape_server.evaluation.book_result import PaperBookResult
    from glasstape_server.evaluation.candidates import EvaluationPlan, FoldResult
    from glasstape_server.training.dataset import Dataset


def wants_books(options: argparse.Namespace) -> bool:
    """Return whether the options describe a paper book, after checking them.

    Raises:
        ValueError: an option of it is missing or invalid.
        OSError: the file of costs cannot be read.
    """
    if options.market is None and options.top is None and options.threshold is None:
        return False
    market_costs(options)
    book_rule(options)
    return True


def evaluated_books(
    options: argparse.Namespace,
    source: DataSource,
    data: "Dataset",
    plan: "EvaluationPlan",
    results: "Sequence[FoldResult]",
) -> "list[PaperBookResult]":
    """Return the paper book of every candidate that is fitted.

    Raises:
        ValueError: there are fewer symbols than the book holds.
        OSError: a file cannot be read.
    """
    import polars as pl

    from glasstape_server.evaluation.book_scores import DIRECTION
    from glasstape_server.evaluation.fold_scores import fold_scores

    closes = pl.concat([bars.frame.select("symbol", "close_time", "close") for bars in source.chunks()])
    scores = fold_scores(data, plan, results)
    return [paper_book(options, each, closes, DIRECTION, options.interval) for each in scores]
