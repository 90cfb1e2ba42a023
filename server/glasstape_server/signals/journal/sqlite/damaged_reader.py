"""Reads of a journal's file that may be damaged."""

import sqlite3
from collections.abc import Sequence
from contextlib import suppress
from typing import Any

from glasstape_server.domain.errors import DataLoss
from glasstape_server.signals.journal.chain import NO_CHAIN
from glasstape_server.signals.journal.records import Record
from glasstape_server.signals.journal.sqlite.file import meta
from glasstape_server.signals.journal.sqlite.rows import (
    EVENT_COLUMNS,
    ModelTable,
    blob,
    damaged,
    record_of,
)
from glasstape_server.storage.sqlite import UNREADABLE


class DamagedReader:
    """Reads one event at a time, so that damage to one hides no other."""

    def __init__(self, db: sqlite3.Connection) -> None:
        self._db = db
        self._models = ModelTable(self._rows)

    def record(self, sequence: int) -> Record:
        """Return one event, checked.

        Raises:
            DataLoss: it is missing, or not what was written.
            sqlite3.DatabaseError: it cannot be read.
        """
        rows = self._rows(f"SELECT {EVENT_COLUMNS} FROM events WHERE sequence = ?", (sequence,))  # noqa: S608
        if not rows:
            raise damaged(f"event {sequence} is missing")
        return record_of(rows[0], self.chain(sequence - 1), self._models)

    def chain(self, sequence: int) -> bytes:
        """Return the chain hash at an event, or at the end of what was removed."""
        rows = self._rows("SELECT chain FROM events WHERE sequence = ?", (sequence,))
        if rows:
            return blob(rows[0][0], f"the chain at {sequence}")
        return meta(self._db, "chain_before") or NO_CHAIN

    def intact(self, sequence: int) -> bool:
        """Return whether an event is there and what was written."""
        try:
            self.record(sequence)
        except (*UNREADABLE, DataLoss):
            return False
        return True

    def newest_run(self) -> tuple[int, int]:
        """Return first and last of the newest unbroken run of events; (1, 0) if nothing is intact."""
        first, last = 1, 0
        with suppress(*UNREADABLE):
            for (sequence,) in self._db.execute("SELECT sequence FROM events ORDER BY sequence DESC"):
                if last and sequence != first - 1:
                    break
                if self.intact(sequence):
                    first, last = sequence, last or sequence
                elif last:
                    break
        return first, last

    def _rows(self, statement: str, values: Sequence[object]) -> list[tuple[Any, ...]]:
        return self._db.execute(statement, values).fetchall()
