"""Edits of a counterfactual search, and the windows that result.

With bars, open, high, low, close and volume of the last bar are edited, so that the result could have traded. Without
bars, the features of the last bar are edited; such a result is hypothetical, because no real bar may have them.
"""

from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from glasstape_server.domain.arrays import Float32s, Floats, Ints
from glasstape_server.explain.price_grid import PriceGrid
from glasstape_server.features.compute import features, volatility
from glasstape_server.features.series import Series
from glasstape_server.features.spec import FeatureSpec

MAX_EDIT = 3.0
"""Largest edit of each value, in standard deviations."""
SLACK = 1e-9
"""Relative tolerance of comparisons with a limit, for rounding errors."""


@dataclass(frozen=True, slots=True)
class Candidates:
    """Edits that a market allows."""

    edits: Floats
    """(n, dimension), standard deviations."""
    bars: Floats | None = None
    """Open, high, low, close, volume of the edited bars, (n, 5); None if features are edited."""

    @property
    def sizes(self) -> Floats:
        """Lengths of the edits, (n,), standard deviations."""
        return np.asarray(np.linalg.norm(self.edits, axis=1))

    def select(self, rows: NDArray[np.bool_] | Ints) -> "Candidates":
        """Return candidates by a mask (n,) or by their numbers (m,)."""
        return Candidates(self.edits[rows], None if self.bars is None else self.bars[rows])


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

    @property
    def limited(self) -> NDArray[np.bool_]:
        """Whether a limit may restrict each value, (dimension,)."""
        ...

    def windows(self, edits: Floats) -> Float32s:
        """Return the windows (n, time, feature) that edits (n, dimension) result in, whether allowed or not."""
        ...

    def effective(self, edits: Floats) -> Floats:
        """Return the edits (n, dimension) that take effect, for edits (n, dimension) of which parts may not."""
        ...

    def within_limits(self, edits: Floats) -> NDArray[np.bool_]:
        """Return which edits (n, dimension) are within the limits of a market, (n,)."""
        ...

    def candidates(self, edit: Floats, lengths: Floats, below: float, coarse: bool) -> Candidates:
        """Return allowed edits near multiples of an edit, at least as long as it along its direction.

        A looser bound allows all that a tighter one does, with the same values.

        Args:
            edit: (dimension,), standard deviations.
            lengths: multiples of the edit, (n,).
            below: size that the edits must be shorter than.
            coarse: False for edits rounded to the tick, True for those rounded to its multiples from 2.
        """
        ...

    def windows_after(self, candidates: Candidates) -> Float32s:
        """Return the windows (n, time, feature) of candidates."""
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

    @property
    def limited(self) -> NDArray[np.bool_]:
        """False for each feature, (feature,)."""
        return np.zeros(self.dimensions, dtype=bool)

    def windows(self, edits: Floats) -> Float32s:
        """Add edits (n, feature) to the last row; return windows (n, time, feature)."""
        edited = np.repeat(self.window[None], len(edits), axis=0)
        edited[:, -1] += (edits * self.deviation).astype(np.float32)
        return edited

    def effective(self, edits: Floats) -> Floats:
        """Return the edits (n, feature) unchanged."""
        return edits

    def within_limits(self, edits: Floats) -> NDArray[np.bool_]:
        """Return True for all edits (n, feature)."""
        return np.ones(len(edits), dtype=bool)

    def candidates(self, edit: Floats, lengths: Floats, below: float, coarse: bool) -> Candidates:
        """Return multiples of an edit (feature,); see `Editor.candidates`."""
        edits = edit * lengths[:, None]
        found = Candidates(edits if not coarse else edits[:0])
        return found.select((found.sizes < below) & (np.abs(found.edits) <= MAX_EDIT).all(axis=1))

    def windows_after(self, candidates: Candidates) -> Float32s:
        """Return the windows (n, time, feature) of candidates."""
        return self.windows(candidates.edits)


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

    Every edit results in a valid bar: low <= open, close <= high, all above 0. Candidates are also on the tick and
    within the price limit. Neither affects where they are searched.
    """

    dimensions = 5
    joint_directions = np.array([[1.0, 1, 1, 1, 0], [0, 1, 0, 1, 0], [0, 0, 1, 1, 0], [0, 1, 1, 1, 0]])
    """All prices; close and high; close and low; close, high and low. (4, 5)."""
    limited = np.array([True, True, True, True, False])

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
        self._grid = PriceGrid(
            rules.tick, self._original[:4], float(self._original[3] * np.expm1(MAX_EDIT * sigma))
        )
        self._rows = features(spec, self.series)[-spec.window_bars :].astype(np.float32)
        self._recent = self.series.tail(spec.look_back + 1)

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
        return self._windows_of(_valid(self._moved(edits)))

    def effective(self, edits: Floats) -> Floats:
        """Return the edits (n, 5) of the valid bars that edits (n, 5) result in."""
        return self._edits_of(_valid(self._moved(edits)))

    def within_limits(self, edits: Floats) -> NDArray[np.bool_]:
        """Return which edits (n, 5) result in bars within the price limit, (n,)."""
        return self._allowed(_valid(self._moved(edits)))

    def candidates(self, edit: Floats, lengths: Floats, below: float, coarse: bool) -> Candidates:
        """Return bars on the tick and within the price limit; see `Editor.candidates`."""
        square = float(edit @ edit)
        steps = (
            self._coarser_steps(edit, below**2 - square * (1 - 4 * SLACK)) if coarse else self._grid.finest
        )
        moved = self._moved(edit * lengths[:, None])
        volume = np.round(moved[:, 4]) if self._whole_shares else moved[:, 4]
        if len(steps):
            prices = self._grid.rounded(moved[:, :4], steps)
        else:  # no price can be edited
            prices = np.tile(self._original[:4], (len(moved), int(not coarse), 1))
        bars = np.empty((*prices.shape[:2], 5))
        bars[..., :4], bars[..., 4] = prices, np.where(edit[4] == 0, self._original[4], volume)[:, None]
        bars = _valid(bars.reshape(-1, 5))
        bars = bars[self._allowed(bars)]
        found = Candidates(self._edits_of(bars), bars)
        far = found.edits @ edit >= square * (1 - SLACK)
        return found.select(far & (np.abs(found.edits) <= MAX_EDIT).all(axis=1) & (found.sizes < below))

    def windows_after(self, candidates: Candidates) -> Float32s:
        """Return the windows (n, time, feature) of candidates.

        Raises:
            TypeError: the candidates have no bars.
        """
        if candidates.bars is None:
            raise TypeError("candidates must have bars")
        return self._windows_of(candidates.bars)

    def _coarser_steps(self, edit: Floats, square: float) -> Floats:
        """Return the multiples of the tick that may result in a candidate within sqrt(`square`) of an edit (5,).

        An edit that is at least as long as this one along its direction, and shorter than a bound, is that near to it.
        Open and close that must move then need a multiple of the step near their value.
        """
        reach = np.sqrt(max(square, 0.0)) if np.isfinite(square) else np.inf
        moving = [index for index in (0, 3) if abs(edit[index]) > reach]
        at, price, scale = edit[moving], self._original[moving], self._scale[moving]
        if not moving:
            return self._grid.coarser(np.empty(0), np.empty(0))
        return self._grid.coarser(price * np.exp((at - reach) * scale), price * np.exp((at + reach) * scale))

    def _moved(self, edits: Floats) -> Floats:
        """Return the values (n, 5) that edits (n, 5) result in, whether or not they are a valid bar."""
        moved = np.append(self._original[:4], self._original[4] + 1) * np.exp(edits * self._scale)
        moved[:, 4] = np.maximum(moved[:, 4] - 1, 0)
        return np.asarray(moved)

    def _edits_of(self, bars: Floats) -> Floats:
        """Return the edits (n, 5) that result in bars (n, 5): the inverse of `_moved`."""
        ones = np.array([0.0, 0, 0, 0, 1])
        return np.asarray(np.log((bars + ones) / (self._original + ones)) / self._scale)

    def _allowed(self, bars: Floats) -> NDArray[np.bool_]:
        """Return which bars (n, 5) are within the price limit, (n,)."""
        low, high = self._limits()
        return np.asarray((bars[:, 2] > 0) & (bars[:, 2] >= low) & (bars[:, 1] <= high))

    def _limits(self) -> tuple[float, float]:
        """Return the lowest and highest price allowed."""
        rules = self.rules
        if not rules.price_limit or not rules.previous_session_close:
            return 0.0, np.inf
        # Never tighter than the unedited bar, which may exceed the limit on a first day or after a split.
        low = min(rules.previous_session_close * (1 - rules.price_limit), float(self._original[2]))
        high = max(rules.previous_session_close * (1 + rules.price_limit), float(self._original[1]))
        return low * (1 - SLACK), high * (1 + SLACK)

    def _windows_of(self, bars: Floats) -> Float32s:
        """Return the windows (n, time, feature) of several last bars (n, 5). Only their last rows differ."""
        count = len(bars)
        columns = {}
        for name in (*_NAMES, "close_time", "session"):
            columns[name] = np.repeat(getattr(self._recent, name)[None], count, axis=0)
        for index, name in enumerate(_NAMES):
            columns[name][:, -1] = bars[:, index]
        windows = np.repeat(self._rows[None], count, axis=0)
        edited = Series(**columns, time_zone=self._recent.time_zone)
        windows[:, -1] = features(self.spec, edited)[:, -1].astype(np.float32)
        return windows


_NAMES = ("open", "high", "low", "close", "volume")


def _valid(bars: Floats) -> Floats:
    """Return bars (n, 5) with high and low widened to enclose open and close."""
    valid = bars.copy()
    valid[:, 1] = valid[:, [0, 1, 3]].max(axis=1)
    valid[:, 2] = valid[:, [0, 2, 3]].min(axis=1)
    return valid
