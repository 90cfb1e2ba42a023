"""Features that rank a symbol among all symbols of its close."""

import numpy as np

from glasstape_server.domain.arrays import Floats
from glasstape_server.features.inputs import FeatureInputs
from glasstape_server.features.regime import range_of, volatility_look_back
from glasstape_server.features.registry import Feature, bar_count
from glasstape_server.features.standard import relative_volume


def _return(inputs: FeatureInputs) -> Floats:
    return np.asarray(np.log(inputs.series.close / inputs.previous_close))


RANKS = (
    Feature(
        "return_rank",
        "rank of ln(close / previous close) within the close, -1 .. 1",
        _return,
        lambda values: 2,
        ranked=True,
    ),
    Feature(
        "volume_rank",
        "rank of ln((volume + 1) / (mean volume of the {volume_bars} bars before + 1)) within the close, -1 .. 1",
        relative_volume,
        lambda values: int(values["volume_bars"]) + 1,
        {"volume_bars": bar_count(20, "bars in the mean volume")},
        ranked=True,
    ),
    Feature(
        "range_rank",
        "rank of ln(high / low) / volatility within the close, -1 .. 1",
        range_of,
        lambda values: volatility_look_back(values) + 1,
        ranked=True,
    ),
    Feature(
        "volatility_rank",
        "rank of the volatility of {volatility_bars} bars within the close, -1 .. 1",
        lambda inputs: inputs.volatility,
        volatility_look_back,
        ranked=True,
    ),
)
"""Each computes the value that is ranked; `cross_section` ranks it."""
