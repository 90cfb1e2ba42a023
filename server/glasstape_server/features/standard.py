"""The eight features of the bundled model.

Every feature looks back over a fixed number of bars (averages are cut off and renormalized, the RSI is
Cutler's), so that a value does not depend on where history begins.

Sources: volatility-scaled returns as in Lim, Zohren and Roberts (2019), "Enhancing time-series
momentum strategies using deep neural networks", section 3; RSI: Cutler's variant of Wilder (1978),
a plain mean, because Wilder's smoothing depends on where history begins; MACD: Appel (1979).
"""

from collections.abc import Callable

import numpy as np

from glasstape_server.domain.arrays import Floats
from glasstape_server.features.filters import exponential_weights, moving_sum, shifted
from glasstape_server.features.inputs import FeatureInputs
from glasstape_server.features.registry import Feature, ParameterValues, bar_count


def _return_of(price: str) -> Callable[[FeatureInputs], Floats]:
    """Return the feature that scales one price's log return by the volatility before the bar."""

    def scaled(inputs: FeatureInputs) -> Floats:
        values: Floats = getattr(inputs.series, price)
        return np.asarray(np.log(values / inputs.previous_close) / inputs.volatility_before)

    return scaled


def relative_volume(inputs: FeatureInputs) -> Floats:
    """Return the feature relative_volume, (..., bar)."""
    count = inputs.bars("volume_bars")
    before = shifted(moving_sum(inputs.series.volume, np.full(count, 1 / count)))
    return np.asarray(np.log((inputs.series.volume + 1) / (before + 1)))


def _average_distance(inputs: FeatureInputs) -> Floats:
    count = inputs.bars("average_bars")
    average = moving_sum(inputs.series.close, np.full(count, 1 / count))
    return np.asarray(np.log(inputs.series.close / average) / (inputs.volatility_before * np.sqrt(count)))


def _rsi(inputs: FeatureInputs) -> Floats:
    returns = inputs.log_close - np.log(inputs.previous_close)
    count = inputs.bars("rsi_bars")
    weights = np.full(count, 1 / count)
    gains = moving_sum(np.maximum(returns, 0), weights)
    losses = moving_sum(np.maximum(-returns, 0), weights)
    total = gains + losses
    return np.where(total == 0, 0.0, (gains - losses) / np.where(total == 0, 1.0, total))


def _macd_histogram(inputs: FeatureInputs) -> Floats:
    kernel = macd_kernel(*(inputs.bars(name) for name in ("macd_fast", "macd_slow", "macd_signal")))
    return np.asarray(moving_sum(inputs.log_close, kernel) / inputs.volatility_before)


def macd_kernel(fast: int, slow: int, signal: int) -> Floats:
    """Return the weights, newest bar first, that turn log closes into the MACD histogram.

    Args:
        fast: span of the fast average, in bars.
        slow: span of the slow average, in bars.
        signal: span of the signal average, in bars.

    Returns:
        float64 (2 x max(fast, slow) + 2 x signal - 1,); they sum to 0.
    """
    macd = np.zeros(2 * max(fast, slow))
    macd[: 2 * slow] -= exponential_weights(slow)
    macd[: 2 * fast] += exponential_weights(fast)
    kernel = -np.convolve(macd, exponential_weights(signal))
    kernel[: len(macd)] += macd
    return kernel


def _volatility_look_back(values: ParameterValues) -> int:
    # The volatility of the bar before: `volatility_bars` returns, whose first needs a close before it.
    return int(values["volatility_bars"]) + 2


def _macd_look_back(values: ParameterValues) -> int:
    slowest = max(int(values["macd_fast"]), int(values["macd_slow"]))
    kernel = 2 * slowest + 2 * int(values["macd_signal"]) - 1
    return max(kernel, _volatility_look_back(values))


def _price_return(price: str) -> Feature:
    return Feature(
        f"{price}_return",
        f"ln({price} / previous close) / volatility",
        _return_of(price),
        _volatility_look_back,
    )


STANDARD = (
    _price_return("open"),
    _price_return("high"),
    _price_return("low"),
    _price_return("close"),
    Feature(
        "relative_volume",
        "ln((volume + 1) / (mean volume of the {volume_bars} bars before + 1))",
        relative_volume,
        lambda values: int(values["volume_bars"]) + 1,
        {"volume_bars": bar_count(20, "bars in the mean volume")},
    ),
    Feature(
        "average_distance",
        "ln(close / {average_bars}-bar moving average) / (volatility x sqrt({average_bars}))",
        _average_distance,
        lambda values: max(int(values["average_bars"]), _volatility_look_back(values)),
        {"average_bars": bar_count(20, "bars in the moving average")},
    ),
    Feature(
        "rsi",
        "Cutler's relative strength index over {rsi_bars} bars, scaled to -1 .. 1",
        _rsi,
        lambda values: int(values["rsi_bars"]) + 1,
        {"rsi_bars": bar_count(14, "returns in the RSI")},
    ),
    Feature(
        "macd_histogram",
        "MACD({macd_fast}, {macd_slow}, {macd_signal}) histogram of ln(close) / volatility",
        _macd_histogram,
        _macd_look_back,
        {
            "macd_fast": bar_count(12, "span of the fast average, in bars"),
            "macd_slow": bar_count(26, "span of the slow average, in bars"),
            "macd_signal": bar_count(9, "span of the signal average, in bars"),
        },
    ),
)
"""In the order of the bundled model's window."""
