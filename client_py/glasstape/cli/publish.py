"""`glasstape publish`: publish bars of a CSV file."""

import argparse
import sys
from datetime import time
from itertools import groupby
from operator import attrgetter
from pathlib import Path

from glasstape.cli.connect import add_json, add_server, connected, print_json, reported

HELP = "publish bars of a CSV file"
BATCH = 16_384
"""Bars of one call where closes need not stay together."""
MODES = ("final", "backfill", "replace", "provisional")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments."""
    add_server(parser)
    add_json(parser)
    parser.add_argument(
        "file",
        type=Path,
        help="CSV with a header: symbol, date or datetime, open, high, low, close, volume",
    )
    parser.add_argument("--interval", default="1d", help="bar interval (default: %(default)s)")
    parser.add_argument("--symbol", default="", help="symbol of a file without such a column")
    parser.add_argument(
        "--time-zone",
        default="UTC",
        help="IANA time zone of times without an offset (default: %(default)s)",
    )
    parser.add_argument("--close", help="local closing time of rows with a date only, HH:MM")
    parser.add_argument(
        "--mode",
        choices=MODES,
        default="final",
        help="final: store and signal; backfill: store history without signals; replace: correct stored bars; "
        "provisional: bars still forming (default: %(default)s)",
    )


@reported
def run(options: argparse.Namespace) -> int:
    """Publish; the exit status is 1 if a bar was rejected."""
    from glasstape import Bar, PublishReport
    from glasstape.cli.csv_bars import read_bars

    try:
        close = None if options.close is None else time.fromisoformat(options.close)
    except ValueError:
        print(f"glasstape publish: --close: must be HH:MM, is {options.close!r}", file=sys.stderr)
        return 2
    rows = read_bars(
        options.file,
        options.interval,
        symbol=options.symbol,
        time_zone=options.time_zone,
        close=close,
    )
    bars = sorted(rows, key=attrgetter("close_time"))
    batches: list[list[Bar]]
    if options.mode == "final":  # the bars of a close are signaled in one transaction
        batches = [list(group) for _, group in groupby(bars, key=attrgetter("close_time"))]
    else:
        batches = [bars[first : first + BATCH] for first in range(0, len(bars), BATCH)]
    reports: list[PublishReport] = []
    with connected(options) as client:
        for batch in batches:
            report = client.publish_bars(batch, mode=options.mode)
            reports.append(report)
            for rejection in report.rejections:
                bar = batch[rejection.index]
                print(
                    f"rejected: {bar.symbol} {bar.close_time.isoformat()}: {rejection.error}",
                    file=sys.stderr,
                )
    total = {
        name: sum(getattr(report, name) for report in reports)
        for name in ("stored", "duplicates", "halted", "provisional", "replaced", "rejected")
    }
    if options.json:
        print_json(total)
    else:
        print(", ".join(f"{value} {name}" for name, value in total.items()))
    return int(total["rejected"] > 0)
