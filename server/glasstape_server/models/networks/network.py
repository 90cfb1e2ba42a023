"""Protocols of networks that expose their convolution or attention to explanation methods.

A network exposes activations through a method that returns them, without hooks. Windows are (batch, time, feature),
logits (batch, 3) for down, flat, up.
"""

from dataclasses import dataclass
from typing import Literal, Protocol, runtime_checkable

from torch import Tensor


@runtime_checkable
class Convolutional(Protocol):
    """Network whose logits are computed from the activations of a last convolution, as Grad-CAM requires."""

    def convolve(self, x: Tensor) -> Tensor:
        """Return the last convolution's activations (batch, channel, time', feature') for x (batch, time, feature).

        feature' is 1 if the convolution mixes all features.
        """
        ...

    def classify(self, activations: Tensor) -> Tensor:
        """Compute the logits (batch, 3) of activations (batch, channel, time', feature')."""
        ...


@dataclass(frozen=True, slots=True)
class AttentionLayer:
    """Weights of one self-attention layer, averaged over its heads."""

    axis: Literal["time", "feature"]
    """Axis along which the layer attends."""
    weights: Tensor
    """(batch, position on the other axis, query, key); sums to 1 over keys."""


@dataclass(frozen=True, slots=True)
class AttentionWeights:
    """Attention weights of one forward pass, first layer first."""

    layers: tuple[AttentionLayer, ...]
    readout: Tensor
    """Weight of each token in the pooling before the head, (batch, time', feature'); sums to 1."""


@runtime_checkable
class Attentive(Protocol):
    """Network that exposes its attention weights."""

    def attend(self, x: Tensor) -> tuple[Tensor, AttentionWeights]:
        """Return the logits (batch, 3) of x (batch, time, feature), and the attention weights of that pass."""
        ...
