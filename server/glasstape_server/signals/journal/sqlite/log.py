"""The embedded event log: SQLite with write-ahead log and fsync on every commit.

Every record is checked against the chain whenever it is read: what is damaged is never served.
"""

import logging
import secrets
import sqlite3
import threading
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from glasstape_server.domain.errors import DataLoss, ResourceExhausted, Unavailable
from glasstape_server.domain.values import Kind
from glasstape_server.signals.journal.log import Bounds, Entry, Key, Record, Selection
from glasstape_server.signals.journal.sqlite.chain import NO_CHAIN, link
from glasstape_server.signals.journal.sqlite.file import (
    COLUMNS,
    HighWater,
    Linked,
    blob,
    bounds_of,
    check_pages,
    check_row,
    damaged,
    insert_progress,
    insert_records,
    insert_windows,
    meta,
    note_of,
    open_journal,
    record_of,
)
from glasstape_server.storage.sqlite import UNREADABLE, connect, is_transient, transaction

log = logging.getLogger(__name__)

_BEFORE = """coalesce(
    (SELECT p.chain FROM events p WHERE p.sequence = events.sequence - 1),
    (SELECT value FROM meta WHERE name = 'chain_before'), x'0000000000000000')"""
"""Chain hash before a record, of the same moment as the record."""
_CHECKED_TAIL = 50_000
"""Newest records that are checked when it is opened; older ones are when they are read, or filtered."""
_PROVEN_AT_ONCE = 10_000


class SqliteLog:
    """See `EventLog`. One connection writes, one per thread reads."""

    def __init__(self, path: Path) -> None:
        """Open, or make, and check a journal.

        Raises:
            DataLoss: it is damaged.
            sqlite3.OperationalError: it cannot be opened now.
        """
        self._path = path
        self.trouble = ""
        """What would go unnoticed if the journal lost its end now; empty: nothing."""
        self._readers = threading.local()
        self._all_connections: list[sqlite3.Connection] = []
        self._changing = threading.Lock()
        try:
            self._writer = open_journal(path)
            self._all_connections.append(self._writer)
            self._linked = Linked(self._writer)
            self.secret: bytes = meta(self._writer, "secret")
            check_pages(self._writer, path)
            self._bounds = bounds_of(self._writer)
            self._check_newest()
            self._high_water = HighWater(note_of(path))
        except UNREADABLE as error:
            self._close_all()
            if is_transient(error):
                raise
            raise damaged(str(error)) from None
        except (DataLoss, OSError):
            self._close_all()
            raise
        self._find_lost_tail()

    def bounds(self) -> Bounds:
        """Epoch, first and last sequence."""
        return self._bounds

    def append(self, entries: Sequence[Entry], progress: Mapping[Key, int]) -> list[Record]:
        """See `EventLog.append`."""
        with self._changing:
            return self._append(entries, progress)

    def _append(self, entries: Sequence[Entry], progress: Mapping[Key, int]) -> list[Record]:
        bounds = self._bounds
        chain, sequence = bounds.chain, bounds.head
        records = []
        for entry in entries:
            sequence += 1
            if entry.record.sequence != sequence:
                raise ValueError(f"sequence {entry.record.sequence} appended behind {sequence - 1}")
            chain = link(chain, entry.record)
            records.append(entry.record.linked(chain))
        try:
            self._write(entries, records, progress)
        except sqlite3.OperationalError as error:
            raise ResourceExhausted(
                "STORAGE_FULL", f"the journal cannot be written: {error}", retry_after=5.0
            ) from None
        self._bounds = replace(bounds, head=sequence, chain=chain)
        self._note_head()
        return records

    def _note_head(self) -> None:
        """What is committed stays so, whether or not that can be noted."""
        try:
            self._high_water.write(self._bounds.head, self._bounds.chain)
        except OSError as error:
            if not self.trouble:
                log.error("journal: its end cannot be noted: %s", error)
            self.trouble = f"the journal's end cannot be noted: {error.strerror}"
        else:
            self.trouble = ""

    def read(self, after: int, limit: int) -> list[Record]:
        """See `EventLog.read`."""
        found = self._select("WHERE sequence > ? ORDER BY sequence LIMIT ?", (after, limit))
        for number, record in enumerate(found[1:], found[0].sequence + 1 if found else 0):
            if record.sequence != number:
                raise damaged(f"event {number} is missing")
        return found

    def page(self, selection: Selection, first: int, last: int, limit: int, descending: bool) -> list[Record]:
        """See `EventLog.page`."""
        self._prove_from(first)
        where, values = ["sequence BETWEEN ? AND ?"], [first, last]
        arguments: list[object] = [*values]
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

    def chain_at(self, sequence: int) -> bytes | None:
        """See `EventLog.chain_at`."""
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

    def window(self, sequence: int) -> tuple[str, bytes] | None:
        """See `EventLog.window`."""
        record = self.record(sequence)
        if record is None or record.kind is Kind.OUTCOME:
            return None
        own = sequence if record.kind is Kind.CONFIDENCE else sequence - 1
        rows = self._rows("SELECT digest, data, checksum FROM windows WHERE sequence = ?", (own,))
        if not rows:
            return None
        digest, data, check = rows[0]
        check_row(check, f"the window of event {own}", own, digest, data)
        return str(digest), blob(data, f"the window of event {own}")

    def record(self, sequence: int) -> Record | None:
        """See `EventLog.record`."""
        found = self._select("WHERE sequence = ?", (sequence,))
        return found[0] if found else None

    def latest(self, now: int) -> list[Record]:
        """See `EventLog.latest`."""
        newest = "SELECT max(sequence) FROM events WHERE kind = 1 GROUP BY symbol, interval, model_name"
        clause = f"WHERE sequence IN ({newest}) OR (kind = 2 AND expire_time > ?) ORDER BY sequence"
        return self._select(clause, (now,))

    def progress(self) -> dict[Key, int]:
        """See `EventLog.progress`."""
        found = {}
        for symbol, interval, close_time, check in self._rows(
            "SELECT symbol, interval, close_time, checksum FROM progress", ()
        ):
            check_row(check, f"the progress of {symbol}", symbol, interval, close_time)
            found[symbol, interval] = close_time
        return found

    def unresolved(self) -> list[Record]:
        """See `EventLog.unresolved`."""
        return self._select(
            "WHERE sequence IN (SELECT sequence FROM windows WHERE resolved = 0) ORDER BY sequence",
            (),
        )

    def begin_epoch(self, lost: bytes) -> bool:
        """See `EventLog.begin_epoch`."""
        epoch = secrets.token_bytes(8)
        with self._changing:
            if self._bounds.epoch != lost:
                return False
            self._writer.execute("UPDATE meta SET value = ? WHERE name = 'epoch'", (epoch,))
            self._bounds = replace(self._bounds, epoch=epoch)
        return True

    def compact(self, earliest: int) -> None:
        """See `EventLog.compact`. The newest event always stays: it carries the numbering on."""
        with self._changing:
            self._compact(min(earliest, self._bounds.head))

    def _compact(self, earliest: int) -> None:
        if earliest <= self._bounds.earliest:
            return
        before = self.chain_at(earliest - 1) or NO_CHAIN
        with transaction(self._writer) as db:
            db.execute("INSERT OR REPLACE INTO meta VALUES ('chain_before', ?)", (before,))
            db.execute("DELETE FROM events WHERE sequence < ?", (earliest,))
            db.execute("DELETE FROM windows WHERE sequence < ?", (earliest,))
        self._bounds = replace(self._bounds, earliest=earliest)

    def close(self) -> None:
        """Close every connection."""
        self._close_all()
        self._high_water.close()

    def _write(
        self, entries: Sequence[Entry], records: Sequence[Record], progress: Mapping[Key, int]
    ) -> None:
        with transaction(self._writer) as db:
            insert_records(db, records)
            insert_windows(db, entries)
            insert_progress(db, progress)
            resolved = [(entry.resolves,) for entry in entries if entry.resolves]
            db.executemany("UPDATE windows SET resolved = 1 WHERE sequence = ?", resolved)

    def _check_newest(self) -> None:
        self._proven_from = self._bounds.head + 1
        self._prove_from(max(self._bounds.earliest, self._bounds.head - _CHECKED_TAIL + 1))
        self.progress()

    def _prove_from(self, first: int) -> None:
        """Check the events that are not proven yet, once: what a filter leaves out is never looked at again."""
        while (earliest := max(first, self._bounds.earliest)) < self._proven_from:
            start = max(earliest, self._proven_from - _PROVEN_AT_ONCE)
            self.read(start - 1, self._proven_from - start)
            self._proven_from = start

    def _find_lost_tail(self) -> None:
        """Begin a new epoch if the journal once went further, or otherwise, than it does now."""
        noted = self._high_water.read()
        if noted is not None:
            sequence, chain = noted
            held = self.chain_at(sequence) if sequence <= self._bounds.head else None
            if held != chain and sequence >= self._bounds.earliest - 1:
                log.error(
                    "journal: it ended at %d and now ends at %d: history was lost, a new epoch begins",
                    sequence,
                    self._bounds.head,
                )
                self.begin_epoch(self._bounds.epoch)
        self._note_head()

    def _close_all(self) -> None:
        for connection in self._all_connections:
            connection.close()

    def _select(self, clause: str, values: Sequence[object]) -> list[Record]:
        found = []
        statement = f"SELECT {_BEFORE}, {COLUMNS} FROM events {clause}"  # noqa: S608
        for before, *columns in self._rows(statement, values):
            record = record_of(columns)
            self._linked.check(before, record)
            found.append(record)
        return found

    def _rows(self, statement: str, values: Sequence[object]) -> list[tuple[Any, ...]]:
        try:
            return self._reader().execute(statement, values).fetchall()
        except UNREADABLE as error:
            if is_transient(error):
                raise Unavailable(
                    "JOURNAL_UNAVAILABLE", f"the journal cannot be read now: {error}", retry_after=1.0
                ) from None
            raise damaged(str(error)) from None

    def _reader(self) -> sqlite3.Connection:
        connection: sqlite3.Connection | None = getattr(self._readers, "connection", None)
        if connection is None:
            connection = connect(self._path)
            self._readers.connection = connection
            self._all_connections.append(connection)
        return connection
