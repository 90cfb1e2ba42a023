"""What really happened: the class of each bar, relative to its volatility."""

import math
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from glasstape_server.domain import Direction, Entry, Floats, Ints
from glasstape_server.features.compute import volatility
from glasstape_server.features.series import Series
from glasstape_server.features.spec import FeatureSpec


@dataclass(frozen=True, kw_only=True)
class LabelRule:
    """DOWN, FLAT or UP by the log return over the horizon against k x volatility x sqrt(horizon)."""

    horizon_bars: int = 1
    """Bars over which the return is measured."""
    entry: Entry = Entry.NEXT_CLOSE
    """Where the return starts: nobody can trade at the close that made the signal."""
    k: float = 0.43
    """Threshold in units of volatility; fitted on training data so that classes are about a third each."""

    @property
    def bars_ahead(self) -> int:
        """Bars after the signal's own at which its outcome is known."""
        return int(self.entry) + self.horizon_bars

    @property
    def text(self) -> str:
        """The rule in words."""
        start = "the next close" if self.entry is Entry.NEXT_CLOSE else "this close"
        return (
            f"log return over {self.horizon_bars} bar(s) from {start}; FLAT within "
            f"+-{self.k:.4f} x trailing volatility x sqrt({self.horizon_bars})"
        )

    def threshold(self, sigma: Floats) -> Floats:
        """Largest |log return| that counts as FLAT, from the volatility at the signal's bar."""
        return sigma * (self.k * math.sqrt(self.horizon_bars))

    def to_dict(self) -> dict[str, Any]:
        """The rule as JSON values."""
        return {**asdict(self), "entry": self.entry.name}

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> "LabelRule":
        """The inverse of `to_dict`."""
        return cls(**{**values, "entry": Entry[values["entry"]]})


def classify(log_return: float, threshold: float) -> Direction:
    """The class of one realised return."""
    if log_return > threshold:
        return Direction.UP
    return Direction.DOWN if log_return < -threshold else Direction.FLAT


def future_returns(spec: FeatureSpec, rule: LabelRule, series: Series) -> Floats:
    """Log return over the horizon for each bar, shape (bar,); NaN where the future is not known.

    With `session_gap = split` the whole horizon must lie in the bar's own session.
    """
    result = np.full(len(series), np.nan)
    end = len(series) - rule.bars_ahead
    if end <= 0:
        return result
    start = np.log(series.close[int(rule.entry) : int(rule.entry) + end])
    result[:end] = np.log(series.close[rule.bars_ahead :]) - start
    if spec.session_gap == "split":
        result[:end][series.session[:end] != series.session[rule.bars_ahead :]] = np.nan
    return result


def labels(spec: FeatureSpec, rule: LabelRule, series: Series) -> Ints:
    """Class index of each bar, shape (bar,); -1 where it is not known."""
    returns = future_returns(spec, rule, series)
    threshold = rule.threshold(volatility(spec, series))
    known = np.isfinite(returns) & np.isfinite(threshold)
    classes = np.full(len(series), -1, dtype=np.int64)
    classes[known] = Direction.FLAT
    classes[known & (returns > threshold)] = Direction.UP
    classes[known & (returns < -threshold)] = Direction.DOWN
    return classes
