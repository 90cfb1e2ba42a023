"""Feature rows of bars, the same for training and serving."""

import numpy as np

from glasstape_server.domain.arrays import Float32s, Floats
from glasstape_server.features.cross_section import CloseRanks, with_ranks
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


def features(spec: FeatureSpec, series: Series, ranks: CloseRanks | None = None) -> Floats:
    """Compute all features of all bars.

    Args:
        spec: names and parameters.
        series: bars with shape (..., bar), oldest first.
        ranks: of the closes; None: the spec has no ranked feature.

    Returns:
        float64 (..., bar, feature), dimensionless, within +-`spec.clip`; NaN where a bar has too
        little history. Row t depends on bars up to t alone.

    Raises:
        ValueError: the spec has ranked features, and there are no ranks.
    """
    return with_ranks(spec, series.close_time, unranked(spec, series), ranks)


def unranked(spec: FeatureSpec, series: Series) -> Floats:
    """Compute all features of all bars, with the values to rank instead of the ranks.

    Args:
        spec: names and parameters.
        series: bars with shape (..., bar), oldest first.

    Returns:
        float64 (..., bar, feature) as `features` returns it. Values to rank are not clipped.
    """
    inputs = inputs_of(spec, series)
    columns = [feature.compute(inputs) for feature in find(spec.names)]
    if not spec.ranked_columns:
        return np.asarray(np.clip(np.stack(columns, axis=-1), -spec.clip, spec.clip))
    clipped = (
        column if number in spec.ranked_columns else np.clip(column, -spec.clip, spec.clip)
        for number, column in enumerate(columns)
    )
    return np.stack(list(clipped), axis=-1)


def values_to_rank(spec: FeatureSpec, series: Series) -> Float32s:
    """Compute the values that the ranked features of a spec rank.

    Args:
        spec: names and parameters.
        series: bars with shape (..., bar), oldest first.

    Returns:
        float32 (..., bar, ranked feature); NaN where a bar has too little history.
    """
    inputs = inputs_of(spec, series)
    values = [feature.compute(inputs) for feature in find(spec.ranked_names)]
    return np.stack(values, axis=-1).astype(np.float32)


def volatility(spec: FeatureSpec, series: Series) -> Floats:
    """Return the trailing volatility, float64 (..., bar); see `FeatureInputs.volatility`."""
    return inputs_of(spec, series).volatility
