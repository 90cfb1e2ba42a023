"""Indicators of the chart, over arrays of bars. NaN where there are too few bars."""

import numpy as np
from numpy.typing import NDArray

Values = NDArray[np.float64]


def moving_average(values: Values, length: int) -> Values:
    """Return the simple moving average over `length` values."""
    result = np.full(len(values), np.nan)
    if len(values) >= length:
        sums = np.cumsum(np.insert(values, 0, 0.0))
        result[length - 1 :] = (sums[length:] - sums[:-length]) / length
    return result


def exponential_average(values: Values, length: int) -> Values:
    """Return the exponential moving average with factor 2 / (length + 1), from the average of the first values.

    Leading NaN are skipped.
    """
    result = np.full(len(values), np.nan)
    known = np.flatnonzero(np.isfinite(values))
    if not len(known) or len(values) - known[0] < length:
        return result
    first, factor = known[0] + length - 1, 2 / (length + 1)
    average = float(values[known[0] : first + 1].mean())
    result[first] = average
    for number in range(first + 1, len(values)):
        average += factor * (values[number] - average)
        result[number] = average
    return result


def bollinger_bands(close: Values, length: int = 20, width: float = 2.0) -> tuple[Values, Values, Values]:
    """Return lower band, average and upper band: `width` population standard deviations around the average."""
    average = moving_average(close, length)
    deviation = np.full(len(close), np.nan)
    if len(close) >= length:
        deviation[length - 1 :] = np.lib.stride_tricks.sliding_window_view(close, length).std(axis=1)
    return average - width * deviation, average, average + width * deviation


def volume_weighted_price(
    high: Values, low: Values, close: Values, volume: Values, session: NDArray[np.int64]
) -> Values:
    """Return the volume-weighted average of (high + low + close) / 3 since the session began.

    Args:
        high: highs.
        low: lows.
        close: closes.
        volume: volumes.
        session: number of the session of each bar; it only grows.
    """
    typical, starts = (high + low + close) / 3, np.flatnonzero(np.diff(session, prepend=session[:1] - 1))
    result = np.full(len(close), np.nan)
    for first, end in zip(starts, [*starts[1:], len(close)], strict=True):
        traded = np.cumsum(volume[first:end])
        paid = np.cumsum(typical[first:end] * volume[first:end])
        result[first:end] = np.divide(paid, traded, out=np.full(end - first, np.nan), where=traded > 0)
    return result


def relative_strength(close: Values, length: int = 14) -> Values:
    """Return the relative strength index, 0-100, with Wilder's smoothing (1978)."""
    result = np.full(len(close), np.nan)
    if len(close) <= length:
        return result
    change = np.diff(close)
    rises, falls = np.maximum(change, 0), np.maximum(-change, 0)
    rise, fall = float(rises[:length].mean()), float(falls[:length].mean())
    for number in range(length, len(close)):
        if number > length:
            rise += (rises[number - 1] - rise) / length
            fall += (falls[number - 1] - fall) / length
        result[number] = 100 * rise / (rise + fall) if rise + fall > 0 else 50.0
    return result


def average_convergence(
    close: Values, fast: int = 12, slow: int = 26, signal: int = 9
) -> tuple[Values, Values, Values]:
    """Return MACD line, signal line and histogram (Appel, 1979)."""
    line = exponential_average(close, fast) - exponential_average(close, slow)
    signal_line = exponential_average(line, signal)
    return line, signal_line, line - signal_line
