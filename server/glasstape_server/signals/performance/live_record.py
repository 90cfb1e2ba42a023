"""Outcomes of the models that serve, counted as they are journaled; earlier ones are read from the history."""

import asyncio
from collections.abc import Callable, Iterable

from glasstape_server.domain.signals import Event, Kind, ModelRef, Outcome
from glasstape_server.signals.journal.history import HistoryReaders
from glasstape_server.signals.journal.records import Selection
from glasstape_server.signals.performance.calibration import CalibrationWatch

PAGE = 5_000
"""Outcomes read at once."""


class LiveRecord:
    """Counts outcomes for the calibration watch. Bars that a model may have been trained on are never counted."""

    def __init__(
        self,
        readers: HistoryReaders,
        was_trained_on: Callable[[str, str, int], bool],
        decode: Callable[[bytes, ModelRef], Event],
    ) -> None:
        """Begin with nothing.

        Args:
            readers: of the history; their threads judge, too.
            was_trained_on: whether the model of a digest was trained on a symbol at a close, microseconds.
            decode: the event of a payload and its model.
        """
        self.watch = CalibrationWatch()
        self._readers = readers
        self._was_trained_on = was_trained_on
        self._decode = decode
        self._judging: asyncio.Task[None] | None = None
        self._stale = False

    def add(self, resolved: Iterable[tuple[Event, Outcome]]) -> None:
        """Count outcomes that were just journaled, with the signals that they resolve; judge soon."""
        self._count((signal.model.digest, signal.symbol, outcome) for signal, outcome in resolved)
        self._stale = True
        if self._judging is None or self._judging.done():
            self._judging = asyncio.create_task(self._judge())

    async def read_journal(self, head: int) -> None:
        """Count the outcomes up to `head`, newest first, until older ones change nothing."""
        selection = Selection(kinds=frozenset({Kind.OUTCOME}))
        seen: set[str] = set()
        while head > 0:
            head, models = await self._readers.run_on_reader_thread(self._read_page, selection, head)
            seen |= models
            if head and all(map(self.watch.enough, seen)):
                break
        await self._readers.run_on_reader_thread(self.watch.judge)

    async def _judge(self) -> None:
        while self._stale:
            self._stale = False
            await self._readers.run_on_reader_thread(self.watch.judge)

    def _read_page(self, selection: Selection, head: int) -> tuple[int, set[str]]:
        """Count one page, on a reader thread; return where the next one ends, and the models of its outcomes."""
        records = self._readers.history.page(selection, 1, head, PAGE, True)
        events = [self._decode(record.payload, record.model) for record in records]
        self._count((e.model.digest, e.symbol, e.body) for e in events if isinstance(e.body, Outcome))
        return (records[-1].sequence - 1 if records else 0), {event.model.digest for event in events}

    def _count(self, outcomes: Iterable[tuple[str, str, Outcome]]) -> None:
        self.watch.add(
            (digest, outcome)
            for digest, symbol, outcome in outcomes
            if not self._was_trained_on(digest, symbol, outcome.signal_close_time)
        )
