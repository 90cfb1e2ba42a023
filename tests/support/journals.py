"""Journals on disk: whole, damaged, and as the first release wrote them."""

import sqlite3

import numpy as np
from glasstape_server.domain.values import Kind
from glasstape_server.signals.journal.log import Entry, Record
from glasstape_server.signals.journal.sqlite.chain import first_link
from glasstape_server.signals.journal.sqlite.log import SqliteLog


def fill(path, count=40):
    """A journal of confidences and buys with windows; returns its records."""
    log = SqliteLog(path)
    entries = []
    for n in range(1, count + 1):
        kind = Kind.BUY if n % 3 == 0 else Kind.CONFIDENCE
        record = Record(n, kind, f"S{n % 5}", "1d", "m", n / 100, 1 << 60, bytes([n]) * 30)
        window = np.full((6, 8), n, np.float32) if kind is Kind.CONFIDENCE else None
        entries.append(Entry(record, "d" if window is not None else "", window))
    records = log.append(entries, {(f"S{k}", "1d"): k for k in range(5)})
    log.close()
    db = sqlite3.connect(path)  # everything into the one file that is going to be damaged
    db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    db.close()
    return records


def first_format(path):
    """A journal as the first release wrote it."""
    db = sqlite3.connect(path)
    db.executescript(
        """
        CREATE TABLE meta (name TEXT PRIMARY KEY, value BLOB NOT NULL) WITHOUT ROWID;
        CREATE TABLE events (
            sequence INTEGER PRIMARY KEY, kind INTEGER NOT NULL, symbol TEXT NOT NULL, interval TEXT NOT NULL,
            model_name TEXT NOT NULL, winning REAL NOT NULL, expire_time INTEGER NOT NULL, payload BLOB NOT NULL,
            chain BLOB NOT NULL
        );
        CREATE INDEX events_by_series ON events (kind, symbol, interval, model_name, sequence);
        CREATE TABLE windows (
            sequence INTEGER PRIMARY KEY, digest TEXT NOT NULL, data BLOB NOT NULL,
            resolved INTEGER NOT NULL DEFAULT 0
        );
        CREATE INDEX windows_open ON windows (sequence) WHERE resolved = 0;
        CREATE TABLE progress (
            symbol TEXT NOT NULL, interval TEXT NOT NULL, close_time INTEGER NOT NULL,
            PRIMARY KEY (symbol, interval)
        ) WITHOUT ROWID;
        INSERT INTO meta VALUES ('epoch', x'0102030405060708'), ('secret', zeroblob(32));
        INSERT INTO windows VALUES (1, 'd', zeroblob(192), 0);
        INSERT INTO progress VALUES ('A', '1d', 7);
        """
    )
    chain = bytes(8)
    for n in (1, 2, 3):
        record = Record(n, Kind.CONFIDENCE, "A", "1d", "m", 0.5, 9, b"old")
        chain = first_link(chain, record)
        db.execute("INSERT INTO events VALUES (?, 1, 'A', '1d', 'm', 0.5, 9, ?, ?)", (n, b"old", chain))
    db.commit()
    db.close()
    return chain


def damage(path, sequence):
    db = sqlite3.connect(path)
    db.execute("UPDATE events SET payload = x'00' WHERE sequence = ?", (sequence,))
    db.commit()
    db.close()
