"""What a network may give besides its logits: the activations that explanations are made of.

No hooks: a network that can show its convolution or its attention has a method that returns it.
Windows are (batch, time, feature) everywhere, logits (batch, 3) for down, flat, up.
"""

from dataclasses import dataclass
from typing import Literal, Protocol, runtime_checkable

from torch import Tensor


@runtime_checkable
class Convolutional(Protocol):
    """A network whose logits come from the activations of a last convolution: what Grad-CAM needs."""

    def convolve(self, x: Tensor) -> Tensor:
        """Activations of the last convolution, (batch, channel, time', feature').

        feature' is 1 where the convolution mixes all features.
        """
        ...

    def classify(self, activations: Tensor) -> Tensor:
        """Logits from those activations."""
        ...


@dataclass(frozen=True, slots=True)
class AttentionLayer:
    """The weights of one self-attention layer, averaged over its heads."""

    axis: Literal["time", "feature"]
    """The axis along which tokens look at each other."""
    weights: Tensor
    """(batch, position on the other axis, query, key); sums to 1 over keys."""


@dataclass(frozen=True, slots=True)
class Attention:
    """Where a network looked, first layer first."""

    layers: tuple[AttentionLayer, ...]
    readout: Tensor
    """Weight of each token in what the logits are read from, (batch, time', feature'); sums to 1."""


@runtime_checkable
class Attentive(Protocol):
    """A network that attends, and says where."""

    def attend(self, x: Tensor) -> tuple[Tensor, Attention]:
        """Logits, and the attention of this very pass."""
        ...
