"""A loaded model: normalisation, network, and what it knows of ordinary windows."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from torch import Tensor, nn

from glasstape_server.domain import Floats, ModelRef
from glasstape_server.features.labels import LabelRule
from glasstape_server.features.spec import FeatureSpec
from glasstape_server.models.manifest import Manifest
from glasstape_server.models.network import Attention, Attentive, Convolutional


@dataclass(frozen=True, slots=True)
class Statistics:
    """Arrays of an artefact beside the network's own."""

    mean: Tensor
    """Mean of each feature over the training windows, (feature,)."""
    deviation: Tensor
    """Standard deviation of each feature, (feature,)."""
    novelty_centre: Tensor
    """Mean normalised training window, (time x feature,)."""
    novelty_precision: Tensor
    """Inverse shrunk covariance of normalised windows, square in time x feature."""
    novelty_quantiles: Tensor
    """Mahalanobis distances of validation windows at 0 .. 100 %, (101,)."""
    golden_windows: Tensor
    """Windows of the self-test, (n, time, feature)."""
    golden_logits: Tensor
    """What the trained model said of them, (n, 3)."""
    background: Tensor
    """Ordinary windows from the training data, (n, time, feature)."""


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

    def attend(self, windows: Tensor) -> tuple[Tensor, Attention]:
        """Logits and attention; see `network.Attentive`.

        Raises:
            TypeError: the network has none to show.
        """
        if not isinstance(self.network, Attentive):
            raise TypeError(f"{type(self.network).__name__} shows no attention")
        return self.network.attend(self._normalised(windows))

    def _normalised(self, windows: Tensor) -> Tensor:
        return (windows - self.mean) * self._inverse


class Model:
    """A loaded, checked model version. Immutable; safe to share between threads."""

    def __init__(self, manifest: Manifest, network: nn.Module, statistics: Statistics) -> None:
        self.manifest = manifest
        self.statistics = statistics
        self.spec = FeatureSpec.from_dict(manifest.feature_spec)
        self.label_rule = LabelRule.from_dict(manifest.label_rule)
        self.scorer = Scorer(network, statistics.mean, statistics.deviation).eval()
        self.scorer.requires_grad_(False)

    @cached_property
    def ref(self) -> ModelRef:
        """The model's identity."""
        manifest = self.manifest
        return ModelRef(manifest.name, manifest.version, manifest.digest, self.spec.hash)

    @property
    def window_shape(self) -> tuple[int, int]:
        """(time, feature)."""
        return (self.spec.window_bars, len(self.spec.names))

    @cached_property
    def _novelty(self) -> tuple[Floats, Floats, Floats, Floats, Floats]:
        s = self.statistics
        parts = (
            s.mean,
            s.deviation,
            s.novelty_centre,
            s.novelty_precision,
            s.novelty_quantiles,
        )
        mean, deviation, centre, precision, quantiles = (part.numpy().astype(np.float64) for part in parts)
        return mean, deviation, centre, precision, quantiles

    def novelty(self, windows: np.ndarray[tuple[int, ...], np.dtype[np.float32]]) -> Floats:
        """Share of validation windows nearer to the training mean, (batch,), 0-1.

        Distance: Mahalanobis, with a shrunk covariance (Ledoit and Wolf 2004).
        """
        mean, deviation, centre, precision, quantiles = self._novelty
        offset = ((windows - mean) / deviation).reshape(len(windows), -1) - centre
        distance = np.sqrt(np.maximum(np.einsum("ni,ij,nj->n", offset, precision, offset, optimize=True), 0))
        return np.asarray(np.interp(distance, quantiles, np.linspace(0, 1, len(quantiles))))
