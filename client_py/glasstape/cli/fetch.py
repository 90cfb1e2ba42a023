"""`glasstape fetch`: write the history of a market to a file."""

import argparse
import asyncio
import importlib.util
import logging
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from glasstape.cli.follow_options import add_interval, moment

if TYPE_CHECKING:
    from glasstape.sources.fetcher import Fetcher, FetchRequest
    from glasstape.sources.history_parts import HistoryParts
    from glasstape.sources.source import Source
    from glasstape.types.market import Instrument

HELP = "write the history of a market to a file"
SUFFIXES = (".csv", ".parquet")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add a subcommand for each source."""
    from glasstape.sources.registry import add_sources

    for own in add_sources(parser):
        own.add_argument("symbols", nargs="+", metavar="SYMBOL", help="symbols as on the market")
        add_interval(own, "1d")
        own.add_argument("--since", type=moment, required=True, metavar="DATE", help="start of the history")
        own.add_argument(
            "--until", type=moment, metavar="DATE", help="end of the history (default: the market's time)"
        )
        own.add_argument(
            "--out",
            type=Path,
            required=True,
            metavar="FILE",
            help="file to write, .csv or .parquet; FILE.parts holds partial results, which the same command continues",
        )


def run(options: argparse.Namespace) -> int:
    """Fetch; the exit status is 1 if a symbol is missing or the market does not answer, 2 if it refuses."""
    from glasstape.sources.errors import SourceError, SourceUnavailableError

    logging.basicConfig(level=logging.WARNING, format="%(message)s")
    try:
        return asyncio.run(_fetch(options))
    except SourceUnavailableError as error:
        print(f"glasstape fetch: {error}", file=sys.stderr)
        return 1
    except (SourceError, ValueError, OSError) as error:
        print(f"glasstape fetch: {error}", file=sys.stderr)
        return 2


async def _fetch(options: argparse.Namespace) -> int:
    from glasstape.cli.history_progress import HistoryProgress
    from glasstape.sources.fetcher import Fetcher, FetchRequest
    from glasstape.sources.history_parts import HistoryParts

    _check(options)
    source: Source = options.source_class.from_options(options)
    request = FetchRequest(
        symbols=options.symbols, interval=options.interval, since=options.since, until=options.until
    )
    try:
        with HistoryProgress() as progress:
            parts = HistoryParts(options.out, _described(options))
            fetcher = Fetcher(source, request, parts, progress.update)
            instruments = await fetcher.run()
        return _finish(fetcher, request, parts, instruments, options.out)
    finally:
        await source.close()


def _check(options: argparse.Namespace) -> None:
    """Check the options before anything is fetched.

    Raises:
        ValueError: a value breaks a rule.
    """
    suffix = options.out.suffix.lower()
    if suffix not in SUFFIXES:
        raise ValueError(f"--out: must end in .csv or .parquet, is {options.out.name!r}")
    if suffix == ".parquet" and importlib.util.find_spec("polars") is None:
        raise ValueError("--out: a .parquet file requires polars: pip install polars, or choose a .csv file")
    if options.until is not None and options.until <= options.since:
        raise ValueError(f"--until: must be after --since ({options.since}), is {options.until}")


def _described(options: argparse.Namespace) -> dict[str, str]:
    """Return what must be equal for partial results to be continued."""
    own = {name: str(getattr(options, name)) for name in options.source_options if name != "credentials"}
    return {"source": options.source, "interval": options.interval, "since": options.since.isoformat(), **own}


def _finish(
    fetcher: "Fetcher",
    request: "FetchRequest",
    parts: "HistoryParts",
    instruments: "Sequence[Instrument]",
    out: Path,
) -> int:
    """Write the finished files, remove the parts, and return the exit status."""
    from glasstape.sources.history_parts import write_instruments

    symbols = list(dict.fromkeys(request.symbols))
    if out.suffix.lower() == ".parquet":
        parts.write_parquet(symbols, out)
    else:
        parts.write_csv(symbols, out)
    beside = out.with_name(f"{out.stem}.instruments.csv")
    write_instruments(instruments, beside)
    parts.remove()
    print(f"{out} and {beside}")
    for error in fetcher.removed:
        print(f"glasstape fetch: {error}", file=sys.stderr)
    return int(bool(fetcher.removed))
