"""The number that is explained: a difference of logits, one logit, or a log probability.

Target and foil are fixed from the unperturbed rows, once: a path or a perturbation may change the
winner and must not change the question.
"""

from dataclasses import dataclass
from enum import IntEnum

import torch
from torch import Tensor

from glasstape_server.domain.errors import InvalidArgument
from glasstape_server.domain.values import Direction


class Score(IntEnum):
    """Kinds of scores. Values as on the wire."""

    MARGIN = 1
    LOGIT = 2
    LOG_PROBABILITY = 3
    UP_MINUS_DOWN = 4


@dataclass(frozen=True, slots=True)
class Question:
    """What is asked of every row of a batch."""

    score: Score = Score.MARGIN
    target: Direction | None = None
    """None: each row's own winner."""
    foil: Direction | None = None
    """None: each row's highest other class. Only for MARGIN."""

    def __post_init__(self) -> None:
        if self.score is Score.UP_MINUS_DOWN and self.target is not None:
            raise InvalidArgument.field("target", "must be unset with SCORE_UP_MINUS_DOWN")
        if self.score is not Score.MARGIN and self.foil is not None:
            raise InvalidArgument.field(
                "foil", f"only SCORE_MARGIN takes a foil, score is SCORE_{self.score.name}"
            )
        if self.foil is not None and self.foil == self.target:
            raise InvalidArgument.field("foil", f"must differ from target, both are {self.foil.name}")

    def freeze(self, logits: Tensor) -> "FrozenScore":
        """Fix target and foil of each row from its logits, (batch, 3)."""
        logits = logits.detach()
        if self.score is Score.UP_MINUS_DOWN:
            target = self._everywhere(logits, Direction.UP)
            foil: Tensor | None = self._everywhere(logits, Direction.DOWN)
        else:
            target = self._target(logits)
            foil = self._foil(logits, target) if self.score is Score.MARGIN else None
        weights = torch.zeros_like(logits).scatter_(1, target[:, None], 1.0)
        if foil is not None:
            weights.scatter_(1, foil[:, None], -1.0)
        return FrozenScore(weights, target, foil, self.score is Score.LOG_PROBABILITY)

    def on(self, logits: Tensor) -> tuple[Tensor, ...]:
        """Slope, weights, target and, where there is one, foil: see `models.graphed.Head`."""
        frozen = self.freeze(logits)
        answer = (frozen.slope(logits), frozen.weights, frozen.target)
        return answer if frozen.foil is None else (*answer, frozen.foil)

    def frozen(self, weights: Tensor, target: Tensor, foil: Tensor | None = None) -> "FrozenScore":
        """What `freeze` gave, from the answer of `on`."""
        return FrozenScore(weights, target, foil, self.score is Score.LOG_PROBABILITY)

    @staticmethod
    def _everywhere(logits: Tensor, direction: Direction) -> Tensor:
        return torch.full((len(logits),), int(direction), device=logits.device)

    def _target(self, logits: Tensor) -> Tensor:
        if self.target is not None:
            return self._everywhere(logits, self.target)
        if self.foil is not None:
            logits = logits.scatter(1, self._everywhere(logits, self.foil)[:, None], -torch.inf)
        return logits.argmax(1)

    def _foil(self, logits: Tensor, target: Tensor) -> Tensor:
        if self.foil is not None:
            return torch.full_like(target, int(self.foil))
        return logits.scatter(1, target[:, None], -torch.inf).argmax(1)


OF_THE_WINNER = tuple(Question(score) for score in Score)
"""The questions about each row's own winner, one of each kind."""


@dataclass(frozen=True, slots=True)
class FrozenScore:
    """A score whose target and foil no longer move: linear in the (log-softmax of the) logits."""

    weights: Tensor  # (batch, 3)
    target: Tensor  # (batch,) class index
    foil: Tensor | None  # (batch,) class index
    log_probability: bool

    def of(self, logits: Tensor, repeat: int = 1) -> Tensor:
        """Scores, (batch x repeat,), of logits whose rows follow each other `repeat` times."""
        if self.log_probability:
            logits = torch.log_softmax(logits, 1)
        return (logits * self._repeated(repeat)).sum(1)

    def slope(self, logits: Tensor, repeat: int = 1) -> Tensor:
        """d score / d logits, of the same shape: where a backward pass starts."""
        weights = self._repeated(repeat)
        return weights - torch.softmax(logits.detach(), 1) if self.log_probability else weights

    def _repeated(self, repeat: int) -> Tensor:
        return self.weights if repeat == 1 else self.weights.repeat_interleave(repeat, 0)

    def rows(self, index: Tensor | slice) -> "FrozenScore":
        """The score of some of the rows."""
        foil = None if self.foil is None else self.foil[index]
        return FrozenScore(self.weights[index], self.target[index], foil, self.log_probability)
