"""Watch rows as CSV, with sequences and digests to look them up."""

import csv
from collections.abc import Iterable
from pathlib import Path

from glasstape_qt.state.watch_row import WatchRow
from glasstape_qt.views.watch.table_clipboard import escape_formula

CSV_COLUMNS = (
    "sequence", "symbol", "name", "bar_close_time", "close", "change", "down", "flat", "up", "direction",
    "abstained", "novelty", "expire_time", "model", "model_digest", "data_state", "rank_score", "close_rank",
    "close_size",
)  # fmt: skip


def write_csv(path: Path, rows: Iterable[WatchRow]) -> None:
    """Write rows in their order.

    Raises:
        OSError: the file cannot be written.
    """
    with path.open("w", newline="", encoding="utf-8-sig") as file:
        writer = csv.writer(file)
        writer.writerow(CSV_COLUMNS)
        for row in rows:
            event, signal, confidence = row.event, row.event.signal, row.event.signal.probabilities
            name = row.instrument.local_name or row.instrument.name
            writer.writerow(
                [event.sequence, escape_formula(row.symbol), escape_formula(name),
                 event.bar_close_time.isoformat(), signal.bar.close, signal.change, confidence.down,
                 confidence.flat, confidence.up, confidence.direction.name, confidence.abstained,
                 confidence.novelty, signal.expire_time.isoformat(),
                 f"{event.model.name}@{event.model.version}", event.model.digest, signal.data_state.value,
                 signal.rank_score, signal.close_rank, signal.close_size]
            )  # fmt: skip
