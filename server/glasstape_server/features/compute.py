"""Feature rows of bars, the same for training and serving."""

import numpy as np

from glasstape_server.domain.arrays import Floats
from glasstape_server.features.inputs import FeatureInputs
from glasstape_server.features.registry import find
from glasstape_server.features.series import Series
from glasstape_server.features.spec import FeatureSpec


def inputs_of(spec: FeatureSpec, series: Series) -> FeatureInputs:
    """Return the inputs of a spec's features.

    Args:
        spec: parameters.
        series: bars with shape (..., bar), oldest first.
    """
    return FeatureInputs(series, spec.values, spec.session_gap)


def features(spec: FeatureSpec, series: Series) -> Floats:
    """Compute all features of all bars.

    Args:
        spec: names and parameters.
        series: bars with shape (..., bar), oldest first.

    Returns:
        float64 (..., bar, feature), dimensionless, within +-`spec.clip`; NaN where a bar has too
        little history. Row t depends on bars up to t alone.
    """
    inputs = inputs_of(spec, series)
    columns = [feature.compute(inputs) for feature in find(spec.names)]
    return np.asarray(np.clip(np.stack(columns, axis=-1), -spec.clip, spec.clip))


def volatility(spec: FeatureSpec, series: Series) -> Floats:
    """Return the trailing volatility, float64 (..., bar); see `FeatureInputs.volatility`."""
    return inputs_of(spec, series).volatility
