"""The embedded journal: SQLite with write-ahead log and fsync on every commit."""

import asyncio
import logging
import sqlite3
from collections.abc import AsyncGenerator, Callable, Sequence
from concurrent.futures import Executor, ThreadPoolExecutor
from contextlib import ExitStack, closing
from dataclasses import replace
from pathlib import Path
from typing import TypeVar

from glasstape_server.domain.errors import DataLoss, ResourceExhausted
from glasstape_server.signals.journal.batch import EventBatch
from glasstape_server.signals.journal.chain import NO_CHAIN
from glasstape_server.signals.journal.journal import Commit, Fenced
from glasstape_server.signals.journal.records import Bounds, Position, Record
from glasstape_server.signals.journal.sqlite.file import (
    begin_epoch,
    bounds_of,
    check_pages,
    meta,
    open_journal,
    set_meta,
)
from glasstape_server.signals.journal.sqlite.head_note import HeadNote, note_path
from glasstape_server.signals.journal.sqlite.history import SqliteHistory
from glasstape_server.signals.journal.sqlite.rows import (
    damaged,
    insert_progress,
    insert_records,
    insert_windows,
)
from glasstape_server.signals.journal.tail import CommitTail
from glasstape_server.storage.fence import Fence, Holder
from glasstape_server.storage.sqlite import UNREADABLE, is_transient, transaction

T = TypeVar("T")
log = logging.getLogger(__name__)

STARTUP_CHECK_RECORDS = 50_000
"""Newest records that are checked when a journal is opened; older ones are when they are read, or filtered."""


class SqliteJournal:
    """See `Journal`. It is its own only writer and its own owner, and never lags; `history` reads its file."""

    def __init__(
        self,
        path: Path,
        *,
        executor: Executor | None = None,
        startup_check_records: int = STARTUP_CHECK_RECORDS,
        lease: Holder | None = None,
    ) -> None:
        """Open, or make, and check a journal.

        Args:
            path: of the database.
            executor: runs what writes, one call at a time; a thread of its own unless it is given.
            startup_check_records: newest records to check at once.
            lease: of the data folder; None: no other process can use the file.

        Raises:
            DataLoss: it is damaged, or of another format.
            OSError: the note of its end cannot be opened.
            sqlite3.OperationalError: it cannot be opened now.
        """
        self.degraded_reason = ""
        self.history = SqliteHistory(path)
        self._files = ExitStack()
        self._files.callback(self.history.close)
        try:
            self._open(path, startup_check_records, lease)
        except UNREADABLE as error:
            self._files.close()
            if is_transient(error):
                raise
            raise damaged(str(error)) from None
        except (DataLoss, OSError):
            self._files.close()
            raise
        self._executor = executor or ThreadPoolExecutor(1, "journal")
        self._tail = CommitTail(lambda: self._bounds, self._read)

    def _open(self, path: Path, startup_check_records: int, lease: Holder | None) -> None:
        self._writer = self._files.enter_context(closing(open_journal(path)))
        self._fence = Fence(self._writer, lease)
        self._secret = meta(self._writer, "secret")
        check_pages(self._writer, path)
        self._bounds = bounds_of(self._writer)
        self.history.check(self._bounds, startup_check_records)
        self._note = self._files.enter_context(closing(HeadNote(note_path(path))))
        self._find_lost_tail()

    @property
    def secret(self) -> bytes:
        """See `Journal.secret`."""
        return self._secret

    @property
    def bounds(self) -> Bounds:
        """See `Journal.bounds`."""
        return self._bounds

    async def append(self, batch: EventBatch, expected: int) -> Position:
        """See `Journal.append`. The answer is never unknown: the file is this process's alone."""
        return await self._run(self._append, batch, expected)

    def tail(self, after: int) -> AsyncGenerator[Commit, None]:
        """See `Journal.tail`."""
        return self._tail.follow(after)

    async def confirm_loss(self, epoch: bytes, position: Position) -> bool:
        """See `Journal.confirm_loss`. A position beyond the end was lost: this journal never lags."""
        return await self._run(self._confirm_loss, epoch, position)

    async def prune_before(self, earliest: int) -> None:
        """See `Journal.prune_before`."""
        await self._run(self._prune_before, earliest)

    def close(self) -> None:
        """Finish what is being written, then close every file."""
        self._executor.shutdown()
        self._files.close()

    async def _run(self, function: Callable[..., T], *arguments: object) -> T:
        """Run a function on the journal's thread, then wake those that follow, even if the caller is gone."""
        running = asyncio.get_running_loop().run_in_executor(self._executor, function, *arguments)
        running.add_done_callback(lambda _: self._tail.wake())
        return await asyncio.shield(running)

    async def _read(self, after: int, limit: int) -> Sequence[Record]:
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._executor, self.history.read, after, limit)

    def _append(self, batch: EventBatch, expected: int) -> Position:
        bounds = self._bounds
        if expected != bounds.head:
            return self._find_duplicate_append(batch, expected)
        records = batch.records(bounds.end)
        try:
            self._write(batch, records)
        except sqlite3.OperationalError as error:
            raise _storage_full_error(error) from None
        if records:
            end = records[-1].position
            self._tail.add(records)
            self._bounds = replace(bounds, head=end.sequence, chain=end.chain)
            self._note_head()
        return self._bounds.end

    def _write(self, batch: EventBatch, records: Sequence[Record]) -> None:
        with transaction(self._writer) as db:
            self._fence.check_transaction()
            insert_records(db, records)
            insert_windows(db, records, batch.windows)
            insert_progress(db, batch.progress)
            resolved = ((sequence,) for sequence in batch.resolved)
            db.executemany("UPDATE windows SET resolved = 1 WHERE sequence = ?", resolved)

    def _find_duplicate_append(self, batch: EventBatch, expected: int) -> Position:
        """Return the end of a batch that was appended before.

        Raises:
            Fenced: it was not.
        """
        statement = (
            "SELECT event_id, sequence, chain FROM events WHERE sequence BETWEEN ? AND ? ORDER BY sequence"
        )
        rows = self._writer.execute(statement, (expected + 1, expected + len(batch))).fetchall()
        if not rows or [row[0] for row in rows] != batch.event_ids:
            raise Fenced(f"the journal ends at {self._bounds.head}, expected {expected}")
        return Position(*rows[-1][1:])

    def _note_head(self) -> None:
        """Note the end. What is committed stays so, whether or not that can be noted."""
        try:
            self._note.write(self._bounds.end)
        except OSError as error:
            if not self.degraded_reason:
                log.error("journal: its end cannot be noted: %s", error)
            self.degraded_reason = f"the journal's end cannot be noted: {error.strerror}"
        else:
            self.degraded_reason = ""

    def _find_lost_tail(self) -> None:
        """Begin a new epoch if the journal once went further, or otherwise, than it does now."""
        noted = self._note.read()
        if noted is not None and self._is_lost(noted):
            log.error(
                "journal: it ended at %d and now ends at %d: history was lost, a new epoch begins",
                noted.sequence,
                self._bounds.head,
            )
            self._begin_epoch()
        self._note_head()

    def _is_lost(self, position: Position) -> bool:
        """Return whether a position that was given out is in the journal no longer."""
        if position.sequence > self._bounds.head:
            return True
        if position.sequence < self._bounds.earliest - 1:
            return False  # removed, as its limits have it
        return self.history.chain_at(position.sequence) != position.chain

    def _confirm_loss(self, epoch: bytes, position: Position) -> bool:
        if epoch != self._bounds.epoch:
            return True
        if not self._is_lost(position):
            return False
        log.error(
            "journal: a resume token names event %d, which the journal (head %d) does not hold: "
            "history was lost, a new epoch begins",
            position.sequence,
            self._bounds.head,
        )
        try:
            self._begin_epoch()
        except sqlite3.OperationalError as error:
            raise _storage_full_error(error) from None
        return True

    def _begin_epoch(self) -> None:
        self._bounds = replace(self._bounds, epoch=begin_epoch(self._writer))

    def _prune_before(self, earliest: int) -> None:
        earliest = min(earliest, self._bounds.head)
        if earliest <= self._bounds.earliest:
            return
        before = self.history.chain_at(earliest - 1) or NO_CHAIN
        try:
            with transaction(self._writer) as db:
                self._fence.check_transaction()
                set_meta(db, "chain_before", before)
                db.execute("DELETE FROM events WHERE sequence < ?", (earliest,))
                db.execute("DELETE FROM windows WHERE sequence < ?", (earliest,))
        except sqlite3.OperationalError as error:
            raise _storage_full_error(error) from None
        self._bounds = replace(self._bounds, earliest=earliest)


def _storage_full_error(error: sqlite3.OperationalError) -> ResourceExhausted:
    return ResourceExhausted("STORAGE_FULL", f"the journal cannot be written: {error}", retry_after=5.0)
