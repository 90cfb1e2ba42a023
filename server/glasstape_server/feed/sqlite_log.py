"""The embedded event log: SQLite with write-ahead log and fsync on every commit."""

import secrets
import sqlite3
import threading
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from glasstape_server.domain import Kind
from glasstape_server.errors import DataLoss, ResourceExhausted
from glasstape_server.feed.log import Bounds, Entry, Key, Record, Selection
from glasstape_server.feed.token import NO_CHAIN, link
from glasstape_server.market.database import connect, transaction

_SCHEMA = """
CREATE TABLE IF NOT EXISTS meta (name TEXT PRIMARY KEY, value BLOB NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS events (
    sequence INTEGER PRIMARY KEY, kind INTEGER NOT NULL, symbol TEXT NOT NULL, interval TEXT NOT NULL,
    model_name TEXT NOT NULL, winning REAL NOT NULL, expire_time INTEGER NOT NULL, payload BLOB NOT NULL,
    chain BLOB NOT NULL
);
CREATE INDEX IF NOT EXISTS events_by_series ON events (kind, symbol, interval, model_name, sequence);
CREATE TABLE IF NOT EXISTS windows (
    sequence INTEGER PRIMARY KEY, digest TEXT NOT NULL, data BLOB NOT NULL, resolved INTEGER NOT NULL DEFAULT 0
);
CREATE INDEX IF NOT EXISTS windows_open ON windows (sequence) WHERE resolved = 0;
CREATE TABLE IF NOT EXISTS progress (
    symbol TEXT NOT NULL, interval TEXT NOT NULL, close_time INTEGER NOT NULL, PRIMARY KEY (symbol, interval)
) WITHOUT ROWID;
"""
_RECORD = "sequence, kind, symbol, interval, model_name, winning, expire_time, payload, chain"


class SqliteLog:
    """See `EventLog`. One connection writes, one per thread reads."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._writer = connect(path)
        self._writer.executescript(_SCHEMA)
        self._readers = threading.local()
        self._all_readers: list[sqlite3.Connection] = []
        for name, size in (("epoch", 8), ("secret", 32)):
            self._writer.execute(
                "INSERT OR IGNORE INTO meta VALUES (?, ?)", (name, secrets.token_bytes(size))
            )
        self.secret: bytes = self._meta("secret")
        self._changing = threading.Lock()
        self._bounds = self._find_bounds()

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
            chain = link(chain, sequence, entry.record.payload)
            records.append(entry.record.linked(chain))
        try:
            self._write(entries, records, progress)
        except sqlite3.OperationalError as error:
            raise ResourceExhausted(
                "STORAGE_FULL", f"the journal cannot be written: {error}", retry_after=5.0
            ) from None
        self._bounds = replace(bounds, head=sequence, chain=chain)
        return records

    def read(self, after: int, limit: int) -> list[Record]:
        """See `EventLog.read`."""
        return self._select("WHERE sequence > ? ORDER BY sequence LIMIT ?", (after, limit))

    def page(self, selection: Selection, first: int, last: int, limit: int, descending: bool) -> list[Record]:
        """See `EventLog.page`."""
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
        # One statement, so that a compaction is seen whole or not at all.
        row = (
            self._reader()
            .execute(
                "SELECT chain FROM events WHERE sequence = ?1 UNION ALL SELECT value FROM meta"
                " WHERE name = 'chain_before' AND ?1 = (SELECT min(sequence) - 1 FROM events)",
                (sequence,),
            )
            .fetchone()
        )
        return None if row is None else bytes(row[0])

    def window(self, sequence: int) -> tuple[str, bytes] | None:
        """See `EventLog.window`."""
        record = self.record(sequence)
        if record is None or record.kind is Kind.OUTCOME:
            return None
        own = sequence if record.kind is Kind.CONFIDENCE else sequence - 1
        row = self._reader().execute("SELECT digest, data FROM windows WHERE sequence = ?", (own,)).fetchone()
        return None if row is None else (str(row[0]), bytes(row[1]))

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
        rows = self._reader().execute("SELECT symbol, interval, close_time FROM progress")
        return {(symbol, interval): close_time for symbol, interval, close_time in rows}

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
        for connection in (*self._all_readers, self._writer):
            connection.close()

    def _write(
        self, entries: Sequence[Entry], records: Sequence[Record], progress: Mapping[Key, int]
    ) -> None:
        with transaction(self._writer) as db:
            db.executemany(
                f"INSERT INTO events ({_RECORD}) VALUES (?,?,?,?,?,?,?,?,?)",  # noqa: S608
                [
                    (
                        r.sequence,
                        int(r.kind),
                        r.symbol,
                        r.interval,
                        r.model_name,
                        r.winning,
                        r.expire_time,
                        r.payload,
                        r.chain,
                    )
                    for r in records
                ],
            )
            db.executemany(
                "INSERT INTO windows (sequence, digest, data) VALUES (?,?,?)",
                [(e.record.sequence, e.digest, e.window.tobytes()) for e in entries if e.window is not None],
            )
            db.executemany(
                "UPDATE windows SET resolved = 1 WHERE sequence = ?",
                [(e.resolves,) for e in entries if e.resolves],
            )
            db.executemany(
                "INSERT OR REPLACE INTO progress VALUES (?,?,?)",
                [(*key, time) for key, time in progress.items()],
            )

    def _find_bounds(self) -> Bounds:
        first, head = self._writer.execute("SELECT min(sequence), max(sequence) FROM events").fetchone()
        if head is None:
            return Bounds(self._meta("epoch"), 1, 0, NO_CHAIN)
        (count,) = self._writer.execute("SELECT count(*) FROM events").fetchone()
        if count != head - first + 1:
            raise DataLoss(
                "JOURNAL_DAMAGED",
                f"journal: {head - first + 1 - count} events are missing between {first} and {head}",
            )
        (chain,) = self._writer.execute("SELECT chain FROM events WHERE sequence = ?", (head,)).fetchone()
        return Bounds(self._meta("epoch"), first, head, bytes(chain))

    def _select(self, clause: str, values: Sequence[object]) -> list[Record]:
        rows = self._reader().execute(f"SELECT {_RECORD} FROM events {clause}", values)  # noqa: S608
        return [Record(row[0], Kind(row[1]), *row[2:]) for row in rows]

    def _meta(self, name: str) -> bytes:
        row = self._writer.execute("SELECT value FROM meta WHERE name = ?", (name,)).fetchone()
        return b"" if row is None else bytes(row[0])

    def _reader(self) -> sqlite3.Connection:
        connection: sqlite3.Connection | None = getattr(self._readers, "connection", None)
        if connection is None:
            connection = connect(self._path)
            self._readers.connection = connection
            self._all_readers.append(connection)
        return connection
