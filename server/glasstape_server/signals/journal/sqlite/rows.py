"""Rows of the journal's tables: how they are written, and how what is read is checked."""

import sqlite3
import zlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from glasstape_server.domain.arrays import Float32s
from glasstape_server.domain.bars import SeriesKey
from glasstape_server.domain.errors import DataLoss
from glasstape_server.domain.signals import Kind, ModelRef
from glasstape_server.signals.journal.chain import follows
from glasstape_server.signals.journal.records import Record

EVENT_COLUMNS = "sequence, event_id, kind, symbol, interval, model, winning, expire_time, payload, chain"
"""Of an event, in the order of `Record`; `model` is a row of the table of models."""


Rows = Callable[[str, Sequence[object]], Sequence[tuple[Any, ...]]]
"""Runs a SELECT with its values."""


class ModelTable:
    """The models that a journal names, by the number of their row. Rows are added and never change.

    What is read of a model is checked with each of its events: the chain covers it.
    """

    def __init__(self, rows: Rows) -> None:
        """Read models with `rows` when one is first named."""
        self._rows = rows
        self._by_number: dict[int, ModelRef] = {}

    def get(self, number: int) -> ModelRef:
        """Return the model of a row.

        Raises:
            DataLoss: there is no such row.
        """
        if number not in self._by_number:
            rows = self._rows("SELECT number, name, version, digest, feature_spec_hash FROM models", ())
            self._by_number = {known: ModelRef(*columns) for known, *columns in rows}
        try:
            return self._by_number[number]
        except KeyError:
            raise damaged(f"model {number!r} is missing") from None


def record_of(row: Sequence[Any], before: bytes, models: ModelTable) -> Record:
    """Return the event of its columns.

    Args:
        row: in the order of `EVENT_COLUMNS`.
        before: chain hash before it.
        models: the journal's models.

    Raises:
        DataLoss: the row is not what was written.
    """
    sequence, event_id, kind, symbol, interval, model, *rest = row
    try:
        record = Record(sequence, event_id, Kind(kind), symbol, interval, models.get(model), *rest)
    except (ValueError, TypeError):
        raise damaged(f"event {sequence} is not what was written") from None
    if not follows(before, record):
        raise damaged(f"event {sequence} is not what was written")
    return record


def insert_records(db: sqlite3.Connection, records: Sequence[Record]) -> None:
    """Write events, and the models among theirs that are new."""
    numbers = {model: _number(db, model) for model in dict.fromkeys(r.model for r in records)}
    db.executemany(
        f"INSERT INTO events ({EVENT_COLUMNS}) VALUES (?,?,?,?,?,?,?,?,?,?)",  # noqa: S608
        (
            (
                r.sequence, r.event_id, int(r.kind), r.symbol, r.interval, numbers[r.model], r.winning,
                r.expire_time, r.payload, r.chain,
            )
            for r in records
        ),
    )  # fmt: skip


def _number(db: sqlite3.Connection, model: ModelRef) -> int:
    """Return the row of a model, which is written if there is none."""
    columns = (model.digest, model.name, model.version, model.feature_spec_hash)
    where = "digest = ? AND name = ? AND version = ? AND feature_spec_hash = ?"
    insert = "INSERT OR IGNORE INTO models (digest, name, version, feature_spec_hash) VALUES (?,?,?,?)"
    db.execute(insert, columns)
    return int(db.execute(f"SELECT number FROM models WHERE {where}", columns).fetchone()[0])  # noqa: S608


def insert_windows(db: sqlite3.Connection, records: Iterable[Record], windows: Float32s) -> None:
    """Write the window of each confidence among `records`, in their order."""
    sequences = [record.sequence for record in records if record.kind is Kind.CONFIDENCE]
    data = windows.tobytes()
    size = len(data) // max(1, len(windows))
    rows = ((s, data[place * size : (place + 1) * size]) for place, s in enumerate(sequences))
    db.executemany(
        "INSERT INTO windows (sequence, data, checksum) VALUES (?,?,?)",
        ((s, window, window_checksum(s, window)) for s, window in rows),
    )


def insert_progress(db: sqlite3.Connection, progress: Mapping[SeriesKey, int]) -> None:
    """Write up to which bar each series is processed."""
    db.executemany(
        "INSERT OR REPLACE INTO progress VALUES (?,?,?,?)",
        ((*key, time, progress_checksum(*key, time)) for key, time in progress.items()),
    )


def window_checksum(sequence: int, data: object) -> int:
    """Return the CRC-32 of a row of windows, which the chain does not cover; -1 for what is no window."""
    return zlib.crc32(data, zlib.crc32(b"%d" % sequence)) if isinstance(data, bytes) else -1


def progress_checksum(symbol: object, interval: object, close_time: object) -> int:
    """Return the CRC-32 of a row of progress, which the chain does not cover."""
    return zlib.crc32(f"{symbol!r} {interval!r} {close_time!r}".encode())


def blob(value: object, name: str) -> bytes:
    """Return bytes as they were written: a damaged row may hold a text or a number of the same length.

    Raises:
        DataLoss: the value is not bytes.
    """
    if not isinstance(value, bytes):
        raise damaged(f"{name} is not what was written")
    return value


def damaged(reason: str) -> DataLoss:
    """Return the error of a damaged journal."""
    return DataLoss("JOURNAL_DAMAGED", f"journal: {reason}; `glasstape doctor --journal` says more")
