"""Windows and labels of many symbols, split by time with a gap of one horizon between the parts."""

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
import polars as pl

from glasstape_server.domain import Float32s, Floats, Ints
from glasstape_server.features.compute import volatility
from glasstape_server.features.labels import LabelRule, future_returns
from glasstape_server.features.series import Series, from_columns, sessions
from glasstape_server.features.spec import FeatureSpec
from glasstape_server.features.windows import all_windows


@dataclass(frozen=True, slots=True)
class Dataset:
    """Labelled windows in order of time."""

    windows: Float32s  # (n, time, feature)
    returns: Floats  # (n,) log return over the horizon
    sigma: Floats  # (n,) volatility at the window's last bar
    close_time: Ints  # (n,) microseconds, close of the window's last bar

    def __len__(self) -> int:
        return len(self.windows)

    def labels(self, rule: LabelRule) -> Ints:
        """Class index of each window."""
        threshold = rule.threshold(self.sigma)
        return (self.returns > threshold).astype(np.int64) - (self.returns < -threshold) + 1

    def between(self, first: int, last: int) -> "Dataset":
        """Windows that close in first <= time < last."""
        chosen = (self.close_time >= first) & (self.close_time < last)
        return Dataset(
            self.windows[chosen], self.returns[chosen], self.sigma[chosen], self.close_time[chosen]
        )


def build(
    frame: pl.DataFrame, interval: str, spec: FeatureSpec, rule: LabelRule, time_zone: str = "UTC"
) -> Dataset:
    """All labelled windows of a file's bars.

    Args:
        frame: bars as `market.files.read_bars` gives them.
        interval: length of the bars.
        spec: features.
        rule: horizon and entry; k does not matter here.
        time_zone: zone of trading days.
    """
    parts = []
    for series in each_series(frame, interval, time_zone):
        windows, last = all_windows(spec, series)
        returns, sigma = future_returns(spec, rule, series)[last], volatility(spec, series)[last]
        known = np.isfinite(returns) & np.isfinite(sigma)
        parts.append((windows[known], returns[known], sigma[known], series.close_time[last][known]))
    merged = Dataset(*(np.concatenate(columns) for columns in zip(*parts, strict=True)))
    order = np.argsort(merged.close_time, kind="stable")
    return Dataset(
        merged.windows[order], merged.returns[order], merged.sigma[order], merged.close_time[order]
    )


def each_series(frame: pl.DataFrame, interval: str, time_zone: str) -> Iterator[Series]:
    """The bars of each symbol, by name."""
    for _, part in sorted(frame.partition_by("symbol", as_dict=True).items()):
        close_time = part["close_time"].to_numpy()
        prices = part.select("open", "high", "low", "close", "volume").to_numpy().T
        yield from_columns(close_time, prices, sessions(close_time, interval, time_zone))


def split_by_days(frame: pl.DataFrame) -> tuple[int, int]:
    """The closes behind the first 70 % and the first 85 % of a file's bar closes."""
    times = frame["close_time"].unique().sort()
    return int(times[int(0.70 * (len(times) - 1))]), int(times[int(0.85 * (len(times) - 1))])


def fit_threshold(dataset: Dataset, rule: LabelRule) -> LabelRule:
    """The rule whose FLAT class holds a third of these windows."""
    scaled = np.abs(dataset.returns) / (dataset.sigma * np.sqrt(rule.horizon_bars))
    return replace(rule, k=round(float(np.quantile(scaled, 1 / 3)), 6))


def digest(frame: pl.DataFrame) -> str:
    """SHA-256 over the bars, 64 hex digits."""
    hasher = hashlib.sha256()
    for name in ("symbol", "close_time", "open", "high", "low", "close", "volume"):
        column = frame[name]
        raw = "\n".join(column).encode() if name == "symbol" else column.to_numpy().tobytes()
        hasher.update(raw)
    return hasher.hexdigest()
