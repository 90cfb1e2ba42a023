"""Following a journal: the newest commits from memory, older ones from the store."""

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence

from glasstape_server.signals.journal.journal import Commit
from glasstape_server.signals.journal.records import Bounds, Record

PAGE = 4096
"""Records read from the store at once."""
KEPT_COMMITS = 4
"""Newest commits that are kept in memory for those that follow."""


class CommitTail:
    """Wakes those that follow a journal, and hands them what was committed.

    `add` may be called on the thread that commits, everything else on the event loop.
    """

    def __init__(
        self, bounds: Callable[[], Bounds], read: Callable[[int, int], Awaitable[Sequence[Record]]]
    ) -> None:
        """Follow a journal.

        Args:
            bounds: the journal's bounds as of now.
            read: returns up to so many records after a sequence.
        """
        self._bounds = bounds
        self._read = read
        self._newest: tuple[Sequence[Record], ...] = ()
        self._changed = asyncio.Event()

    def add(self, records: Sequence[Record]) -> None:
        """Keep a commit. Call before the journal's bounds show it, and `wake` after."""
        if records:
            self._newest = (*self._newest, records)[-KEPT_COMMITS:]

    def wake(self) -> None:
        """The journal's bounds have changed."""
        changed, self._changed = self._changed, asyncio.Event()
        changed.set()

    async def follow(self, after: int) -> AsyncGenerator[Commit, None]:
        """See `Journal.tail`."""
        epoch = self._bounds().epoch
        while True:
            changed, bounds = self._changed, self._bounds()
            if bounds.epoch != epoch:
                epoch = bounds.epoch
                yield Commit(epoch, ())
            elif bounds.head > after:
                records = self._kept(after) or await self._read(after, PAGE)
                after = records[-1].sequence
                yield Commit(epoch, records)
            else:
                await changed.wait()

    def _kept(self, after: int) -> Sequence[Record]:
        """Records of the commit that holds the sequence after `after`; empty if that is not kept."""
        for records in self._newest:
            if records[0].sequence <= after + 1 <= records[-1].sequence:
                return records[after + 1 - records[0].sequence :] if records[0].sequence <= after else records
        return ()
