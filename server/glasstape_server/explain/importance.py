"""Importance over a set of windows: what a model looks at in general, with intervals.

The importance of a cell is the mean |map| of the windows, that of a feature or of a bar the sum of its cells. Maps are
made comparable across features first: a SENSITIVITY is multiplied by the deviation of its feature. Windows of one
close, and of neighboring ones, are not independent, so that intervals come from a bootstrap of blocks of closes.
"""

import math
from dataclasses import dataclass

import numpy as np

from glasstape_server.domain.arrays import Float32s, Floats, Ints
from glasstape_server.domain.statistics import Z_95, block_of, block_sums, block_widening, student_quantile
from glasstape_server.explain.method import Shape

DRAWS = 1000
"""Bootstrap samples."""


@dataclass(frozen=True, slots=True)
class Part:
    """A part of the window: a cell, all bars of a feature, or all features of a bar."""

    time: int | None
    """Row in the window, 0 = oldest bar; None: all bars."""
    feature: int | None
    """Column in the window; None: all features."""


def parts_of(shape: Shape) -> tuple[Part, ...]:
    """Return the parts of a window (time, feature): its features, its bars, then its cells, oldest bar first."""
    steps, width = shape
    return (
        *(Part(None, feature) for feature in range(width)),
        *(Part(time, None) for time in range(steps)),
        *(Part(time, feature) for time in range(steps) for feature in range(width)),
    )


@dataclass(frozen=True, slots=True)
class Estimates:
    """Figures with 95 % intervals, (part,) each. NaN: undefined; of the bounds, too few closes for an interval."""

    value: Floats
    low: Floats
    high: Floats


@dataclass(frozen=True, slots=True)
class Sample:
    """Sums over the closes of a set of windows, and over bootstrap samples of these closes."""

    windows: int
    closes: int
    """Distinct closes."""
    block: int
    """Closes per bootstrap block."""
    window_bars: int
    total: Floats
    """Number of windows, then the sums of the columns, (1 + column,)."""
    drawn: Floats
    """The same of each bootstrap sample, (draws, 1 + column)."""

    @classmethod
    def of(cls, values: Floats, close_time: Ints, window_bars: int, seed: int) -> "Sample":
        """Sum up windows by close, and draw bootstrap samples.

        Args:
            values: columns of each window, (n, column).
            close_time: close of each window's last bar, microseconds, (n,).
            window_bars: bars of a window.
            seed: of the draws.
        """
        closes, number = np.unique(close_time, return_inverse=True)
        order = np.argsort(number, kind="stable")
        columns = np.concatenate([np.ones((len(values), 1)), values], axis=1)[order]
        by_close = np.add.reduceat(columns, np.searchsorted(number[order], np.arange(len(closes))))
        block = block_of(closes, window_bars)
        drawn = block_sums(by_close, block, DRAWS, seed)
        return cls(len(values), len(closes), block, window_bars, by_close.sum(axis=0), drawn)

    @property
    def means(self) -> Floats:
        """Mean of each column, (column,)."""
        return np.asarray(self.total[1:] / self.total[0])

    @property
    def drawn_means(self) -> Floats:
        """Mean of each column in each bootstrap sample, (draws, column)."""
        return np.asarray(self.drawn[:, 1:] / self.drawn[:, :1])

    @property
    def widening(self) -> float:
        """See `block_widening`."""
        return block_widening(self.closes, self.block, self.window_bars)

    @property
    def degrees(self) -> float:
        """Degrees of freedom of the variance."""
        return self.closes / self.block - 1

    def estimates(self, value: Floats, drawn: Floats) -> Estimates:
        """Return figures (part,) with their intervals, from those of the bootstrap samples (draws, part).

        The distance of each bound is that of the bootstrap's quantile, widened, and for few blocks by Student's
        quantile relative to the normal one, as Korn and Graubard (1998) do for few clusters.
        """
        if math.isnan(self.widening):
            undefined = np.full(value.shape, np.nan)
            return Estimates(value, undefined, undefined)
        wider = self.widening * student_quantile(0.975, self.degrees) / Z_95
        low, high = np.quantile(drawn, [0.025, 0.975], axis=0)
        return Estimates(
            value,
            value - wider * np.maximum(value - low, 0),
            value + wider * np.maximum(high - value, 0),
        )


@dataclass(frozen=True, slots=True)
class Importance:
    """Importance of the parts of a window, in the order of `parts_of`."""

    shape: Shape
    sample: Sample
    importance: Estimates
    """Mean |map|, in units of the score; of a feature or a bar, the sum over its cells."""
    share: Estimates
    """Share of the importance of all cells, 0-1; NaN if that is 0."""
    share_error: Floats
    """Standard error of the share, (part,); NaN: too few closes."""
    signed_mean: Estimates
    """Mean map, in units of the score: above 0, higher values of the feature favor the explained class."""


def summarize(maps: Float32s, close_time: Ints, seed: int = 0) -> Importance:
    """Return the importance over a set of windows.

    Args:
        maps: comparable across features, see `units.comparable`, (n, time, feature), n at least 1.
        close_time: close of each window's last bar, microseconds, (n,).
        seed: of the bootstrap.
    """
    steps, width = shape = (maps.shape[1], maps.shape[2])
    cells = maps.reshape(len(maps), -1).astype(np.float64)
    sample = Sample.of(np.concatenate([np.abs(cells), cells], axis=1), close_time, steps, seed)
    size, gather = steps * width, _gather(shape)
    value, drawn = sample.means, sample.drawn_means
    absolute, drawn_absolute = value[:size] @ gather, drawn[:, :size] @ gather
    share, drawn_share = shares(absolute, shape), shares(drawn_absolute, shape)
    return Importance(
        shape,
        sample,
        _at_least_zero(sample.estimates(absolute, drawn_absolute)),
        _at_least_zero(sample.estimates(share, drawn_share)),
        drawn_share.std(axis=0) * sample.widening,
        sample.estimates(value[size:] @ gather, drawn[:, size:] @ gather),
    )


def shares(importance: Floats, shape: Shape) -> Floats:
    """Return the share of each part in the importance of all cells, (..., part); NaN if that is 0."""
    total = importance[..., : shape[1]].sum(axis=-1, keepdims=True)
    with np.errstate(invalid="ignore"):
        return np.asarray(np.where(total > 0, importance / total, np.nan))


def _gather(shape: Shape) -> Floats:
    """Return the matrix (cell, part) that sums the cells of each part."""
    cells = np.eye(shape[0] * shape[1]).reshape(-1, *shape)
    return np.concatenate([cells.sum(axis=1), cells.sum(axis=2), cells.reshape(len(cells), -1)], axis=1)


def _at_least_zero(estimates: Estimates) -> Estimates:
    return Estimates(estimates.value, np.maximum(estimates.low, 0), estimates.high)
