"""A loaded model: normalization, network, novelty statistics and background windows."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from torch import Tensor, nn

from glasstape_server.domain.arrays import Float32s, Floats
from glasstape_server.domain.signals import ModelRef
from glasstape_server.features.labels import LabelRule
from glasstape_server.features.spec import FeatureSpec
from glasstape_server.models.manifest import Manifest
from glasstape_server.models.runtime.compiled_scorer import CompiledScorer, compile_scorer
from glasstape_server.models.runtime.graphed_scorer import BUCKETS, GraphedScorer, ScoreHead
from glasstape_server.models.scorer import Scorer


@dataclass(frozen=True, slots=True)
class Statistics:
    """Arrays of an artifact besides the weights, float32."""

    mean: Tensor
    """Mean of each feature over the training windows, (feature,)."""
    deviation: Tensor
    """Standard deviation of each feature, (feature,)."""
    novelty_center: Tensor
    """Mean normalized training window, (time x feature,)."""
    novelty_precision: Tensor
    """Inverse shrunk covariance of normalized windows, (time x feature, time x feature)."""
    novelty_quantiles: Tensor
    """Quantiles of the Mahalanobis distance of validation windows, 0-100 %, (101,)."""
    golden_windows: Tensor
    """Windows of the self-test, (n, time, feature)."""
    golden_logits: Tensor
    """Their logits after training, (n, 3)."""
    background: Tensor
    """Background windows from the training data, (n, time, feature)."""
    golden_rank_scores: Tensor | None = None
    """Scores of the golden windows by the rank head, (n, 1); None without one."""


class Model:
    """A loaded and verified model version. Immutable; safe to share between threads."""

    def __init__(
        self,
        manifest: Manifest,
        network: nn.Module,
        statistics: Statistics,
        rank_network: nn.Module | None = None,
    ) -> None:
        """Combine the parts of an artifact.

        Args:
            manifest: its metadata.
            network: of the classes.
            statistics: other arrays.
            rank_network: of the rank head; None: it has none.
        """
        self.manifest = manifest
        self.statistics = statistics
        self.spec = FeatureSpec.from_dict(manifest.feature_spec)
        self.label_rule = LabelRule.from_dict(manifest.label_rule)
        self.scorer = Scorer(network, statistics.mean, statistics.deviation).eval()
        self.scorer.requires_grad_(False)
        self.rank_scorer: Scorer | None = None
        """Windows (batch, time, feature) -> scores (batch, 1) of the rank head; None: the model has none."""
        if rank_network is not None:
            self.rank_scorer = Scorer(rank_network, statistics.mean, statistics.deviation).eval()
            self.rank_scorer.requires_grad_(False)
        self._optimized: CompiledScorer | GraphedScorer | None = None

    def compile(self) -> None:
        """Compile `network` for the CPU; takes up to a second, a few seconds for a large network.

        Safe while the model serves. Trees run as they are.
        """
        if self.scorer.differentiable and not isinstance(self._optimized, CompiledScorer):
            self._optimized = compile_scorer(self.scorer, *self.window_shape)

    def capture(self, device: str, heads: Iterable[ScoreHead], buckets: Sequence[int] = BUCKETS) -> None:
        """Capture `network` as graphs on an accelerator; takes seconds. Safe while the model serves.

        Trees, and ensembles with trees, stay on the CPU.

        Args:
            device: "cuda" or "cuda:N".
            heads: scores to capture with their gradients.
            buckets: batch sizes to capture, ascending.

        Raises:
            torch.OutOfMemoryError: the device has too little memory.
            torch.AcceleratorError: the device failed.
        """
        if self.scorer.differentiable:
            self._optimized = GraphedScorer(self.scorer, *self.window_shape, device, heads, buckets)

    @property
    def network(self) -> CompiledScorer | GraphedScorer | Scorer:
        """The scorer: captured, compiled, or as loaded."""
        return self._optimized or self.scorer

    @cached_property
    def ref(self) -> ModelRef:
        """Identity of the model."""
        manifest = self.manifest
        return ModelRef(manifest.name, manifest.version, manifest.digest, self.spec.hash)

    @property
    def window_shape(self) -> tuple[int, int]:
        """(time, feature)."""
        return self.spec.window_shape

    @cached_property
    def _whitening(self) -> tuple[Float32s, Float32s]:
        """Weight (cell, cell) and offset (cell,) that whiten windows: the Mahalanobis distance is the norm then."""
        s = self.statistics
        arrays = (s.mean, s.deviation, s.novelty_center, s.novelty_precision)
        mean, deviation, center, precision = (array.numpy().astype(np.float64) for array in arrays)
        steps = self.window_shape[0]
        root = np.linalg.cholesky(precision)
        weight = root / np.tile(deviation, steps)[:, None]
        offset = (np.tile(mean / deviation, steps) + center) @ root
        return weight.astype(np.float32), offset.astype(np.float32)

    @cached_property
    def _quantiles(self) -> tuple[Floats, Floats]:
        distances = self.statistics.novelty_quantiles.numpy().astype(np.float64)
        return distances, np.linspace(0, 1, len(distances))

    def novelty(self, windows: np.ndarray[tuple[int, ...], np.dtype[np.float32]]) -> Floats:
        """Return the share of validation windows nearer to the training mean, 0-1, (n,).

        The distance is Mahalanobis, with a shrunk covariance (Ledoit and Wolf 2004).

        Args:
            windows: (n, time, feature), float32.
        """
        weight, offset = self._whitening
        white = windows.reshape(len(windows), -1) @ weight - offset
        return np.asarray(np.interp(np.sqrt(np.einsum("ni,ni->n", white, white)), *self._quantiles))
