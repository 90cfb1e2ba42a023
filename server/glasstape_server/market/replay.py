"""Replay of historical bars on a simulated clock, one bar close after the other."""

import asyncio
import logging
import math
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

import polars as pl
from glasstape.barfile.options import BarFileOptions
from glasstape.barfile.paths import bar_file_paths

from glasstape_server.domain.backlog import Backlog
from glasstape_server.domain.bars import Instrument
from glasstape_server.domain.limits import MAX_BATCH_BARS
from glasstape_server.domain.times import SECOND
from glasstape_server.market import sample
from glasstape_server.market.draft import Batch, BatchMode, Report
from glasstape_server.market.files import BarFiles, day_start, to_bars
from glasstape_server.market.ingest import Ingest
from glasstape_server.market.verdict_kinds import RowVerdict
from glasstape_server.market.verdict_report import verdict_groups
from glasstape_server.market.verdicts import COLUMN, ordered, with_verdicts

log = logging.getLogger(__name__)

POLL_S = 0.05
"""Between two looks at the backlog after the last bar."""
REPORT_S = 10.0
"""Between two log lines about it."""


@dataclass(frozen=True, slots=True)
class Recording:
    """The bars of a replay."""

    interval: str
    history: pl.DataFrame
    """Bars before the first signal, as `files.read_bars` returns them."""
    bars: pl.DataFrame
    """Bars with signals."""
    instruments: Sequence[Instrument] = ()

    @property
    def first_close(self) -> int:
        """Close time of the first bar with a signal, in microseconds."""
        return int(self.bars["close_time"][0])


def load(
    source: str,
    interval: str,
    *,
    first: str = "",
    last: str = "",
    options: BarFileOptions | None = None,
) -> Recording:
    """Read a recording.

    Args:
        source: "sample", or a CSV or Parquet file, a folder or a pattern of them.
        interval: length of the bars.
        first: first day with signals, YYYY-MM-DD; "" for the first.
        last: last day, YYYY-MM-DD; "" for the last.
        options: what the file does not state itself; its days are those of the file's zone.

    Rows that break a rule of bars are logged by rule, with their number, and left out.

    Raises:
        ValueError: unreadable file, malformed day, or no bars to replay.
    """
    instruments: Sequence[Instrument] = ()
    if source == "sample":
        frame, time_zone, instruments = sample.read(), sample.OPTIONS.time_zone, sample.INSTRUMENTS
        if interval != sample.INTERVAL:
            raise ValueError(f"replay: the sample has {sample.INTERVAL} bars, interval is {interval}")
    else:
        files = BarFiles(bar_file_paths([source]), interval, options)
        log.info("replay: %s", "; ".join(files.shown_notes(verbose=False)))
        frame, time_zone = _storable(files.read(), interval, source), files.time_zone
    begin = day_start(first, time_zone, "replay_from") if first else 0
    end = day_start(last, time_zone, "replay_to") + 86_400 * SECOND if last else 1 << 62
    history = frame.filter(pl.col("close_time") < begin)
    shown = frame.filter(pl.col("close_time").is_between(begin, end, closed="left"))
    if shown.is_empty():
        raise ValueError(f"replay: {source} has no bars from {first or 'the start'} to {last or 'the end'}")
    return Recording(interval, history, shown, instruments)


async def play(
    recording: Recording, ingest: Ingest, backlog: Callable[[], Backlog], *, step: float, speed: float
) -> None:
    """Publish the history at once, then each close at its time; return when the last is signaled.

    Args:
        recording: bars.
        ingest: destination.
        backlog: what is not signaled, and which signals have no outcome.
        step: wall seconds between two closes, used when `speed` is 0.
        speed: market seconds per wall second.
    """
    clock = ingest.clock
    instruments = recording.instruments
    rejections = _Rejections()
    for part in recording.history.iter_slices(MAX_BATCH_BARS):
        batch = Batch(to_bars(part, recording.interval), instruments, BatchMode.BACKFILL)
        rejections.add(await ingest.publish(batch), batch)
    await ingest.publish(Batch((), instruments))
    await ingest.calendars_loaded()
    clock.advance(recording.first_close, speed)
    for part in recording.bars.partition_by("close_time", maintain_order=True):
        close_time = int(part["close_time"][0])
        wait = (close_time - clock.now()) / SECOND / speed if speed else step
        if wait > 0:
            await asyncio.sleep(wait)
        clock.advance(close_time, speed)
        batch = Batch(to_bars(part, recording.interval), instruments)
        rejections.add(await ingest.publish(batch), batch)
    rejections.log_counts()
    await _signaled(backlog)
    log.info("replay finished: every bar is signaled; %d signals have no outcome", backlog().open_signals)


async def _signaled(backlog: Callable[[], Backlog]) -> None:
    """Wait until every bar is signaled; log how many are not."""
    reported = -math.inf
    while (bars := backlog().bars) > 0:
        if time.monotonic() - reported >= REPORT_S:
            log.info("replay: every bar is published; the signals of %d bars are not", bars)
            reported = time.monotonic()
        await asyncio.sleep(POLL_S)


def _storable(frame: pl.DataFrame, interval: str, source: str) -> pl.DataFrame:
    """Return the rows that break no rule, as they were ordered; log the others by rule.

    Raises:
        ValueError: there are no rows, or none that can be stored.
    """
    if frame.is_empty():
        raise ValueError(f"replay: {source}: there are no bars")
    judged = with_verdicts(ordered(frame))
    groups = [group for group in verdict_groups(judged, interval) if group.kind.rejected]
    kept = judged.filter(pl.col(COLUMN) < RowVerdict.EQUAL_REPEAT).drop(COLUMN, "file", "row")
    if kept.is_empty():
        causes = "; ".join(group.to_text() for group in groups)
        raise ValueError(f"replay: {source}: no bar can be stored: {causes}")
    for group in groups:
        log.warning("replay: %s: rejected: %s", source, group.to_text())
    return kept.sort("close_time", "symbol", maintain_order=True)


class _Rejections:
    """Bars that the store rejected: the first of each rule is logged at once, their number at the end."""

    def __init__(self) -> None:
        self._counts: Counter[tuple[str, str]] = Counter()

    def add(self, report: Report, batch: Batch) -> None:
        for index, symbol, error in report.rejections:
            rule = (error.reason, error.violations[0].field if error.violations else "")
            self._counts[rule] += 1
            if self._counts[rule] == 1:
                closed = datetime.fromtimestamp(batch.bars[index].close_time / SECOND, UTC)
                log.warning("replay: the bar of %s at %s was rejected: %s", symbol, closed.isoformat(), error)

    def log_counts(self) -> None:
        for (reason, field), count in self._counts.items():
            log.warning("replay: %d bars were rejected: %s %s", count, reason, field)
