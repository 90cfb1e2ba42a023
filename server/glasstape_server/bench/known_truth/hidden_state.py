"""Sets in which a hidden Markov state selects the salient feature.

Implemented from the formulas of Tonekaboni, Joshi, Campbell, Duvenaud and Goldenberg (2020), "What went wrong and when?
Instance-wise feature importance for time-series black-box models", section 4 and appendix ("State", "Switch-Feature").
"""

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from glasstape_server.bench.known_truth.labels import LabelRule
from glasstape_server.bench.known_truth.truth_set import KnownTruth, Random
from glasstape_server.domain.arrays import Float32s, Floats, Ints


@dataclass(frozen=True, slots=True)
class Chain:
    """Hidden Markov chain with its emissions: the first features have a mean that depends on the state."""

    change: Floats
    """Probability of state j after state i, (i, j). The first state is uniform."""
    means: Floats
    """Mean of each feature in each state, (state, feature'), of the first feature' features."""
    salient: tuple[int, ...]
    """Feature that each state selects."""
    deviation: float
    """Standard deviation around the mean."""
    correlation: float = 0.0
    """Correlation of two successive bars' deviations: a Gaussian process with an exponential kernel."""

    @property
    def states(self) -> int:
        """Number of states."""
        return len(self.change)

    def draw_states(self, n: int, steps: int, random: Random) -> Ints:
        """Return the states of each bar, (n, time)."""
        states = np.empty((n, steps), dtype=np.int64)
        states[:, 0] = random.integers(0, self.states, n)
        upper = self.change.cumsum(axis=1)[:, :-1]
        for time in range(1, steps):
            states[:, time] = (random.random(n)[:, None] > upper[states[:, time - 1]]).sum(axis=1)
        return states

    def emit(self, noise: Float32s, states: Ints) -> None:
        """Turn the first features of independent noise (n, time, feature), deviation 1, into emissions, in place."""
        part = noise[:, :, : self.means.shape[1]]
        fresh = np.sqrt(1 - self.correlation**2)
        for time in range(1, noise.shape[1]):
            part[:, time] = self.correlation * part[:, time - 1] + fresh * part[:, time]
        part *= self.deviation
        part += self.means[states]


@dataclass(frozen=True, slots=True)
class HiddenState:
    """Windows in which a hidden state selects, in each of the last bars, the feature that carries the class.

    Salient: the selected feature in each of the last `bars` bars. The other features that reveal the state, and the
    bars before, are not counted as salient, as in the paper: they tell where the class is, not which it is.
    """

    steps: int
    features: int
    chain: Chain
    bars: int
    """Last bars that carry the class."""
    rule: LabelRule

    def draw(self, n: int, random: Random) -> KnownTruth:
        """Return windows; see `TruthSet.draw`."""
        windows = random.standard_normal((n, self.steps, self.features), dtype=np.float32)
        states = self.chain.draw_states(n, self.steps, random)
        self.chain.emit(windows, states)
        rows = np.arange(n)[:, None]
        times = np.arange(self.steps - self.bars, self.steps)
        state = states[:, times]
        selected = np.array(self.chain.salient)[state]
        residuals = windows[rows, times, selected] - self.chain.means[state, selected]
        labels, shift = self.rule.draw(residuals, random)
        windows[rows, times, selected] += shift
        cells = np.zeros(windows.shape, dtype=bool)
        cells[rows, times, selected] = True
        return KnownTruth(windows, labels, cells)

    def posterior(self) -> nn.Module:
        """Return the Bayes-optimal classifier; see `TruthSet.posterior`."""
        return HiddenStatePosterior(self.chain, self.bars, self.rule)


class HiddenStatePosterior(nn.Module):
    """Bayes-optimal classifier of `HiddenState`.

    The forward algorithm (Rabiner 1989, "A tutorial on hidden Markov models", eq. 19-20) filters the state up to the
    last `bars` bars; there the likelihood is summed over all paths of states.
    """

    def __init__(self, chain: Chain, bars: int, rule: LabelRule) -> None:
        super().__init__()
        self._chain, self._bars, self._rule = chain, bars, rule
        self._paths = torch.cartesian_prod(*[torch.arange(chain.states)] * bars).view(-1, bars)
        self._salient = torch.tensor(chain.salient)

    def forward(self, windows: Tensor) -> Tensor:
        """Compute log probabilities (batch, 3), up to a constant of each row, of windows (batch, time, feature)."""
        means, change = (self._tensor(part, windows) for part in (self._chain.means, self._chain.change))
        residuals = windows[:, :, None, : means.shape[1]] - means  # (batch, time, state, feature')
        moves = self._moves(residuals, change.log())
        first = windows.shape[1] - self._bars
        # The first state is uniform; its density is that of a bar without a predecessor.
        state = -(residuals[:, 0] ** 2).sum(dim=2) / (2 * self._chain.deviation**2)
        for time in range(1, first + 1):
            state = torch.logsumexp(state[:, :, None] + moves[:, time - 1], 1)
        weights = state[:, self._paths[:, 0]]  # (batch, path)
        for step in range(1, self._bars):
            weights = weights + moves[:, first + step - 1, self._paths[:, step - 1], self._paths[:, step]]
        last = torch.arange(first, windows.shape[1])
        on_path = residuals[:, last, self._paths, self._salient[self._paths]]  # (batch, path, bar)
        return torch.logsumexp(weights[:, :, None] + self._rule.log_weights(on_path), 1)

    def _moves(self, residuals: Tensor, log_change: Tensor) -> Tensor:
        """Return the log density of each move between successive bars, up to a constant, (batch, time - 1, i, j)."""
        innovation = residuals[:, 1:, None, :] - self._chain.correlation * residuals[:, :-1, :, None]
        variance = self._chain.deviation**2 * (1 - self._chain.correlation**2)
        return log_change - (innovation**2).sum(dim=4) / (2 * variance)

    @staticmethod
    def _tensor(values: NDArray[np.float64], like: Tensor) -> Tensor:
        return torch.from_numpy(values).to(like.dtype)
