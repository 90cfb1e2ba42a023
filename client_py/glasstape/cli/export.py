"""`glasstape export`: write signals and outcomes to a file."""

import argparse
import csv
import sys
from collections.abc import Iterable, Iterator
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from glasstape.cli.connect import add_server, connected, reported
from glasstape.replacing import replacing

if TYPE_CHECKING:
    from glasstape import RowValue

HELP = "export signals and outcomes as CSV, JSON lines or Parquet"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments."""
    add_server(parser)
    parser.add_argument(
        "--out", type=Path, help="file to write: .csv, .jsonl or .parquet (default: CSV to standard output)"
    )
    parser.add_argument(
        "--kinds", default="", help="comma-separated kinds: confidence,buy,outcome (default: all)"
    )
    parser.add_argument(
        "--from", dest="first", type=int, default=0, help="first sequence, inclusive (default: the earliest)"
    )
    parser.add_argument(
        "--to", dest="last", type=int, default=0, help="last sequence, inclusive (default: the newest)"
    )
    parser.add_argument("symbols", nargs="*", help="only these symbols (default: all)")


@reported
def run(options: argparse.Namespace) -> int:
    """Export; returns the exit status."""
    suffix = options.out.suffix if options.out else ".csv"
    if suffix not in (".csv", ".jsonl", ".parquet"):
        print(
            f"glasstape export: --out must end in .csv, .jsonl or .parquet, is {options.out}",
            file=sys.stderr,
        )
        return 2
    kinds = [kind for kind in options.kinds.split(",") if kind]
    with connected(options) as client:
        events = client.history(
            symbols=options.symbols,
            kinds=kinds,
            start_sequence=options.first,
            end_sequence=options.last,
        )
        rows = (event.row() for event in events)
        if options.out is None:
            write_csv(rows, sys.stdout)
            return 0
        with replacing(options.out) as draft:
            _write(rows, draft, suffix)
    return 0


def _text_row(row: dict[str, "RowValue"]) -> dict[str, Any]:
    """Return a row whose times are ISO 8601 text."""
    return {name: value.isoformat() if isinstance(value, datetime) else value for name, value in row.items()}


def write_csv(rows: Iterable[dict[str, Any]], file: Any) -> None:
    """Write rows with a header."""
    from glasstape import ROW_COLUMNS

    writer = csv.DictWriter(file, ROW_COLUMNS, lineterminator="\n")
    writer.writeheader()
    writer.writerows(_text_row(row) for row in rows)


def _write(rows: Iterator[dict[str, Any]], path: Path, suffix: str) -> None:
    if suffix == ".parquet":
        import polars as pl

        pl.DataFrame(list(rows), infer_schema_length=None).write_parquet(path)
        return
    with path.open("w", encoding="utf-8", newline="") as file:
        if suffix == ".csv":
            write_csv(rows, file)
        else:
            import json

            file.writelines(json.dumps(_text_row(row), ensure_ascii=False) + "\n" for row in rows)
