"""A loaded model: normalisation, network, and what it knows of ordinary windows."""

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from torch import Tensor, nn

from glasstape_server.domain.values import Float32s, Floats, ModelRef
from glasstape_server.features.labels import LabelRule
from glasstape_server.features.spec import FeatureSpec
from glasstape_server.models.manifest import Manifest
from glasstape_server.models.runtime.compiled import Compiled, compiled
from glasstape_server.models.runtime.cuda_graph import Graphed, Head
from glasstape_server.models.scorer import Scorer


@dataclass(frozen=True, slots=True)
class Statistics:
    """Arrays of an artifact beside the network's own."""

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


class Model:
    """A loaded, checked model version. Immutable; safe to share between threads."""

    def __init__(self, manifest: Manifest, network: nn.Module, statistics: Statistics) -> None:
        self.manifest = manifest
        self.statistics = statistics
        self.spec = FeatureSpec.from_dict(manifest.feature_spec)
        self.label_rule = LabelRule.from_dict(manifest.label_rule)
        self.scorer = Scorer(network, statistics.mean, statistics.deviation).eval()
        self.scorer.requires_grad_(False)
        self._fast: Compiled | Graphed | None = None

    def compile(self) -> None:
        """Make `network` fast on the CPU; takes a fraction of a second, or a few of a large network.

        Safe while it serves.
        """
        if not isinstance(self._fast, Compiled):
            self._fast = compiled(self.scorer, *self.window_shape)

    def capture(self, device: str, heads: Iterable[Head]) -> None:
        """Have `network` on an accelerator, with questions that it answers in one go. Safe while it serves.

        Raises:
            torch.OutOfMemoryError: it does not fit there.
            torch.AcceleratorError: the device is out of order.
        """
        self._fast = Graphed(self.scorer, *self.window_shape, device, heads)

    @property
    def network(self) -> Compiled | Graphed | Scorer:
        """The scorer, compiled or captured if it was."""
        return self._fast or self.scorer

    @cached_property
    def ref(self) -> ModelRef:
        """The model's identity."""
        manifest = self.manifest
        return ModelRef(manifest.name, manifest.version, manifest.digest, self.spec.hash)

    @property
    def window_shape(self) -> tuple[int, int]:
        """(time, feature)."""
        return self.spec.window_shape

    @cached_property
    def _whitening(self) -> tuple[Float32s, Float32s]:
        """Weight (time x feature, time x feature) and offset that make the Mahalanobis distance a plain one."""
        s = self.statistics
        parts = (s.mean, s.deviation, s.novelty_centre, s.novelty_precision)
        mean, deviation, centre, precision = (part.numpy().astype(np.float64) for part in parts)
        steps = self.window_shape[0]
        root = np.linalg.cholesky(precision)
        weight = root / np.tile(deviation, steps)[:, None]
        offset = (np.tile(mean / deviation, steps) + centre) @ root
        return weight.astype(np.float32), offset.astype(np.float32)

    @cached_property
    def _quantiles(self) -> tuple[Floats, Floats]:
        distances = self.statistics.novelty_quantiles.numpy().astype(np.float64)
        return distances, np.linspace(0, 1, len(distances))

    def novelty(self, windows: np.ndarray[tuple[int, ...], np.dtype[np.float32]]) -> Floats:
        """Share of validation windows nearer to the training mean, (batch,), 0-1.

        Distance: Mahalanobis, with a shrunk covariance (Ledoit and Wolf 2004).
        """
        weight, offset = self._whitening
        white = windows.reshape(len(windows), -1) @ weight - offset
        return np.asarray(np.interp(np.sqrt(np.einsum("ni,ni->n", white, white)), *self._quantiles))
