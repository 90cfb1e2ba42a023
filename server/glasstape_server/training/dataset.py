"""Labelled windows of many symbols, in order of time.

Feature rows lie in files that are mapped into memory: a window is a few of them, gathered when it is used. So
a data set of eight features takes 40 bytes a bar on disk and 36 a window in memory, other processes open it
by its folder, and what does not fit into memory is read from disk.
"""

import hashlib
import json
import shutil
import weakref
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import polars as pl
from numpy.typing import NDArray

from glasstape_server.domain.values import Float32s, Floats, Ints
from glasstape_server.features.compute import features, volatility
from glasstape_server.features.labels import LabelRule, future_paths, realized
from glasstape_server.features.series import Series, from_columns, sessions
from glasstape_server.features.spec import FeatureSpec
from glasstape_server.features.windows import usable_ends
from glasstape_server.storage import temporary

HELD_OUT = 10
"""One symbol in so many is never trained on, by the hash of its name."""
_ARRAYS = ("features", "log_close", "last", "sigma", "close_time", "known_time", "symbol")


@dataclass(frozen=True, slots=True)
class Dataset:
    """Labelled windows in order of time."""

    features: Float32s
    """(bar, feature), bars of one symbol next to each other; NaN where a bar has too little history."""
    log_close: Floats
    """(bar,) natural logarithm of the close."""
    last: Ints
    """(n,) row of each window's last bar."""
    sigma: Floats
    """(n,) volatility at the window's last bar."""
    close_time: Ints
    """(n,) close of the window's last bar, microseconds."""
    known_time: Ints
    """(n,) close at which the window's outcome is known, microseconds."""
    symbol: NDArray[np.int32]
    """(n,) position in `symbols`."""
    symbols: tuple[str, ...]
    time_steps: int
    """Bars in a window."""
    feature_names: tuple[str, ...]
    """(feature,) names of the columns of `features`."""

    def __len__(self) -> int:
        return len(self.last)

    @property
    def window_shape(self) -> tuple[int, int]:
        """(time, feature)."""
        return self.time_steps, self.features.shape[1]

    def windows(self, chosen: Ints | slice | None = None) -> Float32s:
        """Windows by their numbers, or all of them, (n, time, feature)."""
        last = self.last if chosen is None else self.last[chosen]
        return np.asarray(self.features[last[:, None] + np.arange(1 - self.time_steps, 1)])

    def outcomes(self, rule: LabelRule) -> tuple[Ints, Floats]:
        """Class index of each window, (n,), and the log return that decided, (n,)."""
        return realized(rule.kind, self._paths(rule), rule.threshold(self.sigma))

    def labels(self, rule: LabelRule) -> Ints:
        """Class index of each window, (n,)."""
        return self.outcomes(rule)[0]

    def fitted(self, rule: LabelRule) -> LabelRule:
        """The rule whose FLAT class holds a third of these windows."""
        paths = self._paths(rule)
        farthest = np.abs(paths).max(axis=1) if rule.kind == "triple_barrier" else np.abs(paths[:, -1])
        scaled = farthest / (self.sigma * np.sqrt(rule.horizon_bars))
        return replace(rule, k=round(float(np.quantile(scaled, 1 / 3)), 6))

    def between(self, first: int, last: int) -> "Dataset":
        """Windows that close in first <= time < last."""
        return self.chosen((self.close_time >= first) & (self.close_time < last))

    def known_between(self, first: int, last: int) -> "Dataset":
        """Windows that close in first <= time and whose outcome is known before `last`, each by its own bars.

        Lopez de Prado (2018), "Advances in financial machine learning", section 7.4.1: purging.
        """
        return self.chosen((self.close_time >= first) & (self.known_time < last))

    def chosen(self, rows: NDArray[np.bool_] | Ints) -> "Dataset":
        """Windows by a mask or by their numbers."""
        return replace(
            self,
            last=self.last[rows],
            sigma=self.sigma[rows],
            close_time=self.close_time[rows],
            known_time=self.known_time[rows],
            symbol=self.symbol[rows],
        )

    def sampled(self, count: int, seed: int) -> "Dataset":
        """`count` windows drawn without replacement, in order of time; all if there are fewer."""
        if len(self) <= count:
            return self
        return self.chosen(np.sort(np.random.default_rng(seed).choice(len(self), count, replace=False)))

    def never_trained(self) -> NDArray[np.bool_]:
        """Windows of symbols that are held out, (n,): see `held_out`."""
        return np.array([held_out(symbol) for symbol in self.symbols], dtype=bool)[self.symbol]

    def _paths(self, rule: LabelRule) -> Floats:
        start = self.last + int(rule.entry)
        base = self.log_close[start]
        return np.stack(
            [self.log_close[start + ahead] - base for ahead in range(1, rule.horizon_bars + 1)], axis=1
        )

    def save(self, folder: Path) -> None:
        """Write every array, so that another process can `open` it."""
        for name in _ARRAYS:
            np.save(folder / f"{name}.npy", getattr(self, name))
        (folder / "symbols.json").write_text(json.dumps([self.symbols, self.time_steps, self.feature_names]))

    @classmethod
    def open(cls, folder: Path) -> "Dataset":
        """The inverse of `save`; arrays are mapped, not read."""
        symbols, time_steps, names = json.loads((folder / "symbols.json").read_text())
        # Copy on write: torch wants arrays that it may write to, and nobody does.
        arrays = {name: np.load(folder / f"{name}.npy", mmap_mode="c") for name in _ARRAYS}
        return cls(**arrays, symbols=tuple(symbols), time_steps=time_steps, feature_names=tuple(names))


def held_out(symbol: str) -> bool:
    """Whether a symbol is one of the tenth that is never trained on: the same ones in every file."""
    return int.from_bytes(hashlib.sha256(symbol.encode()).digest()[:8]) % HELD_OUT == 0


def build(
    frames: pl.DataFrame | Iterable[pl.DataFrame],
    interval: str,
    spec: FeatureSpec,
    rule: LabelRule,
    time_zone: str = "UTC",
) -> Dataset:
    """All labelled windows of bars.

    Args:
        frames: bars as `market.files` gives them; of several frames, each holds whole symbols.
        interval: length of the bars.
        spec: features.
        rule: horizon and entry; kind and k do not matter here.
        time_zone: zone of trading days.

    Raises:
        ValueError: there is no window.
    """
    folder = temporary.create_folder("windows")
    try:
        with (folder / "rows").open("wb") as rows, (folder / "closes").open("wb") as closes:
            parts: list[tuple[Ints, Floats, Ints, Ints, NDArray[np.int32]]] = []
            symbols: list[str] = []
            written = 0
            for frame in [frames] if isinstance(frames, pl.DataFrame) else frames:
                for symbol, series in each_series(frame, interval, time_zone):
                    values = features(spec, series).astype(np.float32)
                    last, sigma = usable_ends(spec, series, values), volatility(spec, series)
                    known = np.isfinite(future_paths(spec, rule, series)[last]).all(axis=1)
                    last = last[known & np.isfinite(sigma[last])]
                    rows.write(values.tobytes())
                    closes.write(np.log(series.close).tobytes())
                    number = np.full(len(last), len(symbols), dtype=np.int32)
                    times = series.close_time
                    parts.append(
                        (last + written, sigma[last], times[last], times[last + rule.bars_ahead], number)
                    )
                    symbols.append(symbol)
                    written += len(series)
        if not written or not sum(len(part[0]) for part in parts):
            raise ValueError(f"data: no symbol has the {spec.min_bars + rule.bars_ahead} bars of one window")
        last, sigma, close_time, known_time, number = (
            np.concatenate(part) for part in zip(*parts, strict=True)
        )
        order = np.argsort(close_time, kind="stable")
        made = Dataset(
            np.memmap(folder / "rows", np.float32, "c", shape=(written, len(spec.names))),
            np.memmap(folder / "closes", np.float64, "c", shape=(written,)),
            last[order],
            sigma[order],
            close_time[order],
            known_time[order],
            number[order],
            tuple(symbols),
            spec.window_bars,
            spec.names,
        )
        weakref.finalize(made.features.base, shutil.rmtree, folder, True)
        return made
    except BaseException:
        shutil.rmtree(folder, ignore_errors=True)
        raise


def each_series(frame: pl.DataFrame, interval: str, time_zone: str) -> Iterator[tuple[str, Series]]:
    """Name and bars of each symbol, by name."""
    for symbol, columns in _each_symbol(frame):
        close_time, prices = columns[0].astype(np.int64), columns[1:]
        yield symbol, from_columns(close_time, np.stack(prices), sessions(close_time, interval, time_zone))


def _each_symbol(frame: pl.DataFrame) -> Iterator[tuple[str, list[np.ndarray]]]:
    """Name of each symbol with its close times, opens, highs, lows, closes and volumes, oldest first."""
    ordered = frame.sort("symbol", "close_time", maintain_order=True)
    runs = ordered["symbol"].rle().struct.unnest()
    columns = [ordered[name].to_numpy() for name in ("close_time", "open", "high", "low", "close", "volume")]
    start = 0
    for symbol, count in zip(runs["value"], runs["len"], strict=True):
        yield symbol, [column[start : start + count] for column in columns]
        start += count


def split_by_days(close_times: Ints) -> tuple[int, int]:
    """The closes behind the first 70 % and the first 85 % of the distinct ones."""
    times = np.unique(close_times)
    return int(times[int(0.70 * (len(times) - 1))]), int(times[int(0.85 * (len(times) - 1))])


def digest(frame: pl.DataFrame) -> str:
    """SHA-256 over the bars, symbol by symbol, 64 hex digits."""
    return combined(digests(frame))


def digests(frame: pl.DataFrame) -> dict[str, str]:
    """SHA-256 over the bars of each symbol, in order of time."""
    return {
        symbol: hashlib.sha256(b"".join(column.tobytes() for column in columns)).hexdigest()
        for symbol, columns in _each_symbol(frame)
    }


def combined(by_symbol: dict[str, str]) -> str:
    """One digest of many symbols' digests."""
    return hashlib.sha256(json.dumps(sorted(by_symbol.items())).encode()).hexdigest()
