"""One color scale for the heat maps of all symbols: the same color is the same value on each of them."""

from collections import deque

from glasstape import Explanation, Method, Score

MAX_MAPS = 200
"""Recent maps that the scale is taken from."""

MIN_PEAK = 1e-8
"""A map without a larger cell is empty and does not affect the scale."""


class ColorScale:
    """The largest cell of recent maps, by model, method and score."""

    def __init__(self) -> None:
        self._peaks: dict[tuple[str, Method, Score], deque[float]] = {}

    def add(self, explanation: Explanation) -> None:
        """Include a map in the scale."""
        heatmap = explanation.heatmap
        if heatmap is not None and float(abs(heatmap.comparable).max(initial=0.0)) >= MIN_PEAK:
            self._peaks.setdefault(_key(explanation), deque(maxlen=MAX_MAPS)).append(heatmap.full_color)

    def full_value(self, explanation: Explanation) -> float:
        """Return the value of the strongest color for maps of this model, method and score."""
        if explanation.heatmap is None:
            return 1.0
        return max(self._peaks.get(_key(explanation), ()), default=explanation.heatmap.full_color)


def _key(explanation: Explanation) -> tuple[str, Method, Score]:
    model = explanation.model
    return (model.digest if model is not None else "", explanation.method, explanation.score_kind)
