"""Changes of a price's level that no market made: unadjusted splits, and bars off by orders of magnitude."""

import numpy as np
import polars as pl
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

from glasstape_server.domain.arrays import Floats, Ints
from glasstape_server.market.rules import MAX_STEP

JUMP = 0.30
"""Relative move from one close to the next that counts as a jump."""
SPLITS = np.array([1.5, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0, 8.0, 10.0, 15.0, 20.0, 25.0, 30.0, 50.0, 100.0])
"""Ratios of share splits; their inverses are reverse splits."""
NEAR = 0.01
"""Distance of the open's log ratio from a split's within which a move is a split, on a busy day, too."""
WIDE = np.where(SPLITS < 2, 0.02, np.where(SPLITS < 3, 0.05, 0.10))
"""The same of a day that was traded as usual: the market moved, too, while the shares were split."""
OF_CLOSE = 0.04
"""Further distance of the close: the move within the day."""
USUAL, BUSY = 3.0, 10.0
"""Largest volume or turnover of a usual and of a busy day, relative to the median of the bars before."""
BEFORE, AFTER = 20, 5
"""Bars before and after a move that are compared."""
NEIGHBORS = 11
"""Bars around one, itself included, whose median close its prices are compared with."""


def off_scale(bars: pl.DataFrame) -> NDArray[np.bool_]:
    """Return whether a price of each bar differs from the closes around it by a factor of `MAX_STEP`, (bar,).

    Args:
        bars: usable bars by symbol and time, with the close before each in `before`.
    """
    far = _far(pl.col("close"), pl.col("before")) | _far(pl.col("high"), pl.col("low"))
    suspects = bars.filter(far.fill_null(False))["symbol"].unique()
    if suspects.is_empty():
        return np.zeros(bars.height, dtype=np.bool_)
    around = pl.col("close").rolling_median(NEIGHBORS, center=True, min_samples=1).over("symbol")
    off = pl.any_horizontal(*(_far(pl.col(name), around) for name in ("open", "high", "low", "close")))
    of_suspects = bars.with_row_index("_bar").filter(pl.col("symbol").is_in(suspects.implode()))
    mask = np.zeros(bars.height, dtype=np.bool_)
    mask[of_suspects.filter(off.fill_null(False))["_bar"].to_numpy()] = True
    return mask


def splits(bars: pl.DataFrame) -> tuple[Ints, Floats]:
    """Return the first bar after each unadjusted split, (n,), and its ratio: shares after per share before, (n,).

    A split moves the open as much as the close and the level stays there. Where the move is not exactly a split's
    ratio, the day must have been traded as usual.

    Args:
        bars: as for `off_scale`.
    """
    close, opened, before = (bars[name].to_numpy() for name in ("close", "open", "before"))
    with np.errstate(invalid="ignore"):
        move = np.log(close / before)
    at = np.flatnonzero(np.abs(move) > np.log1p(JUMP))  # NaN, of the first bar of a symbol, compares false
    sign = np.sign(move[at])
    gap = sign * np.log(opened[at] / before[at])
    logs = np.log(SPLITS)
    nearest = np.abs(gap[:, None] - logs).argmin(axis=1)
    of_open = np.abs(gap - logs[nearest])
    of_close = np.abs(np.abs(move[at]) - logs[nearest])
    level, busy = _neighborhood(bars, at)
    like = (busy <= BUSY) & (of_open < NEAR) & (of_close < OF_CLOSE)
    like |= (busy <= USUAL) & (of_open < WIDE[nearest]) & (of_close < WIDE[nearest] + OF_CLOSE)
    stays = sign * level > 0.5 * logs[nearest]
    chosen = like & stays
    return at[chosen], np.exp(-sign * logs[nearest])[chosen]


def split_text(ratio: float) -> str:
    """Return a split's ratio as it is announced: 5:1, or 1:10 of a reverse split."""
    return f"{ratio:.3g}:1" if ratio >= 1 else f"1:{1 / ratio:.3g}"


def before_last_split(bars: pl.DataFrame) -> NDArray[np.bool_]:
    """Return whether a bar is before the last unadjusted split of its symbol, (bar,).

    Args:
        bars: as for `off_scale`.
    """
    mask = np.zeros(bars.height, dtype=np.bool_)
    first = _bounds(bars)[0]
    for index in splits(bars)[0]:
        mask[first[index] : index] = True
    return mask


def _far(value: pl.Expr, other: pl.Expr) -> pl.Expr:
    return (value >= MAX_STEP * other) | (MAX_STEP * value <= other)


def _bounds(bars: pl.DataFrame) -> tuple[Ints, Ints]:
    """Return the first bar of each bar's symbol and the first after it, (bar,) each."""
    lengths = bars["symbol"].rle().struct.field("len").to_numpy().astype(np.int64)
    ends = np.cumsum(lengths)
    return np.repeat(ends - lengths, lengths), np.repeat(ends, lengths)


def _neighborhood(bars: pl.DataFrame, at: Ints) -> tuple[Floats, Floats]:
    """Return the log ratio of the median closes after and before bars, and how much is traded, (n,) each."""
    if not len(at):
        return np.empty(0), np.empty(0)
    first, end = (bound[at] for bound in _bounds(bars))
    close, volume = bars["close"].to_numpy(), bars["volume"].to_numpy()
    after = _padded(close, 0, AFTER, at, first, end)
    earlier = _padded(close, -AFTER, AFTER, at, first, end)
    level = np.log(np.nanmedian(after, axis=1) / np.nanmedian(earlier, axis=1))
    # A split raises the volume or lowers the turnover, news raise both.
    busy = np.full(len(at), np.inf)
    for traded in (volume, volume * close):
        typical = np.nanmedian(_padded(traded, -BEFORE, BEFORE, at, first, end), axis=1)
        busy = np.minimum(busy, np.divide(traded[at], typical, out=np.zeros(len(at)), where=typical > 0))
    return level, busy


def _padded(values: Floats, offset: int, count: int, at: Ints, first: Ints, end: Ints) -> Floats:
    """Return `count` values from `offset` bars after each bar of `at` on, (n, count); NaN outside of its symbol."""
    padded = np.concatenate([np.full(BEFORE, np.nan), values, np.full(AFTER, np.nan)])
    rows = sliding_window_view(padded, count)[at + offset + BEFORE].copy()
    numbers = at[:, None] + offset + np.arange(count)
    rows[(numbers < first[:, None]) | (numbers >= end[:, None])] = np.nan
    return rows
