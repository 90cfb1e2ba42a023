"""The one implementation of the features, for training and for serving.

Sums run tap by tap in a fixed order, so a value is the same bit for bit whether it is computed
for one window or inside ten years of history.

Sources: volatility-scaled returns as in Lim, Zohren and Roberts (2019), "Enhancing time-series
momentum strategies using deep neural networks", section 3; RSI: Cutler's variant of Wilder (1978),
a plain mean, because Wilder's smoothing never forgets its start; MACD: Appel (1979).
"""

import numpy as np

from glasstape_server.domain.values import Floats
from glasstape_server.features.series import Series
from glasstape_server.features.spec import FeatureSpec


def features(spec: FeatureSpec, series: Series) -> Floats:
    """Compute all features of all bars.

    Args:
        spec: parameters.
        series: bars with shape (..., bar), oldest first.

    Returns:
        float64 (..., bar, feature), dimensionless, within +-`spec.clip`; NaN where a bar has too
        little history. Row t depends on bars up to t alone.
    """
    previous = previous_close(spec, series)
    sigma = _before(volatility(spec, series))
    log_close = np.log(series.close)
    average = _fir(series.close, np.full(spec.average_bars, 1 / spec.average_bars))
    volume = _before(_fir(series.volume, np.full(spec.volume_bars, 1 / spec.volume_bars)))
    columns = [
        np.log(series.open / previous) / sigma,
        np.log(series.high / previous) / sigma,
        np.log(series.low / previous) / sigma,
        np.log(series.close / previous) / sigma,
        np.log((series.volume + 1) / (volume + 1)),
        np.log(series.close / average) / (sigma * np.sqrt(spec.average_bars)),
        _rsi(spec, log_close - np.log(previous)),
        _fir(log_close, macd_kernel(spec)) / sigma,
    ]
    return np.asarray(np.clip(np.stack(columns, axis=-1), -spec.clip, spec.clip))


def volatility(spec: FeatureSpec, series: Series) -> Floats:
    """Root mean square log return of the last `volatility_bars` bars, this one included.

    Returns:
        float64 (..., bar), at least `spec.volatility_floor`; NaN where there is too little history.
    """
    returns = np.log(series.close / previous_close(spec, series))
    weights = np.full(spec.volatility_bars, 1 / spec.volatility_bars)
    return np.maximum(np.sqrt(_fir(returns * returns, weights)), spec.volatility_floor)


def previous_close(spec: FeatureSpec, series: Series) -> Floats:
    """The close that a bar's returns are measured against; NaN for the first bar.

    With `session_gap = split` the first bar of a day starts from its own open: the night is not its
    move.
    """
    previous = _before(series.close)
    if spec.session_gap == "span":
        return previous
    first = np.ones(series.close.shape, dtype=bool)
    first[..., 1:] = series.session[..., 1:] != series.session[..., :-1]
    return np.where(first & ~np.isnan(previous), series.open, previous)


def macd_kernel(spec: FeatureSpec) -> Floats:
    """Weights, newest bar first, that turn log closes into the MACD histogram."""
    slow = _average_weights(spec.macd_slow)
    macd = -slow
    fast = _average_weights(spec.macd_fast)
    macd[: len(fast)] += fast
    kernel = -np.convolve(macd, _average_weights(spec.macd_signal))
    kernel[: len(macd)] += macd
    return kernel


def _average_weights(span: int) -> Floats:
    """Exponential weights of a span, cut off after two spans (1.8 % of the weight) and renormalised."""
    weights = (1 - 2 / (span + 1)) ** np.arange(2 * span, dtype=np.float64)
    return np.asarray(weights / weights.sum())


def _rsi(spec: FeatureSpec, returns: Floats) -> Floats:
    weights = np.full(spec.rsi_bars, 1 / spec.rsi_bars)
    gains = _fir(np.maximum(returns, 0), weights)
    losses = _fir(np.maximum(-returns, 0), weights)
    total = gains + losses
    return np.where(total == 0, 0.0, (gains - losses) / np.where(total == 0, 1.0, total))


def _before(values: Floats) -> Floats:
    """The value one bar earlier."""
    shifted = np.full_like(values, np.nan)
    shifted[..., 1:] = values[..., :-1]
    return shifted


def _fir(values: Floats, weights: Floats) -> Floats:
    """Weighted sum of the last len(weights) values, newest first; NaN before there are enough."""
    length, taps = values.shape[-1], len(weights)
    result = np.full_like(values, np.nan)
    if length < taps:
        return result
    total = np.zeros_like(values[..., taps - 1 :])
    for tap in range(taps):
        total += weights[tap] * values[..., taps - 1 - tap : length - tap]
    result[..., taps - 1 :] = total
    return result
