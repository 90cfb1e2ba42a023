"""Windows: the model's input, the feature rows of the last bars."""

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

from glasstape_server.domain.arrays import Float32s, Ints
from glasstape_server.features.compute import features, unranked
from glasstape_server.features.cross_section import CloseRanks, with_ranks
from glasstape_server.features.series import Series
from glasstape_server.features.spec import FeatureSpec


def all_windows(spec: FeatureSpec, series: Series, ranks: CloseRanks | None = None) -> tuple[Float32s, Ints]:
    """Return every complete window of one symbol.

    Args:
        spec: parameters.
        series: bars of one symbol, shape (bar,).
        ranks: of the closes; None: the spec has no ranked feature.

    Returns:
        Windows, float32 (window, time, feature), and the index of each window's last bar.

    Raises:
        ValueError: the spec has ranked features, and there are no ranks.
    """
    size = spec.window_bars
    if len(series) < spec.min_bars:
        empty = np.empty((0, *spec.window_shape), dtype=np.float32)
        return empty, np.empty(0, dtype=np.int64)
    rows = features(spec, series, ranks).astype(np.float32)
    last = usable_ends(spec, series, rows)
    return rows[last[:, None] + np.arange(1 - size, 1)], last


def usable_ends(spec: FeatureSpec, series: Series, rows: Float32s) -> Ints:
    """Return the index of the last bar of every complete window, (window,).

    Args:
        spec: parameters.
        series: bars of one symbol, shape (bar,).
        rows: their features, (bar, feature).
    """
    complete, together = window_masks(spec, series, rows)
    return np.flatnonzero(complete & together) + spec.window_bars - 1


def window_masks(
    spec: FeatureSpec, series: Series, rows: Float32s
) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """Return whether the window of each bar from number `window_bars` - 1 on is finite, and whether it is allowed.

    Args:
        spec: parameters.
        series: bars of one symbol, shape (bar,).
        rows: their features, (bar, feature).

    Returns:
        Whether all features are finite, (window,), and whether the window lies in one session if it must, (window,).
    """
    size = spec.window_bars
    if len(rows) < size:
        return np.empty(0, dtype=np.bool_), np.empty(0, dtype=np.bool_)
    finite = np.asarray(sliding_window_view(np.isfinite(rows).all(axis=1), size).all(axis=1))
    if spec.session_gap == "span":
        return finite, np.ones(finite.shape, dtype=np.bool_)
    return finite, np.asarray(series.session[size - 1 :] == series.session[: len(rows) - size + 1])


def latest_windows(
    spec: FeatureSpec, series: Series, ranks: CloseRanks | None = None
) -> tuple[Float32s, NDArray[np.bool_]]:
    """Return the newest window of each of many symbols.

    Args:
        spec: parameters.
        series: at least `spec.min_bars` bars of each symbol, shape (symbol, bar).
        ranks: of the windows' closes; None: the spec has no ranked feature.

    Returns:
        Windows, float32 (symbol, time, feature), and whether each one is usable (finite, and with
        `session_gap = split` within one session).

    Raises:
        ValueError: the spec has ranked features, and there are no ranks.
    """
    size = spec.window_bars
    recent = series.tail(spec.min_bars)
    rows = unranked(spec, recent)[..., -size:, :]
    windows = with_ranks(spec, recent.close_time[..., -size:], rows, ranks).astype(np.float32)
    usable = np.asarray(np.isfinite(windows).all(axis=(1, 2)))
    if spec.session_gap == "split":
        usable &= recent.session[..., -1] == recent.session[..., -size]
    return windows, usable
