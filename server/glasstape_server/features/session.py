"""Features of a bar's place in the day and in the week, and of the gap between trading days."""

import numpy as np

from glasstape_server.domain.arrays import Floats, Ints
from glasstape_server.domain.times import DAY, SECOND
from glasstape_server.features.filters import shifted
from glasstape_server.features.inputs import FeatureInputs
from glasstape_server.features.registry import Feature, ParameterValues, bar_count

_MINUTE = 60 * SECOND
_FIRST_WEEKDAY = 3
"""Weekday of 1970-01-01, a Thursday; Monday is 0."""


def _end_of_bar(inputs: FeatureInputs) -> Ints:
    """Return the last local microsecond of each bar: a bar that closes at midnight belongs to the day that ends."""
    return inputs.local_time - 1


def _minute_of_day(inputs: FeatureInputs) -> Floats:
    minute = (_end_of_bar(inputs) % DAY + 1) / _MINUTE
    return np.asarray(minute / 720 - 1)


def _weekday(inputs: FeatureInputs) -> Floats:
    weekday = (_end_of_bar(inputs) // DAY + _FIRST_WEEKDAY) % 7
    return np.asarray((weekday - 3) / 3)


def _gap(inputs: FeatureInputs) -> Floats:
    """Return the gap of each bar's trading day, as long as its first bar is one of the last `gap_bars`."""
    series, most = inputs.series, inputs.bars("gap_bars")
    gap = np.log(series.open / shifted(series.close))
    first = np.zeros(series.session.shape, dtype=bool)
    first[..., 1:] = series.session[..., 1:] != series.session[..., :-1]
    bar = np.arange(len(series))
    newest = np.maximum.accumulate(np.where(first, bar, 0), axis=-1)
    # Without a first bar among the last `gap_bars`, the day has gone on for longer than the gap is kept.
    kept = np.take_along_axis(gap, newest, axis=-1)
    kept = np.where((newest > 0) & (bar - newest < most), kept, 0.0)
    return np.asarray(np.where(bar < most, np.nan, kept) / inputs.volatility_before)


def _gap_look_back(values: ParameterValues) -> int:
    return max(int(values["gap_bars"]) + 1, int(values["volatility_bars"]) + 2)


SESSION = (
    Feature(
        "gap",
        "ln(open of the trading day / last close of the day before) / volatility, for the first {gap_bars} bars of "
        "the day; 0 after them",
        _gap,
        _gap_look_back,
        {"gap_bars": bar_count(60, "bars of a trading day for which its gap is kept")},
    ),
    Feature(
        "minute_of_day",
        "local minute of the day at which the bar closes, 1-1440, / 720 - 1",
        _minute_of_day,
        lambda values: 1,
        local_time=True,
    ),
    Feature(
        "weekday",
        "local weekday of the bar, Monday 0 to Sunday 6, / 3 - 1",
        _weekday,
        lambda values: 1,
        local_time=True,
    ),
)
