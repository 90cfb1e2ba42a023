"""`glasstape export`: write signals and outcomes to a file."""

import argparse
import csv
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from glasstape.cli.connect import add_server, connected, reported

if TYPE_CHECKING:
    from glasstape import Confidence, Event

HELP = "export signals and outcomes as CSV, JSON lines or Parquet"

COLUMNS = (
    "sequence", "kind", "symbol", "interval", "bar_close_time", "publish_time", "model", "version", "digest",
    "direction", "down", "flat", "up", "abstained", "novelty", "close", "expire_time", "data_state",
    "confidence_sequence", "realized", "realized_return", "hit",
    "missing_bars",
)  # fmt: skip


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
        rows = (row_of(event) for event in events)
        if options.out is None:
            write_csv(rows, sys.stdout)
            return 0
        # Replace the target only when the export is complete.
        draft = options.out.with_name(options.out.name + ".part")
        try:
            _write(rows, draft, suffix)
            draft.replace(options.out)
        finally:
            draft.unlink(missing_ok=True)
    return 0


def row_of(event: "Event") -> dict[str, Any]:
    """Return an event as a flat row; columns that its kind lacks are None."""
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
            data_state=signal.data_state.value, missing_bars=signal.missing_bars,
            **_probabilities(signal.probabilities),
        )  # fmt: skip
        row["confidence_sequence"] = event.confidence_sequence if isinstance(event, BuyEvent) else None
    elif isinstance(event, OutcomeEvent):
        row.update(
            kind=event.kind.value, confidence_sequence=event.confidence_sequence, realized=event.realized.name,
            realized_return=event.realized_return, hit=event.hit, **_probabilities(event.probabilities),
        )  # fmt: skip
    return row


def write_csv(rows: Iterable[dict[str, Any]], file: Any) -> None:
    """Write rows with a header."""
    writer = csv.DictWriter(file, COLUMNS, lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)


def _probabilities(confidence: "Confidence") -> dict[str, Any]:
    return {
        "direction": confidence.direction.name,
        "down": confidence.down,
        "flat": confidence.flat,
        "up": confidence.up,
        "abstained": confidence.abstained,
        "novelty": confidence.novelty,
    }


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
