"""`glasstape portfolio`: what a book that follows scores or signals would have earned, on paper."""

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from glasstape_server.cli.arguments import nonempty_path
from glasstape_server.cli.book_options import add_book, book_rule, market_costs, paper_book
from glasstape_server.cli.data import DataSource, add_bars

if TYPE_CHECKING:
    import polars as pl

    from glasstape_server.evaluation.book_scores import BookScores

HELP = "Run a paper portfolio over a model, saved predictions or a journal, with costs and intervals"
REPORT, DATA = "portfolio.html", "portfolio.json"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of the command."""
    source = parser.add_mutually_exclusive_group(required=True)
    source.add_argument(
        "--model", type=nonempty_path, metavar="ARTIFACT", help="folder of a trained model, NAME/VERSION"
    )
    source.add_argument(
        "--predictions",
        type=nonempty_path,
        metavar="FILE",
        help="predictions that --save-predictions has written",
    )
    source.add_argument(
        "--journal",
        type=nonempty_path,
        metavar="DATA_DIR",
        help="data folder of a server: its signals and bars",
    )
    parser.add_argument(
        "--candidate",
        default="",
        metavar="NAME",
        help="whose predictions or signals to take (default: the only ones)",
    )
    parser.add_argument(
        "--score",
        default="direction",
        help="direction: p(UP) - p(DOWN); up: p(UP); or a column of --predictions (default: %(default)s)",
    )
    add_bars(parser)
    add_book(parser)
    parser.add_argument("--json", action="store_true", help="print JSON instead of text")
    parser.add_argument(
        "--out", type=nonempty_path, metavar="FOLDER", help=f"folder to write {REPORT} and {DATA} to"
    )


def run(options: argparse.Namespace) -> int:
    """Run the command; return the exit status.

    Raises:
        BrokenPipeError: the reader of standard output has ended.
    """
    from glasstape_server.domain.errors import GlasstapeError
    from glasstape_server.models.artifact import ArtifactError

    try:
        book_rule(options)  # before anything is read
        market_costs(options)
        found = _scores(options)
        if found is None:
            print("glasstape portfolio: nothing was computed", file=sys.stderr)
            return 1
        result = paper_book(options, *found[:2], options.score, found[2])
        from glasstape_server.evaluation import book_report

        if options.out:
            from glasstape_server.storage import files

            options.out.mkdir(parents=True, exist_ok=True)
            contents = {DATA: book_report.json_text(result), REPORT: book_report.to_html([result])}
            for name, content in contents.items():
                files.write(options.out / name, content)
    except KeyboardInterrupt:
        print("glasstape portfolio: interrupted", file=sys.stderr)
        return 130
    except BrokenPipeError:
        raise
    except (ValueError, OSError, ArtifactError, GlasstapeError) as error:
        print(f"glasstape portfolio: {error}", file=sys.stderr)
        return 1
    if options.json:
        from glasstape.cli.connect import print_json

        print_json(book_report.to_json(result))
    else:
        print(book_report.to_text(result))
    if options.out:
        print(options.out / REPORT, file=sys.stderr)
    return 0


def _scores(options: argparse.Namespace) -> "tuple[BookScores, pl.DataFrame, str] | None":
    """Return scores, closes of bars with trades, and their interval; None if the bars are rejected.

    Raises:
        ValueError: an argument or a file is invalid.
        ArtifactError: the model is damaged.
        GlasstapeError: the journal or the stored bars are damaged, or cannot be read now.
        OSError: a file cannot be read.
    """
    import polars as pl

    if options.journal:
        from glasstape_server.cli.journal_scores import journal_scores

        if options.data:
            raise ValueError("BARS: must not be given with --journal, which has its own")
        return *journal_scores(
            options.journal, options.interval, options.score, options.candidate
        ), options.interval
    if not options.data:
        raise ValueError("BARS: required with --model and --predictions: CSV or Parquet files, or 'sample'")
    from glasstape_server.evaluation import book_scores

    if options.model:
        from glasstape_server.models.artifact import load

        if options.candidate:
            raise ValueError("--candidate: must not be given with --model, which is one")
        model = load(options.model)
        if model.manifest.interval != options.interval:
            raise ValueError(
                f"--interval: must be {model.manifest.interval}, that of the model, is {options.interval}"
            )
        source = DataSource(options, model.spec.min_bars)
        if not source.inspect():
            return None
        bars = list(source.chunks())
        scores = book_scores.model_scores(model, bars, source.time_zone, options.score)
    else:
        scores = book_scores.saved_scores(Path(options.predictions), options.score, options.candidate)
        source = DataSource(options, 1)
        if not source.inspect():
            return None
        bars = list(source.chunks())
    closes = pl.concat([each.frame.select("symbol", "close_time", "close") for each in bars])
    return scores, closes, options.interval
