"""`glasstape export`: signals and outcomes for spreadsheets and notebooks."""

import argparse
import csv
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from glasstape.cli.connect import add_server, connected, reported

if TYPE_CHECKING:
    from glasstape import Event

HELP = "write signals and outcomes as CSV, JSON lines or Parquet"

COLUMNS = (
    "sequence", "kind", "symbol", "interval", "bar_close_time", "publish_time", "model", "version", "digest",
    "direction", "down", "flat", "up", "abstained", "novelty", "close", "expire_time", "data_state",
    "confidence_sequence", "realised", "realised_return", "hit",
)  # fmt: skip


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Arguments of the command."""
    add_server(parser)
    parser.add_argument("--out", type=Path, help=".csv, .jsonl or .parquet (default: CSV to standard output)")
    parser.add_argument("--kinds", default="", help="comma-separated: confidence,buy,outcome (default: all)")
    parser.add_argument("--from", dest="first", type=int, default=0, help="first sequence")
    parser.add_argument("--to", dest="last", type=int, default=0, help="last sequence")
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
        rows = (row_of(event) for event in events)
        if options.out is None:
            write_csv(rows, sys.stdout)
            return 0
        # Complete or not at all: an export that breaks off must not look finished.
        draft = options.out.with_name(options.out.name + ".part")
        try:
            _write(rows, draft, suffix)
            draft.replace(options.out)
        finally:
            draft.unlink(missing_ok=True)
    return 0


def row_of(event: "Event") -> dict[str, Any]:
    """One event as a flat row; what a kind does not have is None."""
    from glasstape import BuyEvent, ConfidenceEvent, OutcomeEvent

    row: dict[str, Any] = dict.fromkeys(COLUMNS)
    row.update(
        sequence=event.sequence, symbol=event.symbol, interval=event.interval,
        bar_close_time=event.bar_close_time.isoformat(), publish_time=event.publish_time.isoformat(),
        model=event.model.name, version=event.model.version, digest=event.model.digest,
    )  # fmt: skip
    if isinstance(event, ConfidenceEvent | BuyEvent):
        signal = event.signal
        row.update(
            kind=event.kind.value, close=signal.bar.close, expire_time=signal.expire_time.isoformat(),
            data_state=signal.data_state.value, **_confidence(signal.confidence),
        )  # fmt: skip
        row["confidence_sequence"] = event.confidence_sequence if isinstance(event, BuyEvent) else None
    elif isinstance(event, OutcomeEvent):
        row.update(
            kind=event.kind.value, confidence_sequence=event.confidence_sequence, realised=event.realised.name,
            realised_return=event.realised_return, hit=event.hit, **_confidence(event.confidence),
        )  # fmt: skip
    return row


def write_csv(rows: Iterable[dict[str, Any]], file: Any) -> None:
    """Rows with a header."""
    writer = csv.DictWriter(file, COLUMNS, lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)


def _confidence(said: Any) -> dict[str, Any]:
    return {
        "direction": said.direction.name, "down": said.down, "flat": said.flat, "up": said.up,
        "abstained": said.abstained, "novelty": said.novelty,
    }  # fmt: skip


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

            file.writelines(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)
