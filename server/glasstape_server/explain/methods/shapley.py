"""Exact Shapley values of whole bars, or of whole features, over all coalitions.

Shapley (1953), "A value for n-person games"; as an attribution: Lundberg and Lee (2017), "A unified approach to
interpreting model predictions", eq. 4. The 2^6 coalitions of bars and 2^8 of features need no sampling, so that the
values sum exactly to score minus baseline score.
"""

from functools import cache
from math import comb

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from glasstape_server.domain.arrays import Floats, Ints
from glasstape_server.explain.method import (
    Attribution,
    BaselineKind,
    Network,
    Quantity,
    Request,
    Rows,
    Shape,
    chunks,
)
from glasstape_server.explain.scores import Score

MAX_PLAYERS = 12
"""Largest number of bars or features: 4,096 coalitions."""


class Shapley:
    """Contribution of each bar (or feature) to the score, averaged over all orders of joining the coalition."""

    quantity = Quantity.CONTRIBUTION
    default_score = Score.MARGIN
    default_baseline: BaselineKind | None = BaselineKind.MEAN
    max_samples = 0

    def __init__(self, axis: int) -> None:
        self.axis = axis
        """Axis of the players: 0 for bars, 1 for features."""

    def serves(self, network: object, shape: Shape) -> bool:
        """Return whether windows of this shape have at most `MAX_PLAYERS` players."""
        return shape[self.axis] <= MAX_PLAYERS

    def passes(self, samples: int, shape: Shape) -> int:
        """One forward pass per coalition."""
        return int(2 ** shape[self.axis])

    @torch.no_grad()
    def attribute(self, network: Network, rows: Rows, request: Request) -> Attribution:
        """See `Method.attribute`. Values are spread evenly over the cells of each player."""
        logits = network(rows.windows)
        frozen = request.score_spec.freeze(logits)
        players = rows.shape[self.axis]
        joined, without, weights = (torch.tensor(part) for part in _coalitions(players))
        inside = joined[:, :, None] if self.axis == 0 else joined[:, None, :]
        values = torch.empty_like(rows.windows)
        start, score = torch.empty(len(rows)), torch.empty(len(rows))
        for part in chunks(len(rows), len(joined)):
            mixed = torch.where(inside, rows.windows[part][:, None], rows.baseline[part][:, None])
            value = frozen.rows(part).of(network(mixed.flatten(0, 1)), len(joined)).view(-1, len(joined))
            start[part], score[part] = value[:, 0], value[:, -1]
            value = value.double()
            # Differences before sums, so that a player without effect gets exactly 0.
            gain = value[:, without + (1 << torch.arange(players))[:, None]] - value[:, without]
            values[part] = self._spread((gain * weights).sum(2), rows.shape).to(values.dtype)
        error = (values.sum((1, 2)) - (score - start)).abs()
        native = (rows.shape[0], 1) if self.axis == 0 else (1, rows.shape[1])
        return Attribution(logits, values, frozen, score, start, error, native_shape=native)

    def _spread(self, of_players: Tensor, shape: Shape) -> Tensor:
        """Spread values (batch, player) over cells (batch, time, feature), keeping the sums."""
        if self.axis == 0:
            return of_players[:, :, None].expand(-1, -1, shape[1]) / shape[1]
        return of_players[:, None, :].expand(-1, shape[0], -1) / shape[0]


@cache
def _coalitions(players: int) -> tuple[NDArray[np.bool_], Ints, Floats]:
    """Return all coalitions, and for each player those without it and their weights.

    Returns:
        Members of each coalition, (2^n, n), numbered by its bits; numbers of the coalitions without each player,
        (n, 2^(n-1)); weights of its joining them, (n, 2^(n-1)).
    """
    joined = (np.arange(2**players)[:, None] >> np.arange(players)) & 1 == 1
    without = np.stack([np.flatnonzero(~joined[:, player]) for player in range(players)])
    of_size = np.array([1 / (players * comb(players - 1, size)) for size in range(players)])
    return joined, without, of_size[joined.sum(axis=1)[without]]
