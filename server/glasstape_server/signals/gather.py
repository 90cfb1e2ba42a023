"""What the market holds of bars that closed: windows, references and outcomes. Runs on the market thread."""

from collections.abc import Sequence, Set
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
    *,
    whole_close: bool = False,
) -> Gathered:
    """Gather one bar of each of some series.

    The closes of windows with ranked features, and those that a rank head ranks, are sealed first, so that no later bar
    changes their ranks.

    Args:
        ingest: the market.
        interval: of the bars.
        forecaster: whose windows to make.
        burst: bars that closed.
        open_signals: signals that some of the bars may resolve.
        whole_close: whether the bars are all of one close, and none of that close was signaled before.
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
    burst_symbols = {symbol for symbol, _ in keys} if whole_close else None
    keys = [keys[row] for row in ready.tolist()]
    return Gathered(_closed(ingest, interval, forecaster, keys, bars[ready], burst_symbols), outcomes)


def _closed(
    ingest: Ingest,
    interval: str,
    forecaster: Forecaster,
    keys: Sequence[SeriesKey],
    bars: Floats,
    burst_symbols: Set[str] | None,
) -> ClosedBars:
    """Return the bars whose window is usable.

    Args:
        ingest: the market.
        interval: of the bars.
        forecaster: whose windows.
        keys: series.
        bars: newest bars of each, (series, 6, bar): close time, open, high, low, close, volume.
        burst_symbols: of the whole close, which is ranked if the model has a rank head; None: it is not whole.
    """
    store, spec, rule = ingest.store, forecaster.spec, forecaster.label_rule
    series = store.stack(keys, bars)
    sections = ingest.cross_sections
    sections.seal(spec, interval, series, rank_head=forecaster.has_rank_head)
    windows, usable, missing_symbols = sections.windows(spec, keys, series)
    ranked = np.zeros(len(keys), np.bool_)
    if forecaster.has_rank_head:
        if not spec.ranked_names:
            missing_symbols = sections.missing_symbols(keys, series.close_time[:, -1:])
        if burst_symbols is not None:
            at = int(series.close_time[0, -1])
            late = sections.late_symbols(interval, at)
            ranked = np.array([symbol not in late for symbol, _ in keys], np.bool_)
            # Stored since the burst was taken, or without a signal of their own.
            others = sections.closed_symbols(interval, at) - late - burst_symbols
            missing_symbols = missing_symbols + len(others) * ranked
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
        ranked=ranked[chosen],
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
