"""Bar close -> windows -> prediction -> decision -> journal.

A burst takes the oldest pending bar of every series; further bars of a series wait for the next bursts. For a model
that ranks the symbols of a close, it takes the bars of the oldest pending close; see `close_gate`. One append holds all
events of a burst; subscribers see them when the journal has committed it. Bars that were acknowledged and not signaled
when a process died are signaled first when the next one starts.
"""

import asyncio
import logging
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import partial

from glasstape_server.domain.backlog import Backlog
from glasstape_server.domain.bars import SeriesKey
from glasstape_server.domain.errors import GlasstapeError
from glasstape_server.domain.signals import Event, Forecasts, ModelRef
from glasstape_server.market.clock import wall_time
from glasstape_server.market.ingest import Ingest
from glasstape_server.signals.burst_events import announce
from glasstape_server.signals.close_batch import CloseBatch
from glasstape_server.signals.close_gate import GRACE_SECONDS, CloseGate
from glasstape_server.signals.columns import ClosedBars, Outcomes
from glasstape_server.signals.decision import Forecaster
from glasstape_server.signals.gather import BarClose, gather
from glasstape_server.signals.journal.history import HistoryReaders
from glasstape_server.signals.journal.journal import AppendUnknown, Fenced, Journal
from glasstape_server.signals.journal.retention import Retention
from glasstape_server.signals.outcomes import OpenSignals

log = logging.getLogger(__name__)

RETRY_SECONDS = 1.0
"""Pause before a burst that could not be journaled is tried again."""


@dataclass(frozen=True, slots=True)
class Codec:
    """How events become bytes, and back; handed in by the layer that knows the messages."""

    encode_close: Callable[[CloseBatch, int], list[bytes]]
    """The bytes of a close's events, which follow a sequence."""
    decode: Callable[[bytes, ModelRef], Event]


@dataclass(frozen=True, slots=True)
class ProcessedBurst:
    """A burst that is journaled."""

    forecaster: Forecaster
    forecasts: Forecasts | None
    """None: no window was ready."""
    closed: ClosedBars
    """What was signaled."""
    outcomes: Outcomes


@dataclass(frozen=True, slots=True)
class _Prepared:
    """A burst that is decided. Appending it again is idempotent."""

    batch: CloseBatch
    expected: int
    """Head of the journal when it was decided; its events follow it."""
    processed: ProcessedBurst


class Pipeline:
    """One task that turns closed bars into journaled events."""

    def __init__(
        self,
        *,
        ingest: Ingest,
        journal: Journal,
        readers: HistoryReaders,
        interval: str,
        active: Callable[[], Forecaster],
        codec: Codec,
        retention: Retention | None = None,
        on_signaled: Callable[[ProcessedBurst], None] = lambda burst: None,
        retry_seconds: float = RETRY_SECONDS,
        close_grace_s: float = GRACE_SECONDS,
    ) -> None:
        """Create a pipeline without a task; `start` begins to signal.

        Args:
            ingest: bars that closed.
            journal: what is appended to.
            readers: of its history: where the last process stopped.
            interval: bar interval to signal.
            active: the model that publishes, as of now.
            codec: how events are encoded.
            retention: removes old events after each burst.
            on_signaled: called after each burst that is journaled.
            retry_seconds: pause before a burst that failed is tried again.
            close_grace_s: longest wait for the symbols of a close that are ranked, in seconds.
        """
        self._ingest = ingest
        self._journal = journal
        self._readers = readers
        self._interval = interval
        self._active = active
        self._codec = codec
        self._retention = retention
        self._on_signaled = on_signaled
        self._retry_seconds = retry_seconds
        self._gate = CloseGate(ingest, interval, close_grace_s)
        self._pending: dict[SeriesKey, deque[int]] = {}
        self._open = OpenSignals()
        self._progress: dict[SeriesKey, int] = {}
        self._burst_bars = 0
        self._head = 0
        """Newest event that open signals and progress know of: the fence of the next burst."""
        self._wake = asyncio.Event()
        self._idle = asyncio.Event()
        self._idle.set()
        self._task: asyncio.Task[None] | None = None
        self.degraded_reason = ""
        """Why the current burst cannot be signaled; empty: it can."""

    async def start(self) -> None:
        """Signal what was acknowledged before, then follow the market. Returns when caught up."""
        await self._load()
        unsignaled_count = 0
        for key in self._ingest.store.series_keys(self._interval):
            after = self._progress.get(key, 0)
            times = await self._ingest.run_on_market_thread(self._ingest.store.unsignaled, key, after)
            # A bar that was published meanwhile may be known from both sides.
            merged = sorted({*times, *self._pending.get(key, ())})
            unsignaled_count += len(merged)
            if merged:
                self._pending[key] = deque(merged)
        if unsignaled_count:
            log.info("%d bars were acknowledged and not yet signaled", unsignaled_count)
        self.notify(())
        self._task = asyncio.create_task(self._run())
        await self._idle.wait()

    def backlog(self) -> Backlog:
        """Return how many stored bars are not signaled, and how many signals have no outcome yet."""
        return Backlog(sum(map(len, self._pending.values())) + self._burst_bars, len(self._open))

    def notify(self, closed: Sequence[BarClose]) -> None:
        """Take bars that are durable, to signal them."""
        for key, close_time in closed:
            if key[1] == self._interval:
                self._pending.setdefault(key, deque()).append(close_time)
                self._gate.note(close_time)
        if self._pending:
            self._idle.clear()
            self._wake.set()

    async def stop(self, timeout_s: float) -> None:
        """Finish what is pending, at most for so many seconds, then end: the next start goes on."""
        try:
            async with asyncio.timeout(timeout_s):
                await self._idle.wait()
        except TimeoutError:
            log.warning("%d bars are left to the next start", self.backlog().bars)
        if self._task is not None:
            self._task.cancel()
            await asyncio.wait([self._task])

    async def _load(self) -> None:
        """Load open signals and progress, up to the journal's head at least."""
        history = self._readers.history
        self._head = self._journal.bounds.head
        records = await self._readers.run_on_reader_thread(history.unresolved)
        self._open = OpenSignals(self._codec.decode(record.payload, record.model) for record in records)
        self._progress = await self._readers.run_on_reader_thread(history.progress)

    async def _run(self) -> None:
        while True:
            await self._wake.wait()
            self._wake.clear()
            while self._pending:
                ranked = _ranks_closes(self._active())
                if ranked:
                    await self._wait_for_close()
                prepared = await self._append(self._next_burst(ranked), ranked)
                await self._finish(prepared.processed)
            self._idle.set()

    async def _wait_for_close(self) -> None:
        """Wait until the oldest pending close is complete, or its grace time is over."""
        while True:
            self._wake.clear()  # before the check, so that a bar that comes during it is not missed
            wait = await self._gate.wait_s(min(times[0] for times in self._pending.values()))
            if not wait:
                return
            with suppress(TimeoutError):
                await asyncio.wait_for(self._wake.wait(), wait)

    def _next_burst(self, ranked: bool) -> list[BarClose]:
        """The oldest pending bar of every series; of the oldest close alone if its symbols are ranked."""
        oldest = min(times[0] for times in self._pending.values())
        burst = [
            (key, times.popleft()) for key, times in self._pending.items() if not ranked or times[0] == oldest
        ]
        self._pending = {key: times for key, times in self._pending.items() if times}
        self._burst_bars = len(burst)
        self._gate.passed(oldest)
        return burst

    async def _append(self, burst: Sequence[BarClose], ranked: bool) -> _Prepared:
        """Decide a burst and journal it, again and again if need be: acknowledged bars are never skipped.

        Once it is decided it keeps its forecast, its model and its ids: a journal may hold it already.
        """
        prepared: _Prepared | None = None
        fenced = False
        while True:
            try:
                if fenced:
                    await self._load()
                    fenced = False
                if prepared is None:
                    prepared = await self._prepare(burst, ranked)
                end = await self._journal.append(prepared.batch, prepared.expected)
            except Fenced as error:
                # Another writer appended: what it signaled is done, the rest is decided again.
                self._report(str(error), len(burst))
                prepared, fenced = None, True
            except AppendUnknown as error:
                self._report(f"no acknowledgment of the journal: {error}", len(burst))
            except GlasstapeError as error:
                self._report(error.message, len(burst))
            except Exception:
                self.degraded_reason = "signaling fails; see the log"
                log.exception("a burst of %d bars failed and is tried again", len(burst))
            else:
                self.degraded_reason = ""
                self._apply_commit(prepared, end.sequence)
                return prepared
            await asyncio.sleep(self._retry_seconds)

    def _report(self, reason: str, bars: int) -> None:
        self.degraded_reason = reason
        log.error("a burst of %d bars waits: %s", bars, reason)

    async def _prepare(self, burst: Sequence[BarClose], ranked: bool) -> _Prepared:
        ingest, forecaster = self._ingest, self._active()
        left = [(key, time) for key, time in burst if time > self._progress.get(key, 0)]
        await ingest.calendars_loaded()
        progress = dict(left)
        gathered = await ingest.run_on_market_thread(
            partial(gather, whole_close=ranked and self._begins_close(progress)),
            ingest, self._interval, forecaster, left, self._open,
        )  # fmt: skip
        closed, outcomes = gathered.closed, gathered.outcomes
        forecasts = await forecaster.forecast(closed.windows) if len(closed) else None
        model = forecaster.ref if forecasts is None else forecasts.model
        signals = announce(closed, forecasts, model, forecaster.label_rule, len(outcomes) + 1)
        batch = CloseBatch(signals, outcomes, progress, wall_time(), self._codec.encode_close)
        return _Prepared(batch, self._head, ProcessedBurst(forecaster, forecasts, closed, outcomes))

    def _begins_close(self, burst: Mapping[SeriesKey, int]) -> bool:
        """Whether no bar of the closes of a burst was signaled before, as by a model that ranks nothing."""
        closes = set(burst.values())
        others = (item for item in self._progress.items() if item[0] not in burst)
        return not any(time in closes and key[1] == self._interval for key, time in others)

    def _apply_commit(self, prepared: _Prepared, head: int) -> None:
        """Note what a burst that ends at `head` processed, resolved and opened."""
        batch = prepared.batch
        self._head, self._burst_bars = head, 0
        self._progress.update(batch.progress)
        self._open.remove(batch.outcomes.confidence_sequence)
        self._open.add(batch.signals, head - len(batch) + batch.signals.position)

    async def _finish(self, processed: ProcessedBurst) -> None:
        """Report a burst that is journaled, and remove old events: neither holds up the next burst."""
        try:
            self._on_signaled(processed)
            if self._retention is not None:
                await self._retention.apply(wall_time())
        except GlasstapeError as error:
            log.error("old events could not be removed: %s", error)
        except Exception:
            log.exception("a burst was journaled; what follows it failed")


def _ranks_closes(forecaster: Forecaster) -> bool:
    """Whether a model ranks the symbols of a close, by its features or its rank head."""
    return bool(forecaster.spec.ranked_names) or forecaster.has_rank_head
