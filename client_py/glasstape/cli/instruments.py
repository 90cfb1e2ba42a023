"""`glasstape instruments`: list the instruments of a server, or import their descriptions."""

import argparse
import csv
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from glasstape.cli.connect import add_json, add_server, connected, print_json, reported, wide_console

if TYPE_CHECKING:
    from glasstape import Instrument

HELP = "list or import descriptions of instruments"
COLUMNS = (
    "symbol", "name", "local_name", "exchange", "time_zone", "currency", "tick_size", "price_decimals", "price_limit",
    "sector", "industry",
)  # fmt: skip
"""Columns of a list, which `import` reads again."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments."""
    actions = parser.add_subparsers(dest="action", required=True, metavar="ACTION")
    listing = actions.add_parser("list", help="list instruments", description="List instruments.")
    add_server(listing)
    add_json(listing)
    listing.add_argument(
        "--csv", action="store_true", help="print CSV that `import` reads, without learned and assumed values"
    )
    listing.add_argument("symbols", nargs="*", help="only these symbols (default: all)")
    importing = actions.add_parser(
        "import",
        help="import descriptions from a table",
        description="Import descriptions from a table. Fields without a column or value keep what the server has.",
    )
    add_server(importing)
    add_json(importing)
    importing.add_argument(
        "file", type=Path, help="CSV or Parquet with a title row: symbol, name, exchange, sector ..."
    )
    importing.add_argument(
        "--dry-run", action="store_true", help="print what would be imported, send nothing"
    )


@reported
def run(options: argparse.Namespace) -> int:
    """List or import; returns the exit status."""
    return _list(options) if options.action == "list" else _import(options)


def _list(options: argparse.Namespace) -> int:
    wanted = set(options.symbols)
    with connected(options) as client:
        found = [item for item in client.instruments() if not wanted or item.symbol in wanted]
    missing = wanted - {item.symbol for item in found}
    if options.json:
        for item in found:
            print_json(item)
    elif options.csv:
        _write_csv(found)
    else:
        _print_table(found)
    if missing:
        print(f"glasstape instruments: unknown symbols: {', '.join(sorted(missing))}", file=sys.stderr)
    return int(bool(missing))


def _import(options: argparse.Namespace) -> int:
    from glasstape.cli.instrument_file import publish_instruments, read_instruments

    table = read_instruments(options.file)
    if table.ignored:
        print(f"ignored columns: {', '.join(table.ignored)}", file=sys.stderr)
    found = table.instruments
    if options.dry_run:
        _write_csv(found)
        return 0
    with connected(options) as client:
        publish_instruments(client, found)
    if options.json:
        print_json({"imported": len(found)})
    else:
        print(f"{len(found)} instruments imported")
    return 0


def _write_csv(instruments: "Sequence[Instrument]") -> None:
    writer = csv.writer(sys.stdout, lineterminator="\n")
    writer.writerow(COLUMNS)
    for item in instruments:
        unstated = {*item.learned, *item.assumed}
        writer.writerow(["" if name in unstated else _text(getattr(item, name)) for name in COLUMNS])


def _print_table(instruments: "Sequence[Instrument]") -> None:
    """Print a table; `~` marks learned values, `?` assumed ones."""
    from rich.table import Table
    from rich.text import Text

    table = Table(*COLUMNS, caption="~ learned from the bars   ? assumed", caption_justify="left")
    for item in instruments:
        marks = dict.fromkeys(item.learned, "~") | dict.fromkeys(item.assumed, "?")
        table.add_row(*(Text(_text(getattr(item, name)) + marks.get(name, "")) for name in COLUMNS))
    wide_console().print(table)


def _text(value: str | float | None) -> str:
    return "" if value is None else f"{value:.12g}" if isinstance(value, float) else str(value)
