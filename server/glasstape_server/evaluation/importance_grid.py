"""Importance as the rows of a table: a feature each, with the shares of its cells."""

from collections.abc import Sequence
from functools import cached_property

from glasstape_server.domain.statistics import IntervalEstimate
from glasstape_server.evaluation.network_importance import PartResult

_FULL = (40, 150, 60)
"""Color of the largest cell."""


class ImportanceGrid:
    """Rows and columns of one network's importance.

    Args:
        parts: features, bars and cells.
    """

    def __init__(self, parts: Sequence[PartResult]) -> None:
        self.features = [part for part in parts if part.time is None]
        self.bars = [part for part in parts if not part.feature]
        self._cells = {(part.feature, part.time): part.share for part in parts}

    @property
    def labels(self) -> list[str]:
        """Names of the bars, oldest first: "t-5" ... "t"."""
        last = len(self.bars) - 1
        return ["t" if time == last else f"t-{last - time}" for time in range(len(self.bars))]

    def cells(self, feature: str) -> list[tuple[str, str]]:
        """Return text and style of the cells of a feature, oldest bar first."""
        return [self._cell(self._cells[feature, time]) for time in range(len(self.bars))]

    @cached_property
    def _peak(self) -> float:
        return max(
            (
                share.value
                for (feature, time), share in self._cells.items()
                if feature and time is not None and share
            ),
            default=0.0,
        )

    def _cell(self, share: IntervalEstimate | None) -> tuple[str, str]:
        if share is None or not self._peak:
            return "–", ""
        strength = share.value / self._peak
        red, green, blue = (round(255 + (channel - 255) * strength) for channel in _FULL)
        text = "#fff" if strength > 0.6 else "#1b1b1b"
        return f"{share.value:.1%}", f"background: rgb({red}, {green}, {blue}); color: {text}"
