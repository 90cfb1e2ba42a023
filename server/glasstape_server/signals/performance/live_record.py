"""Signals and outcomes of the models, counted as they are journaled; earlier ones are read from the history."""

import asyncio
from collections.abc import Callable, Iterable, Sequence
from typing import Protocol

import numpy as np

from glasstape_server.domain.arrays import Float32s
from glasstape_server.domain.signals import Event, Kind, ModelRef, Outcome, Signal
from glasstape_server.domain.training_reference import TrainingReference
from glasstape_server.signals.journal.history import HistoryReaders
from glasstape_server.signals.journal.journal import Journal
from glasstape_server.signals.journal.records import Record, Selection
from glasstape_server.signals.performance.calibration import NO_OUTCOMES, CalibrationWatch
from glasstape_server.signals.performance.drift import DriftWatch
from glasstape_server.signals.performance.live import Live
from glasstape_server.signals.pipeline import ProcessedBurst

PAGE = 5_000
"""Events read at once."""
WINDOWS_PER_PAGE = 500
"""Windows read for each page, evenly spread over its signals: their features are compared with training."""


class TrainedModels(Protocol):
    """What models were trained on."""

    def was_trained_on(self, digest: str, symbol: str, close_time: int) -> bool:
        """Return whether a bar may be in the training data of the model of a digest."""
        ...

    def training_reference(self, digest: str) -> TrainingReference | None:
        """Return the statistics of its training windows; None for an unknown digest."""
        ...


class LiveRecord:
    """Watches calibration and drift. Bars that a model may have been trained on are never counted."""

    def __init__(
        self,
        readers: HistoryReaders,
        models: TrainedModels,
        decode: Callable[[bytes, ModelRef], Event],
    ) -> None:
        """Begin with nothing.

        Args:
            readers: of the history; their threads judge, too.
            models: states what the models of signals were trained on.
            decode: the event of a payload and its model.
        """
        self.calibration = CalibrationWatch()
        self.drift = DriftWatch(models.training_reference)
        self._readers = readers
        self._models = models
        self._decode = decode
        self._judging: asyncio.Task[None] | None = None
        self._stale = False

    def of(self, digest: str) -> Live | None:
        """Return the newest figures of a model; None if it has neither signals nor outcomes."""
        calibration, drift = self.calibration.of(digest), self.drift.of(digest)
        if calibration is None and drift is None:
            return None
        return Live(calibration or NO_OUTCOMES, drift)

    def add(self, burst: ProcessedBurst) -> None:
        """Count the signals and outcomes of a burst that was just journaled; judge soon."""
        outcomes, closed = burst.outcomes, burst.closed
        self._count_outcomes(
            (model.digest, key[0], outcome)
            for model, key, outcome in zip(outcomes.models, outcomes.keys, outcomes.to_list(), strict=True)
        )
        if burst.forecasts is not None:
            columns = (closed.close_time.tolist(), burst.forecasts.novelty.tolist(), closed.windows[:, -1])
            signals = [
                (symbol, close_time, novelty, newest)
                for (symbol, _), close_time, novelty, newest in zip(closed.keys, *columns, strict=True)
            ]
            self._count_signals(burst.forecasts.model.digest, signals)
        self._judge_soon()

    async def follow(self, journal: Journal, after: int) -> None:
        """Count signals and outcomes after an event as they are committed, by whichever server."""
        async for commit in journal.tail(after):
            if commit.records:
                await self._readers.run_on_reader_thread(self._count_records, commit.records)
                self._judge_soon()

    def _judge_soon(self) -> None:
        self._stale = True
        if self._judging is None or self._judging.done():
            self._judging = asyncio.create_task(self._judge())

    async def read_journal(self, head: int) -> None:
        """Count signals and outcomes up to `head`, newest first, until older ones change nothing."""
        seen: set[str] = set()
        while head > 0:
            head, models, oldest = await self._readers.run_on_reader_thread(self._read_page, head)
            seen |= models
            if head and all(self.calibration.enough(d) and self.drift.enough(d, oldest) for d in seen):
                break
        await self._readers.run_on_reader_thread(self._judge_now)

    async def _judge(self) -> None:
        while self._stale:
            self._stale = False
            await self._readers.run_on_reader_thread(self._judge_now)

    def _judge_now(self) -> None:
        self.calibration.judge()
        self.drift.judge()

    def _read_page(self, head: int) -> tuple[int, set[str], int]:
        """Count one page, on a reader thread; return where the next one ends, its models and its oldest close."""
        history = self._readers.history
        selection = Selection(kinds=frozenset({Kind.CONFIDENCE, Kind.OUTCOME}))
        records = history.page(selection, 1, head, PAGE, True)
        models, oldest = self._count_records(records)
        return (records[-1].sequence - 1 if records else 0), models, oldest

    def _count_records(self, records: Sequence[Record]) -> tuple[set[str], int]:
        """Count events, on a reader thread; return their models and their oldest close."""
        history = self._readers.history
        events = [self._decode(record.payload, record.model) for record in records]
        self._count_outcomes(
            (e.model.digest, e.symbol, e.body) for e in events if isinstance(e.body, Outcome)
        )
        signaled = [
            (record, e) for record, e in zip(records, events, strict=True) if isinstance(e.body, Signal)
        ]
        stride = -(-len(signaled) // WINDOWS_PER_PAGE)
        by_digest: dict[str, list[tuple[str, int, float, Float32s | None]]] = {}
        for number, (record, event) in enumerate(signaled):
            assert isinstance(event.body, Signal)
            reference = None if number % stride else self._models.training_reference(event.model.digest)
            window = None if reference is None else history.window(record.sequence)
            newest = None
            if reference is not None and window is not None:
                newest = np.frombuffer(window, "<f4")[-len(reference.names) :]
            by_digest.setdefault(event.model.digest, []).append(
                (event.symbol, event.bar_close_time, event.body.confidence.novelty, newest)
            )
        for digest, signals in by_digest.items():
            self._count_signals(digest, signals)
        oldest = min((event.bar_close_time for event in events), default=0)
        return {e.model.digest for e in events}, oldest

    def _count_outcomes(self, outcomes: Iterable[tuple[str, str, Outcome]]) -> None:
        self.calibration.add(
            (digest, outcome)
            for digest, symbol, outcome in outcomes
            if not self._models.was_trained_on(digest, symbol, outcome.signal_close_time)
        )

    def _count_signals(self, digest: str, signals: list[tuple[str, int, float, Float32s | None]]) -> None:
        """Count signals of one model: symbol, close, novelty, and newest bar where it is known."""
        kept = [each for each in signals if not self._models.was_trained_on(digest, each[0], each[1])]
        if kept:
            _, closes, novelty, newest = zip(*kept, strict=True)
            self.drift.add(digest, np.array(closes), np.array(novelty), newest)
