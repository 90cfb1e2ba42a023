"""`glasstape publish`: publish bars of files."""

import argparse
import sys
from collections import Counter
from collections.abc import Sequence
from importlib.metadata import entry_points
from itertools import groupby
from operator import attrgetter
from pathlib import Path

from glasstape.barfile import BarFile, BarFileError, BarFileOptions, read_bar_file
from glasstape.barfile.arguments import add_bar_file_arguments, options_from
from glasstape.barfile.content import is_parquet
from glasstape.barfile.paths import bar_file_paths
from glasstape.barfile.summary import FileSummary, shown_notes
from glasstape.cli.connect import add_json, add_server, connected, print_json, reported

HELP = "publish bars of files"
READERS = "glasstape.readers"
"""Entry points that read files other than text: functions like `read_bar_file`, by format."""
BATCH = 16_384
"""Bars of one call where closes need not stay together."""
MODES = ("final", "backfill", "replace", "provisional")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments."""
    add_file_arguments(parser)
    parser.add_argument(
        "--mode",
        choices=MODES,
        default="final",
        help="final: store and signal; backfill: store history without signals; replace: correct stored bars; "
        "provisional: bars still forming (default: %(default)s)",
    )
    parser.add_argument(
        "--backfill", dest="mode", action="store_const", const="backfill", help="short for --mode backfill"
    )


def add_file_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of a server and of a bar file."""
    add_server(parser)
    add_json(parser)
    parser.add_argument(
        "file", nargs="+", help="CSV files, or Parquet with the extra `server`; folders or patterns of them"
    )
    parser.add_argument("--interval", default="1d", help="bar interval (default: %(default)s)")
    add_bar_file_arguments(parser)
    parser.add_argument(
        "--instruments",
        type=Path,
        metavar="FILE",
        help="table that describes the instruments (default: FILE.instruments.csv beside the bars, if it exists)",
    )


@reported
def run(options: argparse.Namespace) -> int:
    """Publish; the exit status is 1 if a bar was rejected."""
    from glasstape import Bar, PublishReport, Rejection
    from glasstape.cli.instrument_file import instruments_beside, publish_instruments
    from glasstape.cli.rejections import grouped

    try:
        paths = bar_file_paths(options.file)
        files = [_read(path, options.interval, options_from(options)) for path in paths]
        instruments = [item for file in files for item in file.instruments]
        for path in paths[:1] if options.instruments else paths:
            instruments += instruments_beside(path, options.instruments)
    except BarFileError as error:
        print(f"glasstape publish: {error}", file=sys.stderr)
        return 2
    every = [bar for file in files for bar in file.bars]
    notes = [note for file in files for note in file.notes]
    print(*shown_notes(notes, _summary(files), verbose=options.verbose), sep="\n", file=sys.stderr)
    batches: list[list[Bar]]
    if options.mode == "final":  # the bars of a close are signaled in one transaction
        bars = sorted(every, key=attrgetter("close_time"))
        batches = [list(group) for _, group in groupby(bars, key=attrgetter("close_time"))]
    else:  # whole series, so that the server sees their pauses in trading
        bars = sorted(every, key=attrgetter("symbol", "close_time"))
        batches = [bars[first : first + BATCH] for first in range(0, len(bars), BATCH)]
    reports: list[PublishReport] = []
    rejected: list[tuple[Bar, Rejection]] = []
    try:
        with connected(options) as client:
            publish_instruments(client, instruments)
            for batch in batches:
                report = client.publish_bars(batch, mode=options.mode)
                reports.append(report)
                rejected += [(batch[item.index], item) for item in report.rejections]
    finally:  # what was rejected before a call failed is reported, too
        unlisted = sum(report.rejected for report in reports) - len(rejected)
        for line in grouped(rejected, unlisted):
            print(line, file=sys.stderr)
    total = {
        name: sum(getattr(report, name) for report in reports)
        for name in ("stored", "duplicates", "halted", "provisional", "replaced", "rejected")
    }
    if options.json:
        print_json(total)
    else:
        print(", ".join(f"{value} {name}" for name, value in total.items()))
    return int(total["rejected"] > 0)


def _summary(files: Sequence[BarFile]) -> FileSummary:
    bars = [bar for file in files for bar in file.bars]
    first, last = (
        round(bound(bar.close_time for bar in bars).timestamp() * 1_000_000) for bound in (min, max)
    )
    left_out = sum((file.left_out for file in files), Counter[str]())
    return FileSummary(len(files), len({bar.symbol for bar in bars}), len(bars), first, last, left_out)


def _read(path: Path, interval: str, options: BarFileOptions) -> BarFile:
    """Return the bars of a text file, or of a Parquet file where a reader is installed.

    Raises:
        BarFileError: they cannot be read, or no reader is installed.
    """
    if not is_parquet(path):
        return read_bar_file(path, interval, options)
    for entry in entry_points(group=READERS, name="parquet"):
        file: BarFile = entry.load()(path, interval, options)
        return file
    raise BarFileError(f"{path}: is Parquet: install 'glasstape[server]' to read it, or save it as CSV")
