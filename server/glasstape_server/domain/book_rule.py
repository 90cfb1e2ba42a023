"""Which symbols a paper book holds, and how much of each."""

import math
from dataclasses import dataclass

import numpy as np

from glasstape_server.domain.arrays import Floats, Ints
from glasstape_server.domain.paper_book import Mask


@dataclass(frozen=True, kw_only=True)
class BookRule:
    """The best symbols of a close by their scores, a number of them or all from a threshold on."""

    top: int | None = None
    """Symbols that are held; each has 1 / top of the equity. None: all from the threshold on."""
    threshold: float | None = None
    """Least score of a symbol that is held."""
    keep: int | None = None
    """Rank up to which a held symbol stays, at least `top`; saves turnover. None: ranks alone decide."""
    short: bool = False
    """Whether the worst symbols are sold short likewise; each side has half of the equity then."""
    max_weight: float = 0.1
    """Largest weight of a symbol without `top`, 0-1; the weights are equal."""
    every: int = 1
    """Closes from one decision to the next."""

    def __post_init__(self) -> None:
        if self.top is None and self.threshold is None:
            raise ValueError("top, threshold: one of them must be given")
        if self.keep is not None and (self.top is None or self.keep < self.top):
            raise ValueError(f"keep: must be at least top ({self.top}), is {self.keep}")
        if not 0 < self.max_weight <= 1:
            raise ValueError(f"max_weight: must be above 0 and at most 1, is {self.max_weight:g}")
        for name, count in (("top", self.top), ("every", self.every)):
            if count is not None and count < 1:
                raise ValueError(f"{name}: must be 1 or more, is {count}")
        if self.threshold is not None and math.isnan(self.threshold):
            raise ValueError("threshold: must be a number, is NaN")

    def weights(self, scores: Floats, traded: Mask, intended: Floats) -> Floats:
        """Return the target weight of each symbol, (symbol,); NaN where there is nothing to decide.

        Nothing is decided of a symbol without trades at this close. It takes a place unless its position is to be sold.

        Args:
            scores: (symbol,); NaN: no signal at this close.
            traded: whether the symbol has a bar with trades at this close, (symbol,).
            intended: units held once all orders are filled, (symbol,).
        """
        weights = np.where(traded, 0.0, np.nan)
        scored = np.where(traded, scores, np.nan)
        self._choose(weights, scored, intended, 0.5 if self.short else 1.0)
        if self.short:
            scored = np.where(weights > 0, np.nan, scored)
            self._choose(weights, -scored, -intended, -0.5)
        return weights

    def _choose(self, weights: Floats, scores: Floats, intended: Floats, share: float) -> None:
        """Set the weights of one side, which has a share of the equity."""
        order = np.argsort(-scores, kind="stable")
        order = order[np.isfinite(scores[order])]
        if self.threshold is not None:
            order = order[scores[order] >= self.threshold]
        fixed = int((np.isnan(weights) & (intended > 0)).sum())
        if self.top is None:
            weights[order] = share * min(self.max_weight, 1 / max(1, len(order) + fixed))
        else:
            places = max(0, self.top - fixed)
            weights[self._kept_first(order, intended)[:places]] = share / self.top

    def _kept_first(self, order: Ints, intended: Floats) -> Ints:
        """Return symbols in order, those that are held and rank high enough to stay before all others."""
        stays = (intended[order] > 0) & (np.arange(len(order)) < (self.keep or 0))
        return np.concatenate([order[stays], order[~stays]])
