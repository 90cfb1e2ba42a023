"""What really happened: the class of each bar, relative to its volatility."""

import math
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from glasstape_server.domain.values import Direction, Entry, Floats, Ints, LabelKind
from glasstape_server.features.series import Series
from glasstape_server.features.spec import FeatureSpec


@dataclass(frozen=True, kw_only=True)
class LabelRule:
    """DOWN, FLAT or UP by the path of log returns over the horizon against k x volatility x sqrt(horizon)."""

    kind: LabelKind = "horizon"
    """horizon: the return at the horizon's end decides. triple_barrier: the first close beyond the threshold
    does, and FLAT is what never went there (Lopez de Prado 2018, "Advances in financial machine learning",
    section 3.4); closes alone, since nobody knows which of a bar's high and low came first."""
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
        band = f"{self.k:.4f} x trailing volatility x sqrt({self.horizon_bars})"
        if self.kind == "triple_barrier":
            return f"first close beyond +-{band} from {start}, within {self.horizon_bars} bar(s); FLAT without one"
        return f"log return over {self.horizon_bars} bar(s) from {start}; FLAT within +-{band}"

    def threshold(self, sigma: Floats) -> Floats:
        """Largest |log return| that counts as FLAT, from the volatility at the signal's bar."""
        return sigma * (self.k * math.sqrt(self.horizon_bars))

    def to_dict(self) -> dict[str, Any]:
        """The rule as JSON values."""
        return {**asdict(self), "entry": self.entry.name}

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> "LabelRule":
        """The inverse of `to_dict`.

        Raises:
            ValueError: no such kind of rule.
        """
        rule = cls(**{**values, "entry": Entry[values["entry"]]})
        if rule.kind not in ("horizon", "triple_barrier"):
            raise ValueError(f"label_rule.kind: must be horizon or triple_barrier, is {rule.kind!r}")
        return rule


def realised(kind: LabelKind, paths: Floats, threshold: Floats) -> tuple[Ints, Floats]:
    """What came of each path.

    Args:
        kind: of the rule.
        paths: log returns from the entry to each close of the horizon, (n, horizon).
        threshold: largest |log return| that counts as FLAT, (n,).

    Returns:
        Class indices (n,), and the log returns (n,) from the entry to the close that decided.
    """
    deciding = np.full(len(paths), paths.shape[1] - 1)
    if kind == "triple_barrier":
        beyond = np.abs(paths) > threshold[:, None]
        deciding = np.where(beyond.any(axis=1), beyond.argmax(axis=1), deciding)
    returns = paths[np.arange(len(paths)), deciding]
    return (returns > threshold).astype(np.int64) - (returns < -threshold) + int(Direction.FLAT), returns


def future_paths(spec: FeatureSpec, rule: LabelRule, series: Series) -> Floats:
    """Log returns from the entry of each bar to each close of its horizon, (bar, horizon).

    NaN where the future is not known. With `session_gap = split` the whole horizon must lie in the bar's
    own session.
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
