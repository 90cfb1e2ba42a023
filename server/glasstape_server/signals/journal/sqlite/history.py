"""Reads of the embedded journal's file. Every record is checked against the chain whenever it is read."""

import sqlite3
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from glasstape_server.domain.bars import SeriesKey
from glasstape_server.domain.errors import Unavailable
from glasstape_server.domain.signals import Kind
from glasstape_server.signals.journal.chain import NO_CHAIN
from glasstape_server.signals.journal.records import Bounds, Record, Selection
from glasstape_server.signals.journal.sqlite.rows import (
    EVENT_COLUMNS,
    ModelTable,
    blob,
    damaged,
    progress_checksum,
    record_of,
    window_checksum,
)
from glasstape_server.storage.sqlite import UNREADABLE, connect, is_transient

_BEFORE = """coalesce(
    (SELECT p.chain FROM events p WHERE p.sequence = events.sequence - 1),
    (SELECT value FROM meta WHERE name = 'chain_before'), x'0000000000000000')"""
"""Chain hash before a record, of the same moment as the record."""
_LATEST = """WHERE sequence IN (
    SELECT max(newest) FROM (
        SELECT symbol, interval, model, max(sequence) AS newest FROM events WHERE kind = 1
        GROUP BY symbol, interval, model)
    JOIN models ON models.number = model GROUP BY symbol, interval, name
) OR (kind = 2 AND expire_time > ?) ORDER BY sequence"""
_CHECKED_AT_ONCE = 10_000
"""Events that are read at once to be checked."""


class SqliteHistory:
    """See `History`. One connection for each thread that reads."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._models = ModelTable(self._rows)
        self._connections = threading.local()
        self._all_connections: list[sqlite3.Connection] = []
        self._checked_from = 1

    def check(self, bounds: Bounds, newest: int) -> None:
        """Check the newest events and the progress; older events are checked when they are read.

        Raises:
            DataLoss: they are not what was written.
        """
        self._checked_from = bounds.head + 1
        self._check_from(max(bounds.earliest, bounds.head - newest + 1))
        self.progress()

    def read(self, after: int, limit: int) -> list[Record]:
        """See `History.read`."""
        records = self._select("WHERE sequence > ? ORDER BY sequence LIMIT ?", (after, limit))
        for place, record in enumerate(records):
            if record.sequence != records[0].sequence + place:
                raise damaged(f"event {records[0].sequence + place} is missing")
        return records

    def page(self, selection: Selection, first: int, last: int, limit: int, descending: bool) -> list[Record]:
        """See `History.page`."""
        self._check_from(first)
        where = ["sequence BETWEEN ? AND ?"]
        arguments: list[object] = [first, last]
        if selection.kinds is not None:
            # The plus keeps SQLite from gathering and sorting everything of a kind for each page.
            where.append(f"+kind IN ({','.join('?' * len(selection.kinds))})")
            arguments += [int(kind) for kind in selection.kinds]
        if selection.symbols is not None:
            where.append(f"symbol IN ({','.join('?' * len(selection.symbols))})")
            arguments += selection.symbols
        if selection.min_confidence > 0:
            where.append("(winning >= ? OR kind = ?)")
            arguments += [selection.min_confidence, int(Kind.OUTCOME)]
        order = "DESC" if descending else "ASC"
        clause = f"WHERE {' AND '.join(where)} ORDER BY sequence {order} LIMIT ?"
        return self._select(clause, (*arguments, limit))

    def record(self, sequence: int) -> Record | None:
        """See `History.record`."""
        records = self._select("WHERE sequence = ?", (sequence,))
        return records[0] if records else None

    def chain_at(self, sequence: int) -> bytes | None:
        """See `History.chain_at`."""
        if sequence == 0:
            return NO_CHAIN
        record = self.record(sequence)
        if record is not None:
            return record.chain
        rows = self._rows(
            "SELECT value FROM meta WHERE name = 'chain_before' AND ? = (SELECT min(sequence) - 1 FROM events)",
            (sequence,),
        )
        if not rows:
            return None
        self.record(sequence + 1)  # which follows it, or is damaged
        return blob(rows[0][0], f"the chain at {sequence}")

    def window(self, sequence: int) -> bytes | None:
        """See `History.window`."""
        record = self.record(sequence)
        if record is None or record.kind is Kind.OUTCOME:
            return None
        own = sequence if record.kind is Kind.CONFIDENCE else sequence - 1
        rows = self._rows("SELECT data, checksum FROM windows WHERE sequence = ?", (own,))
        if not rows:
            return None
        data, check = rows[0]
        if check != window_checksum(own, data):
            raise damaged(f"the window of event {own} is not what was written")
        return bytes(data)

    def latest(self, now: int) -> list[Record]:
        """See `History.latest`."""
        return self._select(_LATEST, (now,))

    def progress(self) -> dict[SeriesKey, int]:
        """See `History.progress`."""
        progress = {}
        for symbol, interval, close_time, check in self._rows(
            "SELECT symbol, interval, close_time, checksum FROM progress", ()
        ):
            if check != progress_checksum(symbol, interval, close_time):
                raise damaged(f"the progress of {symbol} is not what was written")
            progress[symbol, interval] = close_time
        return progress

    def unresolved(self) -> list[Record]:
        """See `History.unresolved`."""
        clause = "WHERE sequence IN (SELECT sequence FROM windows WHERE resolved = 0) ORDER BY sequence"
        return self._select(clause, ())

    def close(self) -> None:
        """Close every connection."""
        for connection in self._all_connections:
            connection.close()

    def _check_from(self, first: int) -> None:
        """Check the events that are not checked yet, once: a filter may leave a damaged one out."""
        if first >= self._checked_from:
            return
        rows = self._rows("SELECT ifnull(min(sequence), 1) FROM events", ())
        while (earliest := max(first, rows[0][0])) < self._checked_from:
            start = max(earliest, self._checked_from - _CHECKED_AT_ONCE)
            self.read(start - 1, self._checked_from - start)
            self._checked_from = start

    def _select(self, clause: str, values: Sequence[object]) -> list[Record]:
        statement = f"SELECT {_BEFORE}, {EVENT_COLUMNS} FROM events {clause}"  # noqa: S608
        return [
            record_of(columns, before, self._models) for before, *columns in self._rows(statement, values)
        ]

    def _rows(self, statement: str, values: Sequence[object]) -> list[tuple[Any, ...]]:
        try:
            return self._connection().execute(statement, values).fetchall()
        except UNREADABLE as error:
            if is_transient(error):
                text = f"the journal cannot be read now: {self._path}: {error}"
                raise Unavailable("JOURNAL_UNAVAILABLE", text, retry_after=1.0) from None
            raise damaged(str(error)) from None

    def _connection(self) -> sqlite3.Connection:
        connection: sqlite3.Connection | None = getattr(self._connections, "connection", None)
        if connection is None:
            connection = connect(self._path, create=False)
            self._connections.connection = connection
            self._all_connections.append(connection)
        return connection
