"""Scores to explain: a difference of logits, one logit, or a log probability.

Target and foil are fixed once, from the unperturbed rows, so that they stay the same along a path or a perturbation
that changes the predicted class.
"""

from dataclasses import dataclass
from enum import IntEnum

import torch
from torch import Tensor

from glasstape_server.domain.errors import InvalidArgument
from glasstape_server.domain.signals import Direction


class Score(IntEnum):
    """Kinds of scores. Values as on the wire."""

    MARGIN = 1
    LOGIT = 2
    LOG_PROBABILITY = 3
    UP_MINUS_DOWN = 4


@dataclass(frozen=True, slots=True)
class ScoreSpec:
    """Score to explain, for every row of a batch. Implements `graphed_scorer.ScoreHead`."""

    score: Score = Score.MARGIN
    target: Direction | None = None
    """None selects each row's predicted class."""
    foil: Direction | None = None
    """None selects each row's highest other class. Only for MARGIN."""

    def __post_init__(self) -> None:
        if self.score is Score.UP_MINUS_DOWN and self.target is not None:
            raise InvalidArgument.field("target", "must be unset with SCORE_UP_MINUS_DOWN")
        if self.score is not Score.MARGIN and self.foil is not None:
            raise InvalidArgument.field(
                "foil", f"must be unset unless score is SCORE_MARGIN, score is SCORE_{self.score.name}"
            )
        if self.foil is not None and self.foil == self.target:
            raise InvalidArgument.field("foil", f"must differ from target, both are {self.foil.name}")

    def freeze(self, logits: Tensor) -> "FrozenScore":
        """Fix target and foil of each row from its logits (batch, 3)."""
        logits = logits.detach()
        if self.score is Score.UP_MINUS_DOWN:
            target = self._filled(logits, Direction.UP)
            foil: Tensor | None = self._filled(logits, Direction.DOWN)
        else:
            target = self._target(logits)
            foil = self._foil(logits, target) if self.score is Score.MARGIN else None
        weights = torch.zeros_like(logits).scatter_(1, target[:, None], 1.0)
        if foil is not None:
            weights.scatter_(1, foil[:, None], -1.0)
        return FrozenScore(weights, target, foil, self.score is Score.LOG_PROBABILITY)

    def slope_and_state(self, logits: Tensor) -> tuple[Tensor, ...]:
        """Return d score / d logits (batch, 3), and the arguments of `restore`, for logits (batch, 3)."""
        frozen = self.freeze(logits)
        state = (frozen.slope(logits), frozen.weights, frozen.target)
        return state if frozen.foil is None else (*state, frozen.foil)

    def restore(self, weights: Tensor, target: Tensor, foil: Tensor | None = None) -> "FrozenScore":
        """Return the result of `freeze` from the state of `slope_and_state`.

        Args:
            weights: (batch, 3).
            target: class index, (batch,).
            foil: class index, (batch,).
        """
        return FrozenScore(weights, target, foil, self.score is Score.LOG_PROBABILITY)

    @staticmethod
    def _filled(logits: Tensor, direction: Direction) -> Tensor:
        return torch.full((len(logits),), int(direction), device=logits.device)

    def _target(self, logits: Tensor) -> Tensor:
        if self.target is not None:
            return self._filled(logits, self.target)
        if self.foil is not None:
            logits = logits.scatter(1, self._filled(logits, self.foil)[:, None], -torch.inf)
        return logits.argmax(1)

    def _foil(self, logits: Tensor, target: Tensor) -> Tensor:
        if self.foil is not None:
            return torch.full_like(target, int(self.foil))
        return logits.scatter(1, target[:, None], -torch.inf).argmax(1)


PREDICTED_CLASS_SCORES = tuple(ScoreSpec(score) for score in Score)
"""Scores of each row's predicted class, one of each kind."""


@dataclass(frozen=True, slots=True)
class FrozenScore:
    """Score with fixed target and foil: linear in the logits, or in their log-softmax."""

    weights: Tensor
    """(batch, 3)."""
    target: Tensor
    """Class index, (batch,)."""
    foil: Tensor | None
    """Class index, (batch,); None for scores without a foil."""
    log_probability: bool
    """Whether the score is linear in the log-softmax."""

    def of(self, logits: Tensor, repeat: int = 1) -> Tensor:
        """Return the scores, (batch x repeat,).

        Args:
            logits: (batch x repeat, 3), `repeat` successive ones of each row.
            repeat: logits per row.
        """
        if self.log_probability:
            logits = torch.log_softmax(logits, 1)
        return (logits * self._repeated(repeat)).sum(1)

    def slope(self, logits: Tensor, repeat: int = 1) -> Tensor:
        """Return d score / d logits (batch x repeat, 3) for logits of that shape; arguments as of `of`."""
        weights = self._repeated(repeat)
        return weights - torch.softmax(logits.detach(), 1) if self.log_probability else weights

    def _repeated(self, repeat: int) -> Tensor:
        return self.weights if repeat == 1 else self.weights.repeat_interleave(repeat, 0)

    def linear(self, logits: Tensor) -> "FrozenScore":
        """Return this score; of a log probability, the margin of its target over the highest other class.

        A log probability near 0 hardly changes, whatever is changed a little, so that its changes do not compare.

        Args:
            logits: of the rows, (batch, 3).
        """
        if not self.log_probability:
            return self
        foil = logits.scatter(1, self.target[:, None], -torch.inf).argmax(1)
        return FrozenScore(self.weights.scatter(1, foil[:, None], -1.0), self.target, foil, False)

    def rows(self, index: Tensor | slice) -> "FrozenScore":
        """Return the score of some of the rows: a slice, or their indices (n,)."""
        foil = None if self.foil is None else self.foil[index]
        return FrozenScore(self.weights[index], self.target[index], foil, self.log_probability)
