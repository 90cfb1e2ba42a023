"""Outcomes of the models that serve, counted as they come; what came before is read from the journal."""

import asyncio
from collections.abc import Callable, Iterable

from glasstape_server.domain.values import Event, Kind, Outcome
from glasstape_server.signals.delivery.hub import Hub
from glasstape_server.signals.journal.log import Selection
from glasstape_server.signals.performance.calibration import CalibrationWatch

PAGE = 5_000
"""Outcomes that are read at once."""


class LiveRecord:
    """Feeds the calibration watch. What a model has learnt from is never counted."""

    def __init__(self, hub: Hub, seen_until: Callable[[str], int], decode: Callable[[bytes], Event]) -> None:
        """Begin with nothing.

        Args:
            hub: the feed, whose journal is read and whose reader threads judge.
            seen_until: last close that the model of a digest has learnt from, microseconds.
            decode: an event from its bytes.
        """
        self.watch = CalibrationWatch()
        self._hub = hub
        self._seen_until = seen_until
        self._decode = decode
        self._judging: asyncio.Task[None] | None = None
        self._stale = False

    def add(self, resolved: Iterable[tuple[Event, Outcome]]) -> None:
        """Count outcomes that were just published, with the signals that they resolve; judge soon."""
        self._count((signal.model.digest, outcome) for signal, outcome in resolved)
        self._stale = True
        if self._judging is None or self._judging.done():
            self._judging = asyncio.create_task(self._judge())

    async def read_journal(self, head: int) -> None:
        """Count the outcomes that the journal held up to `head`, newest first, until older ones change nothing."""
        selection = Selection(kinds=frozenset({Kind.OUTCOME}))
        seen: set[str] = set()
        while head > 0:
            head, models = await self._hub.read(self._read_page, selection, head)
            seen |= models
            if head and all(map(self.watch.enough, seen)):
                break
        await self._hub.read(self.watch.judge)

    async def _judge(self) -> None:
        while self._stale:
            self._stale = False
            await self._hub.read(self.watch.judge)

    def _read_page(self, selection: Selection, head: int) -> tuple[int, set[str]]:
        """On a reader thread: count one page; returns where the next one ends, and whose outcomes it held."""
        records = self._hub.log.page(selection, 1, head, PAGE, True)
        events = [self._decode(record.payload) for record in records]
        self._count((e.model.digest, e.body) for e in events if isinstance(e.body, Outcome))
        return (records[-1].sequence - 1 if records else 0), {event.model.digest for event in events}

    def _count(self, outcomes: Iterable[tuple[str, Outcome]]) -> None:
        self.watch.add(
            (digest, o) for digest, o in outcomes if o.signal_close_time > self._seen_until(digest)
        )
