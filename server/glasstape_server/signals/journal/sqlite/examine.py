"""Checks of a journal's file, which a server may be writing meanwhile."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

from glasstape_server.domain.errors import DataLoss
from glasstape_server.signals.journal.sqlite.damaged_reader import DamagedReader
from glasstape_server.signals.journal.sqlite.file import FORMAT, format_of
from glasstape_server.signals.journal.sqlite.head_note import HeadNote, note_path
from glasstape_server.signals.journal.sqlite.rows import blob, progress_checksum, window_checksum
from glasstape_server.storage.sqlite import UNREADABLE, connect

Finding = tuple[str, str]
"""("ok" | "warning" | "problem", sentence)."""


def examine(path: Path) -> Iterator[Finding]:
    """Check everything that a journal holds: pages, numbering, chain, windows, progress, and its end."""
    if not path.is_file():
        yield "problem", f"{path}: there is no such journal"
        return
    try:
        with closing(connect(path)) as db:
            yield from _findings(path, db)
    except (*UNREADABLE, DataLoss, OSError) as error:
        yield "problem", f"{path}: {error}"


def _findings(path: Path, db: sqlite3.Connection) -> Iterator[Finding]:
    version = format_of(db)
    if version != FORMAT:
        yield "problem", f"{path}: format {version}, expected {FORMAT}"
        return
    foreign = db.execute(
        "SELECT type, name FROM sqlite_master WHERE type NOT IN ('table', 'index')"
    ).fetchall()
    if foreign:  # a trigger or view would run with the server's rights
        yield "problem", f"{path}: holds what no journal does: {' '.join(map(str, foreign[0]))[:80]}"
        return
    for (verdict,) in db.execute("PRAGMA integrity_check(10)"):
        if verdict != "ok":
            yield "problem", f"{path}: {verdict}"
    db.execute("BEGIN")  # one moment for all that follows
    first, head = db.execute(
        "SELECT ifnull(min(sequence), 1), ifnull(max(sequence), 0) FROM events"
    ).fetchone()
    yield from _events(path, db, first, head)
    for check, sequence, data in db.execute("SELECT checksum, sequence, data FROM windows"):
        if check != window_checksum(sequence, data):
            yield "problem", f"{path}: the window of event {sequence} is damaged"
    for check, *columns in db.execute("SELECT checksum, symbol, interval, close_time FROM progress"):
        if check != progress_checksum(*columns):
            yield "problem", f"{path}: the progress of {columns[0]} is damaged"
    yield from _end(path, db, first, head)


def _events(path: Path, db: sqlite3.Connection, first: int, head: int) -> Iterator[Finding]:
    reader = DamagedReader(db)
    sequences = [sequence for (sequence,) in db.execute("SELECT sequence FROM events ORDER BY sequence")]
    broken = [sequence for sequence in sequences if not reader.intact(sequence)]
    if missing := head - first + 1 - len(sequences):
        yield "problem", f"{path}: {missing} events are missing between {first} and {head}"
    if broken:
        yield (
            "problem",
            f"{path}: {len(broken)} of events {first} to {head} are damaged; the newest: {broken[-1]}",
        )
    elif not missing:
        yield "ok", f"{path}: events {first} to {head} are what was written"


def _end(path: Path, db: sqlite3.Connection, first: int, head: int) -> Iterator[Finding]:
    note = note_path(path)
    if not note.is_file():
        return
    with closing(HeadNote(note)) as head_note:
        noted = head_note.read()
    if noted is None:
        yield "warning", f"{note}: illegible; the next start rewrites it"
    elif noted.sequence > head:
        yield (
            "problem",
            f"{path}: it ends at {head} and once ended at {noted.sequence}; the next start begins a new epoch",
        )
    elif noted.sequence >= first:
        rows = db.execute("SELECT chain FROM events WHERE sequence = ?", (noted.sequence,)).fetchall()
        if rows and blob(rows[0][0], f"the chain at {noted.sequence}") != noted.chain:
            yield (
                "problem",
                f"{path}: event {noted.sequence} was another one once; the next start begins a new epoch",
            )
