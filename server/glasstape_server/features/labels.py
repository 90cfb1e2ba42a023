"""Labels: the realized class of each bar, relative to its volatility."""

import math
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from glasstape_server.domain.arrays import Floats, Ints
from glasstape_server.domain.signals import Direction, Entry, LabelKind
from glasstape_server.features.series import Series
from glasstape_server.features.spec import FeatureSpec


@dataclass(frozen=True, kw_only=True)
class LabelRule:
    """DOWN, FLAT or UP: log returns over the horizon against k x volatility x sqrt(horizon)."""

    kind: LabelKind = "horizon"
    """horizon: the return at the horizon's end decides. triple_barrier: the first close beyond the threshold
    decides, FLAT without one (Lopez de Prado 2018, "Advances in financial machine learning", section 3.4).
    Closes only, because the order of a bar's high and low is unknown."""
    horizon_bars: int = 1
    """Bars over which the return is measured."""
    entry: Entry = Entry.NEXT_CLOSE
    """Where the return starts. The close that made the signal cannot be traded any more."""
    k: float = 0.43
    """Threshold in units of volatility; fitted on training data so that classes are about a third each."""

    @property
    def bars_ahead(self) -> int:
        """Bars after the signal's own until its outcome is known."""
        return int(self.entry) + self.horizon_bars

    @property
    def text(self) -> str:
        """Description of the rule."""
        start = "the next close" if self.entry is Entry.NEXT_CLOSE else "this close"
        band = f"{self.k:.4f} x trailing volatility x sqrt({self.horizon_bars})"
        if self.kind == "triple_barrier":
            return f"first close beyond +-{band} from {start}, within {self.horizon_bars} bar(s); FLAT without one"
        return f"log return over {self.horizon_bars} bar(s) from {start}; FLAT within +-{band}"

    def threshold(self, sigma: Floats) -> Floats:
        """Return the largest |log return| that is FLAT, of the shape of `sigma`: the volatility at the signal's bar."""
        return sigma * (self.k * math.sqrt(self.horizon_bars))

    def to_dict(self) -> dict[str, Any]:
        """Return the rule as JSON values."""
        return {**asdict(self), "entry": self.entry.name}

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> "LabelRule":
        """Return the rule of JSON values, as `to_dict` gives them.

        Raises:
            ValueError: unknown kind.
        """
        rule = cls(**{**values, "entry": Entry[values["entry"]]})
        if rule.kind not in ("horizon", "triple_barrier"):
            raise ValueError(f"label_rule.kind: must be horizon or triple_barrier, is {rule.kind!r}")
        return rule


def realized(kind: LabelKind, paths: Floats, threshold: Floats) -> tuple[Ints, Floats]:
    """Return the class of each path.

    Args:
        kind: of the rule.
        paths: log returns from the entry to each close of the horizon, (n, horizon).
        threshold: largest |log return| that counts as FLAT, (n,).

    Returns:
        Class indices (n,), and the log returns (n,) from the entry to the close that decides.
    """
    deciding = np.full(len(paths), paths.shape[1] - 1)
    if kind == "triple_barrier":
        beyond = np.abs(paths) > threshold[:, None]
        deciding = np.where(beyond.any(axis=1), beyond.argmax(axis=1), deciding)
    returns = paths[np.arange(len(paths)), deciding]
    return (returns > threshold).astype(np.int64) - (returns < -threshold) + int(Direction.FLAT), returns


def future_paths(spec: FeatureSpec, rule: LabelRule, series: Series) -> Floats:
    """Return the log returns from the entry of each bar to each close of its horizon.

    Args:
        spec: `session_gap`; with `split` the whole horizon must lie in the bar's own session.
        rule: entry and horizon.
        series: bars of one symbol, shape (bar,).

    Returns:
        float64 (bar, horizon); NaN where the future is unknown.
    """
    paths = np.full((len(series), rule.horizon_bars), np.nan)
    end = len(series) - rule.bars_ahead
    if end <= 0:
        return paths
    log_close = np.log(series.close)
    ahead = sliding_window_view(log_close[int(rule.entry) :], rule.horizon_bars + 1)[:end]
    paths[:end] = ahead[:, 1:] - ahead[:, :1]
    if spec.session_gap == "split":
        paths[:end][series.session[:end] != series.session[rule.bars_ahead :]] = np.nan
    return paths
