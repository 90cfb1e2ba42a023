"""`glasstape publish`: bars of a CSV file into the server."""

import argparse
import sys
from datetime import time
from itertools import groupby
from operator import attrgetter
from pathlib import Path

from glasstape.cli.connect import add_json, add_server, connected, print_json, reported

HELP = "publish bars of a CSV file"
HISTORY_BATCH = 16_384


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Arguments of the command."""
    add_server(parser)
    add_json(parser)
    parser.add_argument(
        "file",
        type=Path,
        help="CSV with a header: symbol, date or datetime, open, high, low, close, volume",
    )
    parser.add_argument("--interval", default="1d", help="length of the bars (default: %(default)s)")
    parser.add_argument("--symbol", default="", help="symbol of a file without such a column")
    parser.add_argument(
        "--time-zone",
        default="UTC",
        help="IANA zone of times without offset (default: %(default)s)",
    )
    parser.add_argument("--close", help="local closing time of rows that carry a date alone, HH:MM")
    parser.add_argument("--backfill", action="store_true", help="load history: make no signals")


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
    if options.backfill:
        batches = [bars[first : first + HISTORY_BATCH] for first in range(0, len(bars), HISTORY_BATCH)]
    else:
        batches = [list(group) for _, group in groupby(bars, key=attrgetter("close_time"))]
    reports: list[PublishReport] = []
    with connected(options) as client:
        for batch in batches:
            report = client.publish_bars(batch, backfill=options.backfill)
            reports.append(report)
            for rejection in report.rejections:
                bar = batch[rejection.index]
                print(
                    f"rejected: {bar.symbol} {bar.close_time.isoformat()}: {rejection.error}",
                    file=sys.stderr,
                )
    total = {
        name: sum(getattr(report, name) for report in reports)
        for name in ("stored", "duplicates", "halted", "provisional", "rejected")
    }
    if options.json:
        print_json(total)
    else:
        print(", ".join(f"{value} {name}" for name, value in total.items()))
    return int(total["rejected"] > 0)
