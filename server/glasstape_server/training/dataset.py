"""Labeled windows of many symbols, ordered by time.

Feature rows are memory-mapped files; a window is gathered from its rows when it is used. A data set of eight
features takes 40 bytes per bar on disk and 36 bytes per window in memory, may exceed the memory, and is shared between
processes by its folder.
"""

import hashlib
import json
import shutil
import weakref
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
import polars as pl
from numpy.typing import NDArray

from glasstape_server.domain.arrays import Float32s, Floats, Ints
from glasstape_server.features.compute import unranked, volatility
from glasstape_server.features.labels import LabelRule, future_paths, realized
from glasstape_server.features.series import Series
from glasstape_server.features.spec import FeatureSpec
from glasstape_server.features.windows import window_masks
from glasstape_server.storage import temporary
from glasstape_server.training.close_ranks import rank_rows
from glasstape_server.training.usable_bars import UsableBars, longest_session
from glasstape_server.training.window_count import WindowCount

HELD_OUT = 10
"""One symbol of this many is held out of training, by the hash of its name."""
_ARRAYS = ("features", "log_close", "last", "sigma", "close_time", "known_time", "symbol")


@dataclass(frozen=True, slots=True)
class Dataset:
    """Labeled windows, ordered by time."""

    features: Float32s
    """Feature rows, (bar, feature), grouped by symbol; NaN where a bar has too little history."""
    log_close: Floats
    """Natural logarithm of the close, (bar,)."""
    last: Ints
    """Row of each window's last bar, (n,)."""
    sigma: Floats
    """Volatility at the window's last bar, (n,)."""
    close_time: Ints
    """Close of the window's last bar, microseconds, (n,)."""
    known_time: Ints
    """Close at which the window's outcome is known, microseconds, (n,)."""
    symbol: NDArray[np.int32]
    """Index into `symbols`, (n,)."""
    symbols: tuple[str, ...]
    time_steps: int
    """Bars in a window."""
    feature_names: tuple[str, ...]
    """(feature,) names of the columns of `features`."""
    window_count: WindowCount = field(default_factory=WindowCount)
    """Bars that it was built from, and why some of them end no window."""

    def __len__(self) -> int:
        return len(self.last)

    @property
    def window_shape(self) -> tuple[int, int]:
        """(time, feature) of a window."""
        return self.time_steps, self.features.shape[1]

    def windows(self, numbers: Ints | slice | None = None) -> Float32s:
        """Return windows (n, time, feature) by their numbers (n,), or all of them."""
        last = self.last if numbers is None else self.last[numbers]
        return np.asarray(self.features[last[:, None] + np.arange(1 - self.time_steps, 1)])

    def outcomes(self, rule: LabelRule) -> tuple[Ints, Floats]:
        """Return the class index of each window, (n,), and the log return that determined it, (n,)."""
        return realized(rule.kind, self._paths(rule), rule.threshold(self.sigma))

    def forward_returns(self, rule: LabelRule) -> Floats:
        """Return the log return of each window over the whole horizon, from the entry on, (n,)."""
        return np.asarray(self._paths(rule)[:, -1])

    def labels(self, rule: LabelRule) -> Ints:
        """Return the class index of each window, (n,)."""
        return self.outcomes(rule)[0]

    def fitted(self, rule: LabelRule) -> LabelRule:
        """Return the rule with the threshold for which a third of these windows are FLAT."""
        paths = self._paths(rule)
        farthest = np.abs(paths).max(axis=1) if rule.kind == "triple_barrier" else np.abs(paths[:, -1])
        scaled = farthest / (self.sigma * np.sqrt(rule.horizon_bars))
        return replace(rule, k=round(float(np.quantile(scaled, 1 / 3)), 6))

    def between(self, first: int, last: int) -> "Dataset":
        """Return the windows with first <= close time < last, microseconds."""
        return self.select((self.close_time >= first) & (self.close_time < last))

    def known_between(self, first: int, last: int) -> "Dataset":
        """Return the windows with first <= close time whose outcome is known before `last`, microseconds.

        Lopez de Prado (2018), "Advances in financial machine learning", section 7.4.1: purging.
        """
        return self.select((self.close_time >= first) & (self.known_time < last))

    def select(self, rows: NDArray[np.bool_] | Ints) -> "Dataset":
        """Return windows by a mask (n,) or by their numbers (m,)."""
        return replace(
            self,
            last=self.last[rows],
            sigma=self.sigma[rows],
            close_time=self.close_time[rows],
            known_time=self.known_time[rows],
            symbol=self.symbol[rows],
        )

    def sampled(self, count: int, seed: int) -> "Dataset":
        """Return `count` windows drawn without replacement, ordered by time; all if there are fewer."""
        if len(self) <= count:
            return self
        return self.select(np.sort(np.random.default_rng(seed).choice(len(self), count, replace=False)))

    def held_out_mask(self) -> NDArray[np.bool_]:
        """Return whether each window is of a symbol that is held out of training, (n,); see `held_out`."""
        return np.array([held_out(symbol) for symbol in self.symbols], dtype=bool)[self.symbol]

    def _paths(self, rule: LabelRule) -> Floats:
        start = self.last + int(rule.entry)
        base = self.log_close[start]
        return np.stack(
            [self.log_close[start + ahead] - base for ahead in range(1, rule.horizon_bars + 1)], axis=1
        )

    def save(self, folder: Path) -> None:
        """Write the arrays to a folder, for `open` in another process."""
        for name in _ARRAYS:
            np.save(folder / f"{name}.npy", getattr(self, name))
        (folder / "symbols.json").write_text(json.dumps([self.symbols, self.time_steps, self.feature_names]))

    @classmethod
    def open(cls, folder: Path) -> "Dataset":
        """Open a saved data set; arrays are memory-mapped."""
        symbols, time_steps, names = json.loads((folder / "symbols.json").read_text())
        # Copy-on-write, because torch requires writable arrays. They are never written to.
        arrays = {name: np.load(folder / f"{name}.npy", mmap_mode="c") for name in _ARRAYS}
        return cls(**arrays, symbols=tuple(symbols), time_steps=time_steps, feature_names=tuple(names))


def held_out(symbol: str) -> bool:
    """Return whether a symbol is held out of training: a tenth of them, independent of the data."""
    return int.from_bytes(hashlib.sha256(symbol.encode()).digest()[:8]) % HELD_OUT == 0


def build(
    frames: pl.DataFrame | Iterable[pl.DataFrame | UsableBars],
    interval: str,
    spec: FeatureSpec,
    rule: LabelRule,
    time_zone: str = "UTC",
) -> Dataset:
    """Build the labeled windows of bars.

    Args:
        frames: bars as read by `market.files`; of several frames, each holds whole symbols. Rows that a server
            would not have in windows are left out. Ranked features rank the symbols of all frames.
        interval: of the bars.
        spec: of the features.
        rule: gives horizon and entry; its kind and k are ignored.
        time_zone: of trading days.

    Raises:
        ValueError: there is no labeled window.
    """
    folder = temporary.create_folder("windows")
    count = WindowCount()
    try:
        with (
            (folder / "rows").open("wb") as rows,
            (folder / "closes").open("wb") as closes,
            (folder / "times").open("wb") as times,
        ):
            parts: list[tuple[Ints, Floats, Ints, Ints, NDArray[np.int32]]] = []
            symbols: list[str] = []
            written = 0
            for frame in [frames] if isinstance(frames, pl.DataFrame) else frames:
                bars = frame if isinstance(frame, UsableBars) else UsableBars.of(frame)
                count.add(bars.left_out.total(), 0, bars.left_out, 0)
                for symbol, series, gaps in bars.each_series(interval, time_zone):
                    values = unranked(spec, series).astype(np.float32)
                    last, sigma = _labeled_ends(spec, rule, series, values, gaps, count)
                    rows.write(values.tobytes())
                    closes.write(np.log(series.close).tobytes())
                    close = series.close_time
                    if spec.ranked_columns:
                        times.write(close.tobytes())
                    number = np.full(len(last), len(symbols), dtype=np.int32)
                    parts.append(
                        (last + written, sigma[last], close[last], close[last + rule.bars_ahead], number)
                    )
                    symbols.append(symbol)
                    written += len(series)
        if not count.windows:
            raise ValueError(f"data: {no_windows(count, spec, rule)}")
        last, sigma, close_time, known_time, number = (
            np.concatenate(part) for part in zip(*parts, strict=True)
        )
        order = np.argsort(close_time, kind="stable")
        shape = (written, len(spec.names))
        if spec.ranked_columns:
            file = np.memmap(folder / "rows", np.float32, "r+", shape=shape)
            rank_rows(file, np.fromfile(folder / "times", np.int64), spec.ranked_columns)
            file.flush()
        data = Dataset(
            np.memmap(folder / "rows", np.float32, "c", shape=shape),
            np.memmap(folder / "closes", np.float64, "c", shape=(written,)),
            last[order],
            sigma[order],
            close_time[order],
            known_time[order],
            number[order],
            tuple(symbols),
            spec.window_bars,
            spec.names,
            count,
        )
        weakref.finalize(data.features.base, shutil.rmtree, folder, True)
        return data
    except BaseException:
        shutil.rmtree(folder, ignore_errors=True)
        raise


def _labeled_ends(
    spec: FeatureSpec,
    rule: LabelRule,
    series: Series,
    rows: Float32s,
    gaps: NDArray[np.bool_],
    count: WindowCount,
) -> tuple[Ints, Floats]:
    """Return the last bar of every labeled window, (window,), and the volatility, (bar,); add them to `count`."""
    sigma, size = volatility(spec, series), spec.window_bars
    complete, together = window_masks(spec, series, rows)
    known = np.isfinite(future_paths(spec, rule, series)).all(axis=1)
    priced = complete & np.isfinite(sigma)[size - 1 :]
    usable = priced & together
    last = np.flatnonzero(usable & np.asarray(known)[size - 1 :]) + size - 1
    before = min(len(series), spec.min_bars - 1)
    with_prices, in_session = int(np.count_nonzero(priced)), int(np.count_nonzero(usable))
    lost = {
        "look-back": before,
        "unknown prices": len(series) - before - with_prices,
        "split": with_prices - in_session,
        "horizon": in_session - len(last),
    }
    across = 0
    if gaps.any():
        until = np.cumsum(gaps)
        across = int((until[last] > until[np.maximum(last - size, 0)]).sum())
    count.add(len(series), len(last), lost, across)
    count.longest_series = max(count.longest_series, len(series))
    if spec.session_gap == "split":
        count.longest_session = max(count.longest_session, longest_session(series.session))
    return last, sigma


def no_windows(count: WindowCount, spec: FeatureSpec, rule: LabelRule) -> str:
    """Return why a data set has no labeled window, or too few."""
    if not count.bars:
        return "there are no bars"
    least, of_session = spec.min_bars + rule.bars_ahead, spec.window_bars + rule.bars_ahead
    if count.longest_series < least:
        return f"no symbol has {least} bars, which one labeled window requires; {count.to_text()}"
    if spec.session_gap == "split" and count.longest_session < of_session:
        reason = (
            f"a labeled window requires {of_session} bars of one session ({spec.window_bars} and "
            f"{rule.bars_ahead} ahead), and the longest session has {count.longest_session}"
        )
        return f"{reason}; choose a shorter --horizon, or --session-gap span; {count.to_text()}"
    return count.to_text()


def split_by_days(close_times: Ints) -> tuple[int, int]:
    """Return the close times after 70 % and 85 % of the distinct ones, of `close_times` (n,), microseconds."""
    times = np.unique(close_times)
    return int(times[int(0.70 * (len(times) - 1))]), int(times[int(0.85 * (len(times) - 1))])


def digest(frame: pl.DataFrame) -> str:
    """Return the SHA-256 of the usable bars of a frame, symbol by symbol, 64 hex digits."""
    return combined(UsableBars.of(frame).digests())


def combined(by_symbol: dict[str, str]) -> str:
    """Return the digest of several symbols' digests."""
    return hashlib.sha256(json.dumps(sorted(by_symbol.items())).encode()).hexdigest()
