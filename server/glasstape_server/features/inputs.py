"""What features are computed from: bars, parameters, and the series that several features share."""

from collections.abc import Mapping
from functools import cached_property
from typing import Literal

import numpy as np

from glasstape_server.domain.arrays import Floats, Ints
from glasstape_server.features.filters import moving_sum, shifted
from glasstape_server.features.series import Series

SessionGap = Literal["split", "span"]
"""split: windows, labels and previous closes stay within one trading day; span: they do not."""


class FeatureInputs:
    """Bars with a spec's parameters. Shared series are computed once, when first used.

    Args:
        series: bars with shape (..., bar), oldest first.
        parameters: value of each parameter of the spec.
        session_gap: of the spec.
    """

    def __init__(
        self, series: Series, parameters: Mapping[str, int | float], session_gap: SessionGap
    ) -> None:
        self.series = series
        self.parameters = parameters
        self._session_gap = session_gap

    def bars(self, name: str) -> int:
        """Return a parameter that counts bars."""
        return int(self.parameters[name])

    @cached_property
    def log_close(self) -> Floats:
        """Natural logarithm of the close, (..., bar)."""
        return np.log(self.series.close)

    @cached_property
    def local_time(self) -> Ints:
        """Local time of each close, (..., bar); see `Series.local_time`."""
        return self.series.local_time()

    @cached_property
    def previous_close(self) -> Floats:
        """The close that a bar's returns are measured against, (..., bar); NaN for the first bar.

        With `session_gap = split` the first bar of a day starts from its own open: the overnight gap is not
        its return.
        """
        previous = shifted(self.series.close)
        if self._session_gap == "span":
            return previous
        first = np.ones(self.series.close.shape, dtype=bool)
        first[..., 1:] = self.series.session[..., 1:] != self.series.session[..., :-1]
        return np.where(first & ~np.isnan(previous), self.series.open, previous)

    @cached_property
    def volatility(self) -> Floats:
        """Volatility over `volatility_bars` bars, (..., bar); see `volatility_over`."""
        return self.volatility_over("volatility_bars")

    def volatility_over(self, name: str) -> Floats:
        """Return the root mean square log return of the last bars, this one included, (..., bar).

        At least `volatility_floor`; NaN where there is too little history.

        Args:
            name: of the parameter that counts the bars.
        """
        count = self.bars(name)
        mean = moving_sum(self._squared_returns, np.full(count, 1 / count))
        return np.maximum(np.sqrt(mean), float(self.parameters["volatility_floor"]))

    @cached_property
    def _squared_returns(self) -> Floats:
        returns = np.log(self.series.close / self.previous_close)
        return np.asarray(returns * returns)

    @cached_property
    def volatility_before(self) -> Floats:
        """Volatility one bar earlier, (..., bar): a large move does not shrink itself."""
        return shifted(self.volatility)
