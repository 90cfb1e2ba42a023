"""What every method takes and gives, and the one forward-and-gradient that they share."""

from collections.abc import Callable
from dataclasses import dataclass
from enum import IntEnum
from typing import Protocol

import torch
from torch import Tensor

from glasstape_server.explain.scores import FrozenScore, Question

Network = Callable[[Tensor], Tensor]
"""Windows (batch, time, feature) -> logits (batch, 3), in eval mode with frozen parameters."""


class MethodName(IntEnum):
    """Every method of the contract. Values as on the wire."""

    GRADIENT = 1
    GRADIENT_X_INPUT = 2
    SMOOTHGRAD = 3
    INTEGRATED_GRADIENTS = 4
    EXPECTED_GRADIENTS = 5
    OCCLUSION = 6
    SHAPLEY_BARS = 7
    SHAPLEY_FEATURES = 8
    GRAD_CAM = 9
    GRAD_CAM_X_GRADIENT = 10
    ATTENTION = 11
    ATTENTION_X_GRADIENT = 12
    COUNTERFACTUAL = 13


class Quantity(IntEnum):
    """What the numbers of a map are. Values as on the wire."""

    SENSITIVITY = 1
    CONTRIBUTION = 2
    EFFECT = 3
    RELEVANCE = 4
    CHANGE = 5


class BaselineKind(IntEnum):
    """Reference inputs. Values as on the wire."""

    MEAN = 1
    ZERO = 2


@dataclass(frozen=True, slots=True)
class Request:
    """How a batch is to be explained. Equal requests may share a batch."""

    method: MethodName
    question: Question
    baseline: BaselineKind | None = None
    """None: the method's own."""
    samples: int = 0
    """Steps of a path method; 0: as many as completeness needs."""
    seed: int = 0


@dataclass(frozen=True, slots=True)
class Attribution:
    """A batch of maps with the forward pass that they belong to."""

    logits: Tensor  # (batch, 3) of the unperturbed rows
    values: Tensor  # (batch, time, feature)
    frozen: FrozenScore
    score: Tensor  # (batch,)
    baseline_score: Tensor | None = None  # (batch,)
    completeness_error: Tensor | None = None  # (batch,)
    samples: Tensor | None = None  # (batch,) steps taken


class Method(Protocol):
    """One way to explain. Stateless."""

    quantity: Quantity
    default_baseline: BaselineKind | None
    """None: the method has no baseline."""

    def passes(self, samples: int, cells: int) -> int:
        """Rows that the device computes for one explained row of `cells` cells."""
        ...

    def attribute(self, network: Network, windows: Tensor, baseline: Tensor, request: Request) -> Attribution:
        """Explain a batch.

        Args:
            network: see `Network`.
            windows: (batch, time, feature).
            baseline: (time, feature); ignored by methods without one.
            request: score, target, foil, steps.
        """
        ...


def forward_and_gradient(
    network: Network, windows: Tensor, question: Question
) -> tuple[Tensor, FrozenScore, Tensor, Tensor]:
    """One forward and one backward for the whole batch, each row with its own target.

    Rows do not interact in eval mode, so the gradient of the summed scores stacks the rows' gradients.

    Returns:
        logits (batch, 3), the frozen score, scores (batch,), d score / d input (batch, time, feature).
    """
    leaf = windows.detach().clone().requires_grad_(True)
    with torch.enable_grad():
        logits = network(leaf)
        frozen = question.freeze(logits)
        score = frozen.of(logits)
        (gradient,) = torch.autograd.grad(score.sum(), leaf)
    return logits.detach(), frozen, score.detach(), gradient


def gradient_at(network: Network, points: Tensor, frozen: FrozenScore, repeat: int) -> Tensor:
    """d score / d input at points (batch x repeat, time, feature) of rows frozen before."""
    leaf = points.detach().requires_grad_(True)
    with torch.enable_grad():
        score = frozen.of(network(leaf), repeat)
        (gradient,) = torch.autograd.grad(score.sum(), leaf)
    return gradient
