"""Normalization and network as one module, with its activations and attention."""

from torch import Tensor, nn

from glasstape_server.models.networks.network import AttentionWeights, Attentive, Convolutional
from glasstape_server.models.networks.trees import Trees


class Scorer(nn.Module):
    """Normalization and network as one module: windows in the features' own units -> logits."""

    mean: Tensor
    deviation: Tensor
    _inverse: Tensor

    def __init__(self, network: nn.Module, mean: Tensor, deviation: Tensor) -> None:
        super().__init__()
        self.network = network
        self.differentiable = not any(isinstance(module, Trees) for module in network.modules())
        """Whether gradients describe the network: trees are piecewise constant."""
        self.register_buffer("mean", mean)
        self.register_buffer("deviation", deviation)
        self.register_buffer("_inverse", 1 / deviation)  # a multiplication costs a quarter of a division

    def forward(self, windows: Tensor) -> Tensor:
        """Return logits (batch, 3) of windows (batch, time, feature)."""
        return self.network(self.normalized(windows))  # type: ignore[no-any-return]

    def convolve(self, windows: Tensor) -> Tensor:
        """Return the activations of the last convolution; see `network.Convolutional`.

        Raises:
            TypeError: the network is not convolutional.
        """
        if not isinstance(self.network, Convolutional):
            raise TypeError(f"{type(self.network).__name__} is not convolutional")
        return self.network.convolve(self.normalized(windows))

    def classify(self, activations: Tensor) -> Tensor:
        """Return logits (batch, 3) of activations as `convolve` returns them.

        Raises:
            TypeError: the network is not convolutional.
        """
        if not isinstance(self.network, Convolutional):
            raise TypeError(f"{type(self.network).__name__} is not convolutional")
        return self.network.classify(activations)

    def attend(self, windows: Tensor) -> tuple[Tensor, AttentionWeights]:
        """Return logits (batch, 3) and attention; see `network.Attentive`.

        Raises:
            TypeError: the network has no attention.
        """
        if not isinstance(self.network, Attentive):
            raise TypeError(f"{type(self.network).__name__} has no attention")
        return self.network.attend(self.normalized(windows))

    def normalized(self, windows: Tensor) -> Tensor:
        """Return normalized windows (batch, time, feature)."""
        return (windows - self.mean) * self._inverse
