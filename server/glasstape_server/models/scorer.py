"""Normalisation and network in one, and what the network shows of its inside."""

from torch import Tensor, nn

from glasstape_server.models.networks.network import AttentionWeights, Attentive, Convolutional


class Scorer(nn.Module):
    """Normalisation and network in one: windows in the features' own units -> logits."""

    mean: Tensor
    deviation: Tensor
    _inverse: Tensor

    def __init__(self, network: nn.Module, mean: Tensor, deviation: Tensor) -> None:
        super().__init__()
        self.network = network
        self.register_buffer("mean", mean)
        self.register_buffer("deviation", deviation)
        self.register_buffer("_inverse", 1 / deviation)  # a product costs a quarter of a division

    def forward(self, windows: Tensor) -> Tensor:
        """Logits (batch, 3) of windows (batch, time, feature)."""
        return self.network(self._normalised(windows))  # type: ignore[no-any-return]

    def convolve(self, windows: Tensor) -> Tensor:
        """Activations of the last convolution; see `network.Convolutional`.

        Raises:
            TypeError: the network has none to show.
        """
        if not isinstance(self.network, Convolutional):
            raise TypeError(f"{type(self.network).__name__} shows no convolution")
        return self.network.convolve(self._normalised(windows))

    def classify(self, activations: Tensor) -> Tensor:
        """Logits from those activations."""
        if not isinstance(self.network, Convolutional):
            raise TypeError(f"{type(self.network).__name__} shows no convolution")
        return self.network.classify(activations)

    def attend(self, windows: Tensor) -> tuple[Tensor, AttentionWeights]:
        """Logits and attention; see `network.Attentive`.

        Raises:
            TypeError: the network has none to show.
        """
        if not isinstance(self.network, Attentive):
            raise TypeError(f"{type(self.network).__name__} shows no attention")
        return self.network.attend(self._normalised(windows))

    def _normalised(self, windows: Tensor) -> Tensor:
        return (windows - self.mean) * self._inverse
