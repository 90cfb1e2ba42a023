"""What the market holds of bars that closed: windows, references and outcomes. Runs on the market thread."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from glasstape_server.domain.arrays import Floats, Ints
from glasstape_server.domain.bars import SeriesKey
from glasstape_server.domain.times import INTERVALS
from glasstape_server.features.compute import volatility
from glasstape_server.market.ingest import Ingest
from glasstape_server.market.missing_bars import MissingBars
from glasstape_server.signals.columns import ClosedBars, Outcomes
from glasstape_server.signals.decision import Forecaster
from glasstape_server.signals.outcomes import OpenSignals

BarClose = tuple[SeriesKey, int]
"""A series and the close time of one of its bars, microseconds."""


@dataclass(frozen=True, slots=True)
class Gathered:
    """What is known of a burst before it is predicted."""

    closed: ClosedBars
    outcomes: Outcomes


def gather(
    ingest: Ingest,
    interval: str,
    forecaster: Forecaster,
    burst: Sequence[BarClose],
    open_signals: OpenSignals,
) -> Gathered:
    """Gather one bar of each of some series.

    The closes of windows with ranked features are sealed first, so that no later bar changes their ranks.
    """
    store, spec = ingest.store, forecaster.spec
    keys = [key for key, _ in burst]
    close_time = np.array([time for _, time in burst], np.int64)
    bars = store.newest(keys, close_time, spec.min_bars)
    outcomes = open_signals.resolve(keys, close_time, bars, store.since)
    # A bar that was removed, or replaced by a halted one, since it closed gets no signal.
    ready = np.flatnonzero(~np.isnan(bars[:, 0, 0]) & (bars[:, 0, -1] == close_time))
    if not len(ready):
        return Gathered(ClosedBars.none(spec.window_shape), outcomes)
    keys = [keys[row] for row in ready.tolist()]
    return Gathered(_closed(ingest, interval, forecaster, keys, bars[ready]), outcomes)


def _closed(
    ingest: Ingest, interval: str, forecaster: Forecaster, keys: Sequence[SeriesKey], bars: Floats
) -> ClosedBars:
    """Return the bars whose window is usable.

    Args:
        ingest: the market.
        interval: of the bars.
        forecaster: whose windows.
        keys: series.
        bars: newest bars of each, (series, 6, bar): close time, open, high, low, close, volume.
    """
    store, spec, rule = ingest.store, forecaster.spec, forecaster.label_rule
    series = store.stack(keys, bars)
    ingest.cross_sections.seal(spec, interval, series)
    windows, usable, missing_symbols = ingest.cross_sections.windows(spec, keys, series)
    threshold = rule.threshold(volatility(spec, series)[:, -1])
    chosen = np.flatnonzero(usable)
    keys, bars, close_time = [keys[row] for row in chosen.tolist()], bars[chosen], series.close_time[chosen]
    newest = close_time[:, -1]
    later = ingest.calendars.later_closes(list(zip(keys, newest.tolist(), strict=True)), 1, rule.bars_ahead)
    states = {next_close: ingest.clock.state_until(next_close) for next_close in set(later[:, 0].tolist())}
    return ClosedBars(
        keys=keys,
        close_time=newest,
        prices=bars[:, 1:, -1].T,
        previous_session_close=_previous_closes(ingest, interval, keys, bars),
        flat_threshold=threshold[chosen],
        data_state=np.array([states[next_close] for next_close in later[:, 0].tolist()], np.int64),
        expire_time=later[:, 1],
        missing_bars=_missing(ingest, interval, keys, close_time[:, -spec.window_bars - 1 :]),
        missing_symbols=missing_symbols[chosen],
        windows=windows[chosen],
    )


def _previous_closes(ingest: Ingest, interval: str, keys: Sequence[SeriesKey], bars: Floats) -> Floats:
    """Return the last close of an earlier trading day, (series,); NaN: not known."""
    if INTERVALS[interval] >= INTERVALS["1d"]:
        return np.array(bars[:, 4, -2])
    times = bars[:, 0, -1].astype(np.int64).tolist()
    closes = [ingest.store.previous_session_close(key, time) for key, time in zip(keys, times, strict=True)]
    return np.array([np.nan if close is None else close for close in closes])


def _missing(ingest: Ingest, interval: str, keys: Sequence[SeriesKey], close_time: Ints) -> Ints:
    """Return how many bars are missing between those of each series, (series,)."""
    missing = MissingBars(ingest.store, ingest.calendars)
    counts = np.zeros(len(keys), np.int64)
    gaps = (np.diff(close_time) > INTERVALS[interval]).any(axis=1)
    for row in np.flatnonzero(gaps).tolist():
        counts[row] = missing.count(keys[row], close_time[row].tolist())
    return counts
