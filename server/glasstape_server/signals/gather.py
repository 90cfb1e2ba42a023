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
) -> Gathered:
    """Gather one bar of each of some series.

    The closes of windows with ranked features are sealed first, so that no later bar changes their ranks.
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
    ingest.cross_sections.seal(spec, interval, series)
    windows, usable, missing_symbols = ingest.cross_sections.windows(spec, keys, series)
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
        closed.append(Closed(bar, previous, float(thresholds[row]), state, expire_time, count, absent))
    return Gathered(closed, windows[usable], resolved)
