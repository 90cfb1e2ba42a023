"""The projection: an SQLite file with what this server has applied of the journal's stream."""

import logging
import sqlite3
from collections.abc import Callable, Sequence
from contextlib import ExitStack, closing
from dataclasses import dataclass, replace
from pathlib import Path

from glasstape_server.broker.streams import AnotherCluster
from glasstape_server.domain.errors import DataLoss
from glasstape_server.signals.journal.chain import NO_CHAIN
from glasstape_server.signals.journal.jetstream.entries import Applicable, Burst, EpochBegun, Pruned
from glasstape_server.signals.journal.records import Bounds, Record
from glasstape_server.signals.journal.sqlite.file import (
    bounds_of,
    check_pages,
    meta,
    open_journal,
    set_meta,
)
from glasstape_server.signals.journal.sqlite.history import SqliteHistory
from glasstape_server.signals.journal.sqlite.rows import (
    damaged,
    insert_progress,
    insert_records,
    insert_windows,
)
from glasstape_server.storage.fence import Fence, Holder
from glasstape_server.storage.sqlite import UNREADABLE, is_transient, transaction

log = logging.getLogger(__name__)

_STARTUP_CHECK_RECORDS = 50_000
_EPOCH_BYTES = 8


@dataclass(frozen=True, slots=True)
class Applied:
    """How far a projection goes: both values are of the same moment."""

    bounds: Bounds
    through: int
    """Sequence of the newest applied message of the stream."""


@dataclass(frozen=True, slots=True)
class Identity:
    """What all servers of a cluster share."""

    cluster_id: str
    secret: bytes
    """Key of the tags of resume tokens, 32 bytes."""
    epoch: bytes
    """The first epoch, 8 bytes."""


class Projection:
    """The journal of a cluster as far as this server has applied its stream.

    It is never ahead of the stream, and what a power cut removes is applied again: commits are not synced one by one.
    """

    def __init__(self, path: Path, identity: Identity, lease: Holder | None = None) -> None:
        """Open the file, or make it; one that is damaged is set aside and rebuilt.

        Args:
            path: of the database.
            identity: of the cluster.
            lease: of the data folder; None: no other process can use the file.

        Raises:
            DataLoss: a newer version wrote it.
            AnotherCluster: it is another cluster's.
            sqlite3.OperationalError, OSError: it cannot be opened now.
        """
        self.identity = identity
        try:
            self._open(path, lease)
        except DataLoss as error:
            if error.reason == "JOURNAL_TOO_NEW":
                raise
            aside = set_aside(path)
            log.error("%s; it is now %s and is rebuilt from the stream", error.message, aside.name)
            self._open(path, lease)

    def _open(self, path: Path, lease: Holder | None) -> None:
        self._files = ExitStack()
        self.history = SqliteHistory(path)
        self._files.callback(self.history.close)
        try:
            self._db = self._files.enter_context(closing(open_journal(path)))
            self._db.execute("PRAGMA synchronous = NORMAL")
            self._fence = Fence(self._db, lease)
            check_pages(self._db, path)
            self._join()
            self.state = Applied(bounds_of(self._db), int.from_bytes(meta(self._db, "applied"), "big"))
            self.history.check(self.state.bounds, _STARTUP_CHECK_RECORDS)
        except UNREADABLE as error:
            self._files.close()
            if is_transient(error):
                raise
            raise damaged(str(error)) from None
        except (DataLoss, AnotherCluster, OSError):
            self._files.close()
            raise

    def _join(self) -> None:
        """Write the cluster's identity into a new file.

        Raises:
            AnotherCluster: it is another cluster's.
        """
        owner = meta(self._db, "cluster").decode()
        if owner == self.identity.cluster_id:
            return
        if owner:
            raise AnotherCluster(owner, self.identity.cluster_id)
        with transaction(self._db) as db:
            set_meta(db, "cluster", self.identity.cluster_id.encode())
            set_meta(db, "secret", self.identity.secret)
            set_meta(db, "epoch", self.identity.epoch)

    def apply(
        self,
        entries: Sequence[Applicable],
        through: int,
        before_visible: Callable[[Sequence[Record]], None] = lambda records: None,
    ) -> None:
        """Apply entries that follow each other, in one transaction.

        Args:
            entries: as they were decoded, one after the other.
            through: sequence of the last message of the stream that they come from.
            before_visible: called with the events of each burst that is stored, before `state` shows them.

        Raises:
            sqlite3.DatabaseError: it cannot be written; nothing was applied.
            Unavailable: the data folder was taken over by another process.
        """
        bounds = self.state.bounds
        with transaction(self._db) as db:
            self._fence.check_transaction()
            for entry in entries:
                bounds = self._apply_one(db, entry, bounds)
            set_meta(db, "applied", through.to_bytes(8, "big"))
        for entry in entries:
            if isinstance(entry, Burst):
                before_visible(entry.records)
        self.state = Applied(bounds, through)

    def _apply_one(self, db: sqlite3.Connection, entry: Applicable, bounds: Bounds) -> Bounds:
        match entry:
            case Burst(records, windows, progress, resolved):
                insert_records(db, records)
                insert_windows(db, records, windows)
                insert_progress(db, progress)
                db.executemany("UPDATE windows SET resolved = 1 WHERE sequence = ?", ((s,) for s in resolved))
                if not records:
                    return bounds
                end = records[-1].position
                return replace(bounds, head=end.sequence, chain=end.chain)
            case EpochBegun(epoch, before):
                if before != bounds.epoch:
                    return bounds  # two servers confirmed the same loss: one new epoch is enough
                set_meta(db, "epochs_over", meta(db, "epochs_over") + before)
                set_meta(db, "epoch", epoch)
                return replace(bounds, epoch=epoch)
            case Pruned(earliest):
                return _prune(db, min(earliest, bounds.head), bounds)

    def is_over(self, epoch: bytes) -> bool:
        """Return whether an epoch was replaced by a later one."""
        over = meta(self._db, "epochs_over")
        return any(over[at : at + _EPOCH_BYTES] == epoch for at in range(0, len(over), _EPOCH_BYTES))

    def close(self) -> None:
        """Close every file."""
        self._files.close()


def set_aside(path: Path) -> Path:
    """Rename a database and its log, so that a new one can be made; return the new name."""
    number = 1
    while (aside := path.with_name(f"{path.name}.damaged-{number}")).exists():
        number += 1
    for suffix in ("", "-wal", "-shm"):
        file = Path(f"{path}{suffix}")
        if file.exists():
            file.replace(f"{aside}{suffix}")
    return aside


def _prune(db: sqlite3.Connection, earliest: int, bounds: Bounds) -> Bounds:
    if earliest <= bounds.earliest:
        return bounds
    row = db.execute("SELECT chain FROM events WHERE sequence = ?", (earliest - 1,)).fetchone()
    set_meta(db, "chain_before", NO_CHAIN if row is None else row[0])
    db.execute("DELETE FROM events WHERE sequence < ?", (earliest,))
    db.execute("DELETE FROM windows WHERE sequence < ?", (earliest,))
    return replace(bounds, earliest=earliest)
