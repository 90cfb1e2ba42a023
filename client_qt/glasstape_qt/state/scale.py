"""One colour scale for the maps of all symbols: the same colour is the same number, wherever it is."""

from collections import deque

from glasstape import Explanation, Method, Score

KEPT = 200
"""Maps that the scale is taken from."""

FAINTEST = 1e-8
"""A map without any larger cell shows nothing, and says nothing about the scale."""


class ColourScale:
    """The largest cell of recent maps, by model, method and score."""

    def __init__(self) -> None:
        self._peaks: dict[tuple[str, Method, Score], deque[float]] = {}

    def take(self, explanation: Explanation) -> None:
        """A map was shown."""
        heatmap = explanation.heatmap
        if heatmap is not None and float(abs(heatmap.values).max(initial=0.0)) >= FAINTEST:
            self._peaks.setdefault(_key(explanation), deque(maxlen=KEPT)).append(heatmap.full_colour)

    def full(self, explanation: Explanation) -> float:
        """What the strongest colour stands for."""
        if explanation.heatmap is None:
            return 1.0
        return max(self._peaks.get(_key(explanation), ()), default=explanation.heatmap.full_colour)


def _key(explanation: Explanation) -> tuple[str, Method, Score]:
    model = explanation.prediction.model
    return (model.digest if model is not None else "", explanation.method, explanation.score_kind)
