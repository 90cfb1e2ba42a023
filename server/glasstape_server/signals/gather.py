"""What the market holds of bars that closed: windows, references and resolved signals. Runs on the market thread."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from glasstape_server.domain.arrays import Float32s, Floats
from glasstape_server.domain.bars import Bar, SeriesKey
from glasstape_server.domain.times import INTERVALS
from glasstape_server.features.compute import volatility
from glasstape_server.market.ingest import Ingest
from glasstape_server.market.missing_bars import MissingBars
from glasstape_server.signals.decision import Closed, Forecaster
from glasstape_server.signals.outcomes import OpenSignals, Resolved

BarClose = tuple[SeriesKey, int]
"""A series and the close time of one of its bars, microseconds."""


@dataclass(frozen=True, slots=True)
class Gathered:
    """What is known of a burst before it is predicted."""

    closed: list[Closed]
    """Bars whose window is complete."""
    windows: Float32s
    """Their windows, (bar, time, feature)."""
    resolved: list[Resolved]


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
    ready: list[BarClose] = []
    bars: list[Floats] = []
    resolved: list[Resolved] = []
    for key, close_time in burst:
        columns = store.until(key, close_time, spec.min_bars)
        resolved += open_signals.resolve(key, columns, store.since)
        # A bar that was removed, or replaced by a halted one, since it closed gets no signal.
        if columns.shape[1] >= spec.min_bars and columns[0, -1] == close_time:
            ready.append((key, close_time))
            bars.append(columns)
    if not ready:
        return Gathered([], np.empty((0, *spec.window_shape), np.float32), resolved)
    keys = [key for key, _ in ready]
    series = store.stack(keys, bars)
    sections = ingest.cross_sections
    sections.seal(spec, interval, series, rank_head=forecaster.has_rank_head)
    windows, usable, missing_symbols = sections.windows(spec, keys, series)
    ranked = np.zeros(len(ready), dtype=np.bool_)
    if forecaster.has_rank_head:
        if not spec.ranked_names:
            missing_symbols = sections.missing_symbols(keys, series.close_time[:, -1:])
        if whole_close:
            at = int(series.close_time[0, -1])
            late = sections.late_symbols(interval, at)
            ranked = np.array([symbol not in late for symbol, _ in keys], dtype=np.bool_)
            # Stored since the burst was taken, or without a signal of their own.
            others = sections.closed_symbols(interval, at) - late - {symbol for (symbol, _), _ in burst}
            missing_symbols = missing_symbols + len(others) * ranked
    thresholds = forecaster.label_rule.threshold(volatility(spec, series)[:, -1])
    daily = INTERVALS[interval] >= INTERVALS["1d"]
    missing = MissingBars(store, ingest.calendars)
    spanned = series.close_time[:, -spec.window_bars - 1 :].tolist()
    closed = []
    for row in usable.nonzero()[0]:
        key, close_time = ready[row]
        values = (series.open, series.high, series.low, series.close, series.volume)
        open_, high, low, close, volume = (float(column[row, -1]) for column in values)
        bar = Bar(*key, close_time, open_, high, low, close, volume)
        previous = float(series.close[row, -2]) if daily else store.previous_session_close(key, close_time)
        next_close, expire_time = ingest.calendars.bars_later(
            key, close_time, 1, forecaster.label_rule.bars_ahead
        )
        state = ingest.clock.state_until(next_close)
        count = missing.count(key, spanned[row])
        absent = int(missing_symbols[row])
        closed.append(
            Closed(
                bar, previous, float(thresholds[row]), state, expire_time, count, absent, bool(ranked[row])
            )
        )
    return Gathered(closed, windows[usable], resolved)
