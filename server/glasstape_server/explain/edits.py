"""Edits of a counterfactual search, and the windows that result.

With bars, open, high, low, close and volume of the last bar are edited, so that the result could have traded. Without
bars, the features of the last bar are edited; such a result is hypothetical, because no real bar may have them.
"""

from dataclasses import dataclass
from typing import Protocol

import numpy as np

from glasstape_server.domain.arrays import Float32s, Floats
from glasstape_server.features.compute import features, volatility
from glasstape_server.features.series import Series
from glasstape_server.features.spec import FeatureSpec

MAX_EDIT = 3.0
"""Largest edit of each value, in standard deviations."""


class Editor(Protocol):
    """Converts edits, in standard deviations, into windows."""

    @property
    def dimensions(self) -> int:
        """Number of values that can be edited."""
        ...

    @property
    def joint_directions(self) -> Floats:
        """Directions that edit several values at once, (n, dimension), searched besides single values."""
        ...

    def windows(self, edits: Floats) -> Float32s:
        """Return the windows (n, time, feature) that edits (n, dimension) result in."""
        ...

    def rounded(self, edit: Floats) -> tuple[Floats, Float32s, Floats | None]:
        """Round an edit to valid values.

        Args:
            edit: (dimension,), standard deviations.

        Returns:
            The rounded edit (dimension,), its window (time, feature), and its bar (5,) or None.
        """
        ...


@dataclass(frozen=True, slots=True)
class FeatureEditor:
    """Editor of the last bar's features, in training standard deviations; its results are hypothetical."""

    window: Float32s
    """(time, feature)."""
    deviation: Float32s
    """(feature,)."""

    @property
    def dimensions(self) -> int:
        """Number of features."""
        return int(self.window.shape[1])

    @property
    def joint_directions(self) -> Floats:
        """None, (0, feature)."""
        return np.empty((0, self.dimensions))

    def windows(self, edits: Floats) -> Float32s:
        """Add edits (n, feature) to the last row; return windows (n, time, feature)."""
        edited = np.repeat(self.window[None], len(edits), axis=0)
        edited[:, -1] += (edits * self.deviation).astype(np.float32)
        return edited

    def rounded(self, edit: Floats) -> tuple[Floats, Float32s, Floats | None]:
        """Return the edit (feature,) unchanged, and its window (time, feature); see `Editor.rounded`."""
        return edit, self.windows(edit[None])[0], None


@dataclass(frozen=True, slots=True)
class BarRules:
    """Trading rules of an instrument."""

    tick: float = 0.0
    """Smallest price step; 0 if unknown."""
    price_limit: float = 0.0
    """Largest move from the previous session's close, as a share of it; 0 if there is none."""
    previous_session_close: float = 0.0
    """Price that the limit refers to; 0 if unknown."""


class BarEditor:
    """Editor of the last bar: prices in units of the preceding volatility, volume in its training deviation.

    Every edit results in a valid bar: low <= open, close <= high, all above 0 and within the price limit.
    """

    dimensions = 5
    joint_directions = np.array([[1.0, 1, 1, 1, 0], [0, 1, 0, 1, 0], [0, 0, 1, 1, 0], [0, 1, 1, 1, 0]])
    """All prices; close and high; close and low; close, high and low. (4, 5)."""

    def __init__(self, spec: FeatureSpec, series: Series, volume_deviation: float, rules: BarRules) -> None:
        """Edit the last bar of a series.

        Args:
            spec: of the features.
            series: (bar,), at least `spec.min_bars` bars.
            volume_deviation: training standard deviation of the feature relative_volume.
            rules: that the edited bar must comply with.
        """
        self.spec = spec
        self.series = series.tail(spec.min_bars)
        self.rules = rules
        self._original = np.array([getattr(self.series, name)[-1] for name in _NAMES])
        sigma = float(volatility(spec, self.series)[-2])
        self._scale = np.array([sigma, sigma, sigma, sigma, volume_deviation])
        self._whole_shares = bool((self.series.volume == np.floor(self.series.volume)).all())

    @property
    def original(self) -> Floats:
        """Open, high, low, close and volume before the edit, (5,)."""
        return self._original

    @property
    def window(self) -> Float32s:
        """The unedited window, (time, feature)."""
        return np.asarray(self._windows_of(self._original[None])[0])

    def windows(self, edits: Floats) -> Float32s:
        """Return the windows (n, time, feature) that edits (n, 5) result in."""
        return self._windows_of(self._bars(edits))

    def rounded(self, edit: Floats) -> tuple[Floats, Float32s, Floats | None]:
        """Round an edit (5,) to whole ticks and shares; see `Editor.rounded`."""
        bar = self._bars(edit[None])[0]
        tick, limits = self.rules.tick, self._limits()
        # Unedited prices were traded and stay as they are.
        moved = np.abs(bar - self._original) > 1e-9 * np.abs(self._original)
        prices = _to_tick(bar[:4], tick) if tick > 0 else _to_digits(bar[:4], self._original[3])
        if limits is not None:
            low, high = limits
            if tick > 0:
                low, high = np.ceil(low / tick - 1e-9) * tick, np.floor(high / tick + 1e-9) * tick
            prices = np.clip(prices, low, high)
        volume = np.round(bar[4]) if self._whole_shares else bar[4]
        bar = np.where(moved, [*prices, volume], self._original)
        bar = _valid(bar[None])[0]
        return self._edit_of(bar), self._windows_of(bar[None])[0], bar

    def _bars(self, edits: Floats) -> Floats:
        """Return the valid bars (n, 5) that edits (n, 5) result in."""
        moved = np.append(self._original[:4], self._original[4] + 1) * np.exp(edits * self._scale)
        moved[:, 4] = np.maximum(moved[:, 4] - 1, 0)
        limits = self._limits()
        if limits is not None:
            moved[:, :4] = np.clip(moved[:, :4], *limits)
        return _valid(moved)

    def _edit_of(self, bar: Floats) -> Floats:
        """Return the edit (5,) that results in a bar (5,): the inverse of `_bars`."""
        change = np.log(bar[:4] / self._original[:4])
        volume = np.log((bar[4] + 1) / (self._original[4] + 1))
        return np.asarray(np.append(change, volume) / self._scale)

    def _limits(self) -> tuple[float, float] | None:
        rules = self.rules
        if not rules.price_limit or not rules.previous_session_close:
            return None
        # Never tighter than the unedited bar, which may exceed the limit on a first day or after a split.
        low = min(rules.previous_session_close * (1 - rules.price_limit), float(self._original[2]))
        high = max(rules.previous_session_close * (1 + rules.price_limit), float(self._original[1]))
        return low, high

    def _windows_of(self, bars: Floats) -> Float32s:
        """Return the windows (n, time, feature) of several last bars (n, 5). Only their last rows differ."""
        count = len(bars)
        columns = {}
        for index, name in enumerate(_NAMES):
            column = np.repeat(getattr(self.series, name)[None], count, axis=0)
            column[:, -1] = bars[:, index]
            columns[name] = column
        times = {
            name: np.repeat(getattr(self.series, name)[None], count, axis=0)
            for name in ("close_time", "session")
        }
        edited = Series(**columns, **times, time_zone=self.series.time_zone)
        before = features(self.spec, self.series)[-self.spec.window_bars :].astype(np.float32)
        windows = np.repeat(before[None], count, axis=0)
        windows[:, -1] = features(self.spec, edited.tail(self.spec.look_back + 1))[:, -1].astype(np.float32)
        return windows


_NAMES = ("open", "high", "low", "close", "volume")


def _valid(bars: Floats) -> Floats:
    """Return bars (n, 5) with high and low widened to enclose open and close."""
    valid = bars.copy()
    valid[:, 1] = valid[:, [0, 1, 3]].max(axis=1)
    valid[:, 2] = valid[:, [0, 2, 3]].min(axis=1)
    return valid


def _to_tick(prices: Floats, tick: float) -> Floats:
    return np.asarray(np.round(np.maximum(np.round(prices / tick), 1) * tick, 10))


def _to_digits(prices: Floats, like: float) -> Floats:
    """Round prices to six significant digits of a price of the size of `like`."""
    return np.asarray(np.round(prices, max(0, 5 - int(np.floor(np.log10(like))))))
