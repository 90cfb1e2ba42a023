"""What every method takes and gives, and the one forward-and-gradient that they share."""

from collections.abc import Callable
from dataclasses import dataclass, field
from enum import IntEnum
from typing import Protocol

import torch
from torch import Tensor
from torch.nn import functional

from glasstape_server.explain.scores import FrozenScore, Question
from glasstape_server.models.runtime.compiled import Compiled, Pullback
from glasstape_server.models.runtime.cuda_graph import Graphed
from glasstape_server.models.scorer import Scorer

Network = Callable[[Tensor], Tensor]
"""Windows (batch, time, feature) -> logits (batch, 3), in eval mode with frozen parameters."""
Shape = tuple[int, int]
"""(time, feature)."""
PASSES_AT_ONCE = 4096
"""Rows of one device run: enough to fill the cores, few enough for the cache, and what a more urgent lane waits for."""


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
    PREVIOUS = 3
    CUSTOM = 4
    BACKGROUND = 5

    @property
    def from_caller(self) -> bool:
        """Whether each row brings its own baseline along."""
        return self in (BaselineKind.PREVIOUS, BaselineKind.CUSTOM)


@dataclass(frozen=True, slots=True)
class Request:
    """How a batch is to be explained. Equal requests may share a batch."""

    method: MethodName
    question: Question
    baseline: BaselineKind | None = None
    """None: the method's own."""
    samples: int = 0
    """Steps or draws of a method that takes several; 0: its own number."""
    seed: int = 0
    background: bytes = b""
    """Background windows of the caller's own, float32 (n, time, feature); empty: the model's."""
    checked: bool = False
    """Whether the map is to be held against other methods (quality FULL)."""


@dataclass(frozen=True, slots=True)
class Rows:
    """A batch to explain."""

    windows: Tensor  # (batch, time, feature)
    baseline: Tensor  # (batch, time, feature); unused by methods without a baseline
    deviation: Tensor  # (feature,) size of an ordinary change of each feature
    background: Tensor = field(default_factory=lambda: torch.zeros(0))  # (n, time, feature)

    def __len__(self) -> int:
        return len(self.windows)

    @property
    def shape(self) -> Shape:
        """(time, feature) of a window."""
        return self.windows.shape[1], self.windows.shape[2]


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
    sign_stability: Tensor | None = None  # (batch, time, feature) share of draws with the map's sign
    native_shape: Shape | None = None
    """The resolution at which the method really spoke; None: every cell."""


class Method(Protocol):
    """One way to explain. Stateless."""

    @property
    def quantity(self) -> Quantity:
        """What its numbers are."""
        ...

    @property
    def default_baseline(self) -> BaselineKind | None:
        """None: the method has no baseline."""
        ...

    @property
    def max_samples(self) -> int:
        """Largest `samples`; 0: the method takes none."""
        ...

    def serves(self, network: object, shape: Shape) -> bool:
        """Whether it can explain a network of these windows."""
        ...

    def passes(self, samples: int, shape: Shape) -> int:
        """Rows that the device usually computes for one explained row (of each background window)."""
        ...

    def attribute(self, network: Network, rows: Rows, request: Request) -> Attribution:
        """Explain a batch, each row with its own target."""
        ...


class Everywhere:
    """The common case: a method for any network, without a baseline, that draws no samples."""

    default_baseline: BaselineKind | None = None
    max_samples = 0

    def serves(self, network: object, shape: Shape) -> bool:
        """Any network."""
        return True


def scorer_of(network: object) -> Scorer:
    """The network as one that can show its activations.

    Raises:
        TypeError: it is a bare function of windows.
    """
    if isinstance(network, Compiled | Graphed):
        return network.scorer
    if not isinstance(network, Scorer):
        raise TypeError(f"{type(network).__name__} shows no activations")
    return network


def forward_and_gradient(
    network: Network, windows: Tensor, question: Question
) -> tuple[Tensor, FrozenScore, Tensor, Tensor]:
    """One forward and one backward for the whole batch, each row with its own target.

    Rows do not interact in eval mode, so one backward from all rows' scores stacks their gradients.

    Returns:
        logits (batch, 3), the frozen score, scores (batch,), d score / d input (batch, time, feature).
    """
    if isinstance(network, Graphed) and network.answers(question):
        logits, gradient, answer = network.both(windows, question)
        frozen = question.frozen(*answer)
        return logits, frozen, frozen.of(logits), gradient
    logits, pullback = pull(network, windows)
    frozen = question.freeze(logits)
    return logits, frozen, frozen.of(logits), pullback(frozen.slope(logits))


def gradient_at(network: Network, points: Tensor, frozen: FrozenScore, repeat: int) -> Tensor:
    """d score / d input at points (batch x repeat, time, feature) of rows frozen before."""
    logits, pullback = pull(network, points)
    return pullback(frozen.slope(logits, repeat))


def pull(network: Network, windows: Tensor) -> tuple[Tensor, Pullback]:
    """Logits, and what takes a slope at the logits back to the windows, once."""
    if isinstance(network, Compiled | Graphed):
        return network.pull(windows)
    leaf = windows.detach().requires_grad_(True)
    with torch.enable_grad():
        logits = network(leaf)
    return logits.detach(), lambda slope: torch.autograd.grad(logits, leaf, slope)[0]


def upsampled(coarse: Tensor, shape: Shape) -> Tensor:
    """Nearest-neighbour upsampling of (batch, time', feature') to (batch, *shape)."""
    if coarse.shape[1:] == shape:
        return coarse
    return functional.interpolate(coarse[:, None], shape, mode="nearest")[:, 0]


def chunks(rows: int, passes: int) -> list[slice]:
    """Rows in pieces of about `PASSES_AT_ONCE` passes."""
    size = max(1, PASSES_AT_ONCE // passes)
    return [slice(first, min(first + size, rows)) for first in range(0, rows, size)]
