"""SQLite as the stores use it: commits survive a power cut, and transactions are all or nothing."""

import errno
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from glasstape_server.storage.files import check_writable

UNREADABLE = (sqlite3.DatabaseError, UnicodeDecodeError)
"""Raised when a damaged file is read: even SQLite's message may be damaged text."""

_TRANSIENT = {
    sqlite3.SQLITE_BUSY,
    sqlite3.SQLITE_CANTOPEN,
    sqlite3.SQLITE_FULL,
    sqlite3.SQLITE_INTERRUPT,
    sqlite3.SQLITE_IOERR,
    sqlite3.SQLITE_LOCKED,
    sqlite3.SQLITE_NOMEM,
}


def is_transient(error: Exception) -> bool:
    """Return whether an error is of the machine and not of the file, such as too few file descriptors."""
    code = getattr(error, "sqlite_errorcode", None)
    return code is not None and code & 0xFF in _TRANSIENT


def connect(path: Path, *, create: bool = True) -> sqlite3.Connection:
    """Open a database with a write-ahead log and an fsync at every commit.

    Args:
        path: of the database.
        create: whether to make it if it is missing.

    Raises:
        OSError: a file may not be written, or the file system does not support a write-ahead log, which needs shared
            memory.
        sqlite3.DatabaseError: it cannot be opened.
    """
    for file in (path.parent, *(Path(f"{path}{suffix}") for suffix in ("", "-wal", "-shm"))):
        if file.exists():
            check_writable(file)  # SQLite names neither file nor reason
    name = path if create else f"{path.absolute().as_uri()}?mode=rw"
    connection = sqlite3.connect(
        name, uri=not create, isolation_level=None, check_same_thread=False, timeout=30
    )
    try:
        (mode,) = connection.execute("PRAGMA journal_mode = WAL").fetchone()
        if mode != "wal":
            raise OSError(
                errno.ENOTSUP,
                f"journal mode is {mode}, expected wal: the file system does not support a write-ahead log",
                str(path),
            )
        connection.execute("PRAGMA synchronous = FULL")
    except BaseException:
        connection.close()
        raise
    return connection


def database_files(db: sqlite3.Connection) -> list[Path]:
    """Return the files that hold the commits of a connection that has written: the database and its log."""
    path = next(row[2] for row in db.execute("PRAGMA database_list") if row[1] == "main")
    return [Path(path), Path(f"{path}-wal")] if path else []


@contextmanager
def transaction(db: sqlite3.Connection) -> Iterator[sqlite3.Connection]:
    """Commit what the block wrote; roll back if the block or the commit fails."""
    db.execute("BEGIN IMMEDIATE")
    try:
        yield db
        db.execute("COMMIT")
    except BaseException:
        if db.in_transaction:
            db.execute("ROLLBACK")
        raise


def probe_write(db: sqlite3.Connection) -> None:
    """Commit a write that changes nothing, to see whether the disk accepts writes.

    Raises:
        sqlite3.DatabaseError: it does not, or the file is damaged.
    """
    (version,) = db.execute("PRAGMA user_version").fetchone()
    with transaction(db):
        db.execute(f"PRAGMA user_version = {int(version)}")


def copy(source: Path, target: Path) -> None:
    """Copy a database as it is at one moment, while other processes may be writing it.

    Raises:
        sqlite3.DatabaseError: it cannot be read, or the copy cannot be written.
    """
    with closing(connect(source)) as old, closing(sqlite3.connect(target)) as new:
        old.backup(new)
        new.execute("PRAGMA journal_mode = DELETE")  # one file, without a log beside it
