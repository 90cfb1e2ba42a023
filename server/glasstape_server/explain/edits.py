"""What may be edited for a counterfactual, and what the window looks like afterwards.

With bars: open, high, low, close and volume of the last bar, as a bar that could have traded. Without
bars: the features of the last bar themselves, which no real bar may have: hypothetical.
"""

from dataclasses import dataclass
from typing import Protocol

import numpy as np

from glasstape_server.domain.values import Float32s, Floats
from glasstape_server.features.compute import features, volatility
from glasstape_server.features.series import Series
from glasstape_server.features.spec import FeatureSpec

LARGEST = 3.0
"""Largest edit of each value, in standard deviations."""


class Editor(Protocol):
    """Turns edits, in standard deviations, into windows."""

    @property
    def dimensions(self) -> int:
        """Values that can be edited."""
        ...

    @property
    def together(self) -> Floats:
        """Edits that belong together, (n, dimension): tried beside single values."""
        ...

    def windows(self, edits: Floats) -> Float32s:
        """Windows (n, time, feature) of edits (n, dimension)."""
        ...

    def rounded(self, edit: Floats) -> tuple[Floats, Float32s, Floats | None]:
        """One edit as it could really be: what remains of it, its window and its bar, if there is one."""
        ...


@dataclass(frozen=True, slots=True)
class FeatureEditor:
    """Edits the last bar's features in training standard deviations: hypothetical."""

    window: Float32s  # (time, feature)
    deviation: Float32s  # (feature,)

    @property
    def dimensions(self) -> int:
        """One for each feature."""
        return int(self.window.shape[1])

    @property
    def together(self) -> Floats:
        """Nothing belongs together."""
        return np.empty((0, self.dimensions))

    def windows(self, edits: Floats) -> Float32s:
        """Add the edits to the last row."""
        made = np.repeat(self.window[None], len(edits), axis=0)
        made[:, -1] += (edits * self.deviation).astype(np.float32)
        return made

    def rounded(self, edit: Floats) -> tuple[Floats, Float32s, Floats | None]:
        """As it is."""
        return edit, self.windows(edit[None])[0], None


@dataclass(frozen=True, slots=True)
class BarRules:
    """What an exchange allows."""

    tick: float = 0.0
    """Smallest price step; 0: unknown."""
    price_limit: float = 0.0
    """Largest move from the previous session's close, as a share of it; 0: none known."""
    previous_session_close: float = 0.0
    """What the limit is measured from; 0: unknown."""


class BarEditor:
    """Edits the last bar: prices in units of the volatility before it, volume in its training deviation.

    Every edit makes a valid bar: low <= open, close <= high, all above 0 and within the price limit.
    """

    dimensions = 5
    together = np.array([[1.0, 1, 1, 1, 0], [0, 1, 0, 1, 0], [0, 0, 1, 1, 0], [0, 1, 1, 1, 0]])
    """The whole bar, or its close with the high, with the low, with both."""

    def __init__(self, spec: FeatureSpec, series: Series, volume_deviation: float, rules: BarRules) -> None:
        """Edit the last of `series`, (bar,), at least `spec.min_bars` of them."""
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
        """The unedited window."""
        return np.asarray(self._windows_of(self._original[None])[0])

    def windows(self, edits: Floats) -> Float32s:
        """Windows of the edited bars."""
        return self._windows_of(self._bars(edits))

    def rounded(self, edit: Floats) -> tuple[Floats, Float32s, Floats | None]:
        """The edit on whole ticks and shares."""
        bar = self._bars(edit[None])[0]
        tick, limits = self.rules.tick, self._limits()
        # Only what was edited is rounded: an unedited price is what was traded.
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
        """Valid bars (n, 5) of edits (n, 5)."""
        moved = np.append(self._original[:4], self._original[4] + 1) * np.exp(edits * self._scale)
        moved[:, 4] = np.maximum(moved[:, 4] - 1, 0)
        limits = self._limits()
        if limits is not None:
            moved[:, :4] = np.clip(moved[:, :4], *limits)
        return _valid(moved)

    def _edit_of(self, bar: Floats) -> Floats:
        """The inverse of `_bars`."""
        change = np.log(bar[:4] / self._original[:4])
        volume = np.log((bar[4] + 1) / (self._original[4] + 1))
        return np.asarray(np.append(change, volume) / self._scale)

    def _limits(self) -> tuple[float, float] | None:
        rules = self.rules
        if not rules.price_limit or not rules.previous_session_close:
            return None
        # An unedited bar beyond the limit (a first day, a split) is not narrowed by it.
        low = min(rules.previous_session_close * (1 - rules.price_limit), float(self._original[2]))
        high = max(rules.previous_session_close * (1 + rules.price_limit), float(self._original[1]))
        return low, high

    def _windows_of(self, bars: Floats) -> Float32s:
        """Windows (n, time, feature) whose last bar is one of `bars` (n, 5). Only the last row differs."""
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
        edited = Series(**columns, **times)
        before = features(self.spec, self.series)[-self.spec.window_bars :].astype(np.float32)
        made = np.repeat(before[None], count, axis=0)
        made[:, -1] = features(self.spec, edited.tail(self.spec.look_back + 1))[:, -1].astype(np.float32)
        return made


_NAMES = ("open", "high", "low", "close", "volume")


def _valid(bars: Floats) -> Floats:
    """Widen high and low so that they hold open and close; (n, 5)."""
    made = bars.copy()
    made[:, 1] = made[:, [0, 1, 3]].max(axis=1)
    made[:, 2] = made[:, [0, 2, 3]].min(axis=1)
    return made


def _to_tick(prices: Floats, tick: float) -> Floats:
    return np.asarray(np.round(np.maximum(np.round(prices / tick), 1) * tick, 10))


def _to_digits(prices: Floats, like: float) -> Floats:
    """Six significant digits of a price of this size."""
    return np.asarray(np.round(prices, max(0, 5 - int(np.floor(np.log10(like))))))
