"""Inputs and results of explanation methods, and the forward and backward passes they share."""

from collections.abc import Callable
from dataclasses import dataclass, field
from enum import IntEnum
from typing import Protocol

import torch
from torch import Tensor
from torch.nn import functional

from glasstape_server.explain.scores import FrozenScore, Score, ScoreSpec
from glasstape_server.models.runtime.compiled_scorer import CompiledScorer, Pullback
from glasstape_server.models.runtime.graphed_scorer import GraphedScorer
from glasstape_server.models.scorer import Scorer

Network = Callable[[Tensor], Tensor]
"""Windows (batch, time, feature) -> logits (batch, 3), in eval mode with frozen parameters."""
Shape = tuple[int, int]
"""(time, feature)."""
PASSES_AT_ONCE = 4096
"""Rows computed at once: enough to occupy the cores, few enough to fit the cache."""


class MethodName(IntEnum):
    """Explanation methods. Values as on the wire."""

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
    SCALED_GRADIENT = 14
    SCALED_PATH_GRADIENT = 15
    TREE_SHAP = 16


class Quantity(IntEnum):
    """Meaning of the values of a map. Values as on the wire."""

    SENSITIVITY = 1
    CONTRIBUTION = 2
    EFFECT = 3
    RELEVANCE = 4
    CHANGE = 5
    IMPORTANCE = 6


class BaselineKind(IntEnum):
    """Baseline inputs. Values as on the wire."""

    MEAN = 1
    ZERO = 2
    PREVIOUS = 3
    CUSTOM = 4
    BACKGROUND = 5

    @property
    def from_caller(self) -> bool:
        """Whether each row has a baseline of its own."""
        return self in (BaselineKind.PREVIOUS, BaselineKind.CUSTOM)


@dataclass(frozen=True, slots=True)
class Request:
    """Parameters of an explanation. Equal requests may share a batch."""

    method: MethodName
    score_spec: ScoreSpec
    baseline: BaselineKind | None = None
    """None selects the method's default."""
    samples: int = 0
    """Steps or draws of a sampling method; 0 selects its default."""
    seed: int = 0
    background: bytes = b""
    """Background windows (n, time, feature), float32; empty selects the model's."""
    checked: bool = False
    """Whether to compare the map with other methods (quality FULL)."""
    by_default: bool = field(default=False, compare=False)
    """Whether the caller named no method: a model that does not serve this one has another (`defaults.resolved`)."""


@dataclass(frozen=True, slots=True)
class Rows:
    """A batch to explain."""

    windows: Tensor
    """(batch, time, feature)."""
    baseline: Tensor
    """(batch, time, feature); ignored by methods without a baseline."""
    deviation: Tensor
    """Standard deviation of each feature, (feature,)."""
    background: Tensor = field(default_factory=lambda: torch.zeros(0))
    """Background windows, (n, time, feature)."""

    def __len__(self) -> int:
        return len(self.windows)

    @property
    def shape(self) -> Shape:
        """(time, feature) of a window."""
        return self.windows.shape[1], self.windows.shape[2]


@dataclass(frozen=True, slots=True)
class Attribution:
    """Maps of a batch, with the forward pass they belong to."""

    logits: Tensor
    """Of the unperturbed rows, (batch, 3)."""
    values: Tensor
    """The maps, (batch, time, feature)."""
    frozen: FrozenScore
    score: Tensor
    """(batch,)."""
    baseline_score: Tensor | None = None
    """(batch,); None for methods without a baseline score."""
    completeness_error: Tensor | None = None
    """|sum of cells - (score - baseline score)|, (batch,); None for methods that are not complete."""
    samples: Tensor | None = None
    """Steps or draws taken, (batch,); None for methods that take none."""
    sign_stability: Tensor | None = None
    """Share of draws with the map's sign, 0-1, (batch, time, feature)."""
    native_shape: Shape | None = None
    """Resolution of the method before upsampling; None: that of the window."""


class Method(Protocol):
    """Explanation method. Stateless."""

    @property
    def quantity(self) -> Quantity:
        """Meaning of its values."""
        ...

    @property
    def default_score(self) -> Score:
        """Score that a request explains if it states none."""
        ...

    @property
    def default_baseline(self) -> BaselineKind | None:
        """None for methods without a baseline."""
        ...

    @property
    def max_samples(self) -> int:
        """Largest `samples`; 0 for methods that take none."""
        ...

    def serves(self, network: object, shape: Shape) -> bool:
        """Return whether it can explain a network of windows of this shape."""
        ...

    def passes(self, samples: int, shape: Shape) -> int:
        """Return the rows that the device computes per explained row, and per background window if it uses them."""
        ...

    def attribute(self, network: Network, rows: Rows, request: Request) -> Attribution:
        """Explain a batch, each row with its own target."""
        ...


class AnyNetworkMethod:
    """Base of methods that explain any network: the margin, without a baseline and without samples."""

    default_score = Score.MARGIN
    default_baseline: BaselineKind | None = None
    max_samples = 0

    def serves(self, network: object, shape: Shape) -> bool:
        """Return True."""
        return True


class GradientMethod(AnyNetworkMethod):
    """Base of methods that differentiate the network: not trees, which are piecewise constant."""

    def serves(self, network: object, shape: Shape) -> bool:
        """Return whether gradients describe the network."""
        return is_differentiable(network)


def is_differentiable(network: object) -> bool:
    """Return whether gradients describe a network; True of a plain function of windows."""
    return not isinstance(network, Scorer) or network.differentiable


def scorer_of(network: object) -> Scorer:
    """Return the scorer of a network, which exposes its activations.

    Raises:
        TypeError: the network is a plain function of windows.
    """
    if isinstance(network, CompiledScorer | GraphedScorer):
        return network.scorer
    if not isinstance(network, Scorer):
        raise TypeError(f"{type(network).__name__} does not expose activations")
    return network


def forward_and_gradient(
    network: Network, windows: Tensor, score_spec: ScoreSpec
) -> tuple[Tensor, FrozenScore, Tensor, Tensor]:
    """Run one forward and one backward pass for a batch, each row with its own target.

    Rows do not interact in eval mode, so one backward pass from all scores gives the gradient of each row.

    Args:
        network: to differentiate.
        windows: (batch, time, feature).
        score_spec: which score.

    Returns:
        logits (batch, 3), the frozen score, scores (batch,), d score / d input (batch, time, feature).
    """
    if isinstance(network, GraphedScorer) and network.has_head(score_spec):
        logits, gradient, state = network.forward_and_gradient(windows, score_spec)
        frozen = score_spec.restore(*state)
        return logits, frozen, frozen.of(logits), gradient
    if windows.shape[0] <= rows_at_once(network):
        logits, pullback = vjp(network, windows)
        frozen = score_spec.freeze(logits)
        return logits, frozen, frozen.of(logits), pullback(frozen.slope(logits))
    blocks = torch.split(windows, rows_at_once(network))
    # Both passes of one block after the other: its residuals are still in the cache.
    logits, gradient = (
        torch.cat(parts)
        for parts in zip(
            *(forward_and_gradient(network, block, score_spec)[::3] for block in blocks), strict=True
        )
    )
    frozen = score_spec.freeze(logits)
    return logits, frozen, frozen.of(logits), gradient


def gradient_at(network: Network, points: Tensor, frozen: FrozenScore, repeat: int) -> Tensor:
    """Return d score / d input at several points of each row, (batch x repeat, time, feature).

    Args:
        network: to differentiate.
        points: `repeat` successive points of each row, (batch x repeat, time, feature).
        frozen: score of the rows, (batch).
        repeat: points per row.
    """
    logits, pullback = vjp(network, points)
    return pullback(frozen.slope(logits, repeat))


def vjp(network: Network, windows: Tensor) -> tuple[Tensor, Pullback]:
    """Return the logits (batch, 3) of windows (batch, time, feature), and their pullback, to be called once."""
    if isinstance(network, CompiledScorer | GraphedScorer):
        return network.vjp(windows)
    leaf = windows.detach().requires_grad_(True)
    with torch.enable_grad():
        logits = network(leaf)
    return logits.detach(), lambda slope: torch.autograd.grad(logits, leaf, slope)[0]


def upsampled(coarse: Tensor, shape: Shape) -> Tensor:
    """Return maps (batch, time', feature') at the resolution `shape`, by nearest-neighbor upsampling."""
    if coarse.shape[1:] == shape:
        return coarse
    return functional.interpolate(coarse[:, None], shape, mode="nearest")[:, 0]


def rows_at_once(network: Network) -> int:
    """Return how many rows a network best computes at once, forward and backward."""
    return network.block_rows if isinstance(network, CompiledScorer) else PASSES_AT_ONCE


def chunks(rows: int, passes: int, at_once: int = PASSES_AT_ONCE) -> list[slice]:
    """Split rows into slices of about `at_once` passes."""
    size = max(1, at_once // passes)
    return [slice(first, min(first + size, rows)) for first in range(0, rows, size)]
