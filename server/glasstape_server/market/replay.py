"""Historical bars on a simulated clock, bar close by bar close."""

import asyncio
import logging
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import time
from itertools import groupby
from pathlib import Path

from glasstape_server.domain import SECOND, Bar, Instrument
from glasstape_server.market import sample
from glasstape_server.market.draft import Batch
from glasstape_server.market.files import FileFormat, day_start, read_bars, to_bars
from glasstape_server.market.ingest import MAX_BATCH_BARS, Ingest

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Recording:
    """What is replayed."""

    history: Sequence[Bar]
    """Bars before the first signal, oldest first."""
    bars: Sequence[Bar]
    """Bars that are signalled, oldest first."""
    instruments: Sequence[Instrument] = ()


def load(
    source: str,
    interval: str,
    *,
    first: str = "",
    last: str = "",
    time_zone: str = "UTC",
    close: str = "00:00",
) -> Recording:
    """Read a recording.

    Args:
        source: "sample", or a CSV or Parquet file.
        interval: length of the bars.
        first: first day that is signalled, YYYY-MM-DD; "" for the first.
        last: last day, YYYY-MM-DD; "" for the last.
        time_zone: IANA zone of times without an offset.
        close: local closing time of bars that carry a date alone, HH:MM.

    Raises:
        ValueError: unreadable file, malformed day, or nothing left to replay.
    """
    instruments: Sequence[Instrument] = ()
    if source == "sample":
        frame, time_zone, instruments = sample.read(), sample.FORMAT.time_zone, sample.INSTRUMENTS
        if interval != sample.INTERVAL:
            raise ValueError(f"replay: the sample has {sample.INTERVAL} bars, interval is {interval}")
    else:
        frame = read_bars(Path(source), interval, FileFormat(time_zone, time.fromisoformat(close)))
    bars = to_bars(frame, interval)
    begin = day_start(first, time_zone) if first else 0
    end = day_start(last, time_zone) + 86_400 * SECOND if last else 1 << 62
    history = [bar for bar in bars if bar.close_time < begin]
    shown = [bar for bar in bars if begin <= bar.close_time < end]
    if not shown:
        raise ValueError(f"replay: {source} has no bar from {first or 'the start'} to {last or 'the end'}")
    return Recording(history, shown, instruments)


async def play(recording: Recording, ingest: Ingest, *, step: float, speed: float) -> None:
    """Publish the history at once, then each close in its time; returns after the last.

    Args:
        recording: what to play.
        ingest: where bars go.
        step: wall seconds between two closes, used when `speed` is 0.
        speed: market seconds per wall second.
    """
    clock = ingest.clock
    clock.advance(recording.bars[0].close_time, speed)
    for first in range(0, len(recording.history) or 1, MAX_BATCH_BARS):
        part = recording.history[first : first + MAX_BATCH_BARS]
        _report(await ingest.publish(Batch(part, recording.instruments, backfill=True)))
    for close_time, group in groupby(recording.bars, key=lambda bar: bar.close_time):
        wait = (close_time - clock.now()) / SECOND / speed if speed else step
        if wait > 0:
            await asyncio.sleep(wait)
        clock.advance(close_time, speed)
        _report(await ingest.publish(Batch(list(group))))
    log.info("the replay has ended")


def _report(report: object) -> None:
    for index, symbol, error in getattr(report, "rejections", ()):
        log.warning("replay: bar %d of %s rejected: %s", index, symbol, error)
