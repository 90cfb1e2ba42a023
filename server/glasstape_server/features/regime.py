"""Features of the volatility regime: how much a bar moved, and how much bars move at present.

Ratios of volatilities over several horizons as in Corsi (2009), "A simple approximate long-memory model of realized
volatility"; the range as in Parkinson (1980), "The extreme value method for estimating the variance of the rate of
return".
"""

import numpy as np

from glasstape_server.domain.arrays import Floats
from glasstape_server.features.inputs import FeatureInputs
from glasstape_server.features.registry import Feature, ParameterValues, bar_count


def _log_volatility(inputs: FeatureInputs) -> Floats:
    return np.log(100 * inputs.volatility)


def _short_ratio(inputs: FeatureInputs) -> Floats:
    return np.log(inputs.volatility_over("short_volatility_bars") / inputs.volatility)


def _long_ratio(inputs: FeatureInputs) -> Floats:
    return np.log(inputs.volatility / inputs.volatility_over("long_volatility_bars"))


def range_of(inputs: FeatureInputs) -> Floats:
    """Return the feature range, (..., bar)."""
    return np.asarray(np.log(inputs.series.high / inputs.series.low) / inputs.volatility_before)


def volatility_look_back(values: ParameterValues) -> int:
    """Return the bars that the volatility of a bar needs: the first of its returns needs a close before it."""
    return int(values["volatility_bars"]) + 1


def _ratio_look_back(name: str, values: ParameterValues) -> int:
    return max(int(values[name]) + 1, volatility_look_back(values))


REGIME = (
    Feature(
        "log_volatility",
        "ln(100 x volatility of {volatility_bars} bars, this one included)",
        _log_volatility,
        volatility_look_back,
    ),
    Feature(
        "volatility_ratio_short",
        "ln(volatility of {short_volatility_bars} bars / volatility of {volatility_bars} bars)",
        _short_ratio,
        lambda values: _ratio_look_back("short_volatility_bars", values),
        {"short_volatility_bars": bar_count(5, "returns in the short volatility")},
    ),
    Feature(
        "volatility_ratio_long",
        "ln(volatility of {volatility_bars} bars / volatility of {long_volatility_bars} bars)",
        _long_ratio,
        lambda values: _ratio_look_back("long_volatility_bars", values),
        {"long_volatility_bars": bar_count(60, "returns in the long volatility")},
    ),
    Feature(
        "range",
        "ln(high / low) / volatility",
        range_of,
        lambda values: volatility_look_back(values) + 1,
    ),
)
"""Each with the volatility of its own bar or, as a divisor, of the bar before."""
