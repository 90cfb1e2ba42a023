"""The holder of a lease, named in a database: transactions of an earlier holder fail."""

import sqlite3
from collections.abc import Iterable
from pathlib import Path
from typing import Protocol

from glasstape_server.domain.errors import Unavailable
from glasstape_server.storage.host import HostProcess
from glasstape_server.storage.sqlite import database_files, transaction

_SCHEMA = """
CREATE TABLE IF NOT EXISTS lease (
    number INTEGER PRIMARY KEY CHECK (number = 1), holder TEXT NOT NULL, host TEXT NOT NULL, boot_id TEXT NOT NULL,
    pid INTEGER NOT NULL
)
"""


class Holder(Protocol):
    """The lease that protects a database."""

    @property
    def holder(self) -> str:
        """Random id of the claim."""
        ...

    @property
    def process(self) -> HostProcess:
        """The process that holds the lease."""
        ...

    def protect(self, paths: Iterable[Path]) -> None:
        """Check from now on that these files are still in their folder."""
        ...

    def check(self) -> None:
        """Raise Unavailable if this process must not write or acknowledge."""
        ...


class Fence:
    """Guard of one database's writes. Without a lease it allows everything."""

    def __init__(self, db: sqlite3.Connection, lease: Holder | None) -> None:
        """Name the holder of the lease in the database.

        Raises:
            sqlite3.DatabaseError: the database cannot be written.
            OSError: its files are missing.
        """
        self._db = db
        self._lease = lease
        if lease is not None:
            process = lease.process
            row = (1, lease.holder, process.host, process.boot_id, process.pid)
            with transaction(db):
                db.execute(_SCHEMA)
                db.execute("INSERT OR REPLACE INTO lease VALUES (?,?,?,?,?)", row)
            lease.protect(database_files(db))

    def check_transaction(self) -> None:
        """Check, within a transaction, that the database still names this holder.

        Raises:
            Unavailable: it names another one, or the lease is not valid.
        """
        if self._lease is None:
            return
        self._lease.check()
        row = self._db.execute("SELECT holder, host, pid FROM lease").fetchone()
        if row is None or row[0] != self._lease.holder:
            other = "another process" if row is None else f"process {row[2]} on host {row[1]}"
            raise Unavailable("DRAINING", f"the data folder was taken over by {other}", retry_after=1.0)

    def check_acknowledgment(self) -> None:
        """Check, after a commit, that it may be acknowledged: the process may have been paused meanwhile.

        Raises:
            Unavailable: the lease is not valid.
        """
        if self._lease is not None:
            self._lease.check()
