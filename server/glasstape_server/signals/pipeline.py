"""Bar close -> windows -> prediction -> decision -> journal -> hub.

Whatever closed while the last burst was worked on is the next burst. One transaction holds all that a
burst made; subscribers see it only after that transaction is on disk. What was acknowledged and not
yet signalled when a process died is signalled first when the next one starts.
"""

import asyncio
import logging
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np

from glasstape_server.domain.errors import GlasstapeError
from glasstape_server.domain.values import (
    INTERVALS,
    Bar,
    Event,
    Float32s,
    Floats,
    Forecasts,
    Outcome,
    Signal,
)
from glasstape_server.features.compute import volatility
from glasstape_server.features.windows import latest_windows
from glasstape_server.market.clock import wall_time
from glasstape_server.market.ingest import Ingest
from glasstape_server.signals.decision import Closed, Forecaster, announce, signal
from glasstape_server.signals.delivery.hub import Hub
from glasstape_server.signals.journal.log import Entry, Key, Record
from glasstape_server.signals.journal.retention import Retention
from glasstape_server.signals.outcomes import resolve

log = logging.getLogger(__name__)

RETRY_SECONDS = 1.0
"""Pause before a burst that could not be journalled is tried again."""

Burst = Sequence[tuple[Key, int]]
"""Series and close times, one bar of each series."""


@dataclass(frozen=True, slots=True)
class Codec:
    """How events become bytes, and back: the wire's business, handed in."""

    encode: Callable[[Event], bytes]
    decode: Callable[[bytes], Event]


@dataclass(frozen=True, slots=True)
class _Gathered:
    """What the market knows of a burst."""

    closed: list[Closed]
    windows: Float32s
    outcomes: list[tuple[Event, Outcome]]


@dataclass(frozen=True, slots=True)
class Signalled:
    """A burst that is journalled and published, for whoever keeps count."""

    forecaster: Forecaster
    windows: Float32s
    forecasts: Forecasts | None
    """None: no window was ready."""
    outcomes: Sequence[tuple[Event, Outcome]]
    """Signals that were resolved, with what came of them."""


class Pipeline:
    """One task that turns closed bars into journalled, published events."""

    def __init__(
        self,
        *,
        ingest: Ingest,
        hub: Hub,
        interval: str,
        active: Callable[[], Forecaster],
        codec: Codec,
        retention: Retention | None = None,
        on_signalled: Callable[[Signalled], None] = lambda burst: None,
    ) -> None:
        self._ingest = ingest
        self._hub = hub
        self._interval = interval
        self._active = active
        self._codec = codec
        self._retention = retention
        self._on_signalled = on_signalled
        self._pending: dict[Key, deque[int]] = {}
        self._open: dict[Key, list[Event]] = {}
        self._progress: dict[Key, int] = {}
        self._wake = asyncio.Event()
        self._idle = asyncio.Event()
        self._idle.set()
        self._journal = ThreadPoolExecutor(1, "journal")
        self._task: asyncio.Task[None] | None = None
        self.trouble = ""
        """Why the burst at hand cannot be signalled; empty: it can."""

    async def start(self) -> None:
        """Signal what was acknowledged before, then follow the market. Returns when caught up."""
        for record in await self._hub.read(self._hub.log.unresolved):
            event = self._codec.decode(record.payload)
            self._open.setdefault((event.symbol, event.interval), []).append(event)
        self._progress = await self._hub.read(self._hub.log.progress)
        backlog = 0
        for key in self._ingest.store.series_keys(self._interval):
            after = self._progress.get(key, 0)
            times = await self._ingest.read(self._ingest.store.unsignalled, key, after)
            # A bar that was published meanwhile may be known from both sides.
            merged = sorted({*times, *self._pending.get(key, ())})
            backlog += len(merged)
            if merged:
                self._pending[key] = deque(merged)
        if backlog:
            log.info("%d bars were acknowledged and not yet signalled", backlog)
        self.notify(())
        self._task = asyncio.create_task(self._run())
        await self._idle.wait()

    @property
    def waiting(self) -> int:
        """Bars that are stored and wait for their signals."""
        return sum(map(len, self._pending.values()))

    def notify(self, closed: Sequence[tuple[Key, int]]) -> None:
        """Bars are durable and want their signals."""
        for key, close_time in closed:
            if key[1] == self._interval:
                self._pending.setdefault(key, deque()).append(close_time)
        if self._pending:
            self._idle.clear()
            self._wake.set()

    async def stop(self, longest: float) -> None:
        """Finish what is pending, then end, after so many seconds in any case: the next start goes on."""
        try:
            async with asyncio.timeout(longest):
                await self._idle.wait()
        except TimeoutError:
            log.warning("%d bars wait for the next start", self.waiting)
        if self._task is not None:
            self._task.cancel()
            await asyncio.wait([self._task])
        self._journal.shutdown()

    async def _run(self) -> None:
        while True:
            await self._wake.wait()
            self._wake.clear()
            while self._pending:
                await self._until_done(self._next_burst())
            self._idle.set()

    def _next_burst(self) -> Burst:
        """The oldest pending bar of every series."""
        burst = [(key, times.popleft()) for key, times in self._pending.items()]
        self._pending = {key: times for key, times in self._pending.items() if times}
        return burst

    async def _until_done(self, burst: Burst) -> None:
        """Signal a burst, again and again if need be: acknowledged bars are never skipped."""
        while True:
            try:
                await self._signal(burst)
                self.trouble = ""
                return
            except GlasstapeError as error:
                self.trouble = error.message
                log.error("a burst of %d bars waits: %s", len(burst), error)
            except Exception:
                self.trouble = "signalling fails; the log says why"
                log.exception("a burst of %d bars failed and is tried again", len(burst))
            await asyncio.sleep(RETRY_SECONDS)

    async def _signal(self, burst: Burst) -> None:
        # A burst that failed after its commit is tried again: what is journalled is done.
        burst = [(key, time) for key, time in burst if time > self._progress.get(key, 0)]
        forecaster = self._active()
        await self._ingest.calendars_loaded()
        gathered = await self._ingest.read(self._gather, forecaster, burst)
        forecasts = await forecaster.forecast(gathered.windows) if gathered.closed else None
        records = await asyncio.get_running_loop().run_in_executor(
            self._journal, self._commit, forecaster, gathered, forecasts, dict(burst)
        )
        self._hub.publish(records)
        # Before anything that may fail: a burst that is tried again is empty.
        self._on_signalled(Signalled(forecaster, gathered.windows, forecasts, gathered.outcomes))
        await asyncio.get_running_loop().run_in_executor(self._journal, self._compact)

    def _gather(self, forecaster: Forecaster, burst: Burst) -> _Gathered:
        """On the market thread: windows, references and resolved signals of a burst."""
        store, spec = self._ingest.store, forecaster.spec
        ready: list[tuple[Key, int]] = []
        bars: list[Floats] = []
        outcomes: list[tuple[Event, Outcome]] = []
        for key, close_time in burst:
            columns = store.until(key, close_time, spec.min_bars)
            outcomes += self._resolved(key, columns)
            if columns.shape[1] >= spec.min_bars:
                ready.append((key, close_time))
                bars.append(columns)
        if not ready:
            nothing = np.empty((0, *spec.window_shape), dtype=np.float32)
            return _Gathered([], nothing, outcomes)
        series = store.stack([key for key, _ in ready], bars)
        windows, usable = latest_windows(spec, series)
        thresholds = forecaster.label_rule.threshold(volatility(spec, series)[:, -1])
        daily = INTERVALS[self._interval] >= INTERVALS["1d"]
        closed = []
        for row in usable.nonzero()[0]:
            key, close_time = ready[row]
            values = (series.open, series.high, series.low, series.close, series.volume)
            open_, high, low, close, volume = (float(column[row, -1]) for column in values)
            bar = Bar(*key, close_time, open_, high, low, close, volume)
            previous = (
                float(series.close[row, -2]) if daily else store.previous_session_close(key, close_time)
            )
            next_close, expire_time = self._ingest.calendars.bars_later(
                key, close_time, 1, forecaster.label_rule.bars_ahead
            )
            state = self._ingest.clock.state_until(next_close)
            closed.append(Closed(bar, previous, float(thresholds[row]), state, expire_time))
        return _Gathered(closed, windows[usable], outcomes)

    def _resolved(self, key: Key, columns: Floats) -> list[tuple[Event, Outcome]]:
        found = []
        for event in self._open.get(key, ()):
            assert isinstance(event.body, Signal)
            seen = columns
            if not columns.shape[1] or event.bar_close_time < columns[0, 0]:
                ahead = int(event.body.entry) + event.body.horizon_bars
                seen = self._ingest.store.since(key, event.bar_close_time, ahead + 1)
            outcome = resolve(event, seen)
            if outcome is not None:
                found.append((event, outcome))
        return found

    def _commit(
        self,
        forecaster: Forecaster,
        gathered: _Gathered,
        forecasts: Forecasts | None,
        progress: dict[Key, int],
    ) -> list[Record]:
        """On the journal thread: number, encode and append everything, then update what is open."""
        sequence = self._hub.log.bounds().head
        now = wall_time()
        entries: list[Entry] = []
        opened: list[Event] = []
        for signalled, outcome in gathered.outcomes:
            sequence += 1
            event = Event(
                sequence, signalled.symbol, signalled.interval, progress[signalled.symbol, signalled.interval],
                now, signalled.model, outcome,
            )  # fmt: skip
            entries.append(Entry(self._record(event, 0), resolves=outcome.confidence_sequence))
        for row, closed in enumerate(gathered.closed):
            assert forecasts is not None
            made = signal(closed, forecasts.confidence(row), forecaster.label_rule)
            for event in announce(made, sequence + 1, now, forecasts.model):
                sequence += 1
                window = gathered.windows[row] if isinstance(event.body, Signal) else None
                digest = event.model.digest if window is not None else ""
                entries.append(Entry(self._record(event, made.expire_time), digest, window))
                if window is not None:
                    opened.append(event)
        records = self._hub.log.append(entries, progress)
        self._progress.update(progress)
        self._update_open(gathered.outcomes, opened)
        return records

    def _compact(self) -> None:
        """On the journal thread."""
        if self._retention is not None:
            self._retention.apply(wall_time())

    def _record(self, event: Event, expire_time: int) -> Record:
        payload = self._codec.encode(event)
        return Record(
            event.sequence, event.kind, event.symbol, event.interval, event.model.name, event.winning,
            expire_time, payload,
        )  # fmt: skip

    def _update_open(self, outcomes: Sequence[tuple[Event, Outcome]], opened: Sequence[Event]) -> None:
        done = {event.sequence for event, _ in outcomes}
        for key in {(event.symbol, event.interval) for event, _ in outcomes}:
            self._open[key] = [event for event in self._open[key] if event.sequence not in done]
        for event in opened:
            self._open.setdefault((event.symbol, event.interval), []).append(event)
