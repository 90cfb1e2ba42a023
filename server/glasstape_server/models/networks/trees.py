"""Gradient-boosted decision trees: sums of leaf values, one tree per round and output.

Every tree is stored as a complete binary tree of one depth, in arrays without pointers: a shorter branch is padded with
splits that every window passes on the left. So an artifact can neither contain a cycle nor read out of range. Leaf
values are multiples of one power of two, so that float32 adds them exactly: logits depend neither on the order of the
trees nor on the batch or the processor.
"""

from dataclasses import dataclass
from functools import cached_property
from math import ceil, log2

import torch
from torch import Tensor, nn

from glasstape_server.models.networks.tree_paths import TreePaths

CLASSES = 3
MAX_ROUNDS = 512
MAX_DEPTH = 6
"""Splits from root to leaf: at most 64 leaves."""
NO_SPLIT = torch.finfo(torch.float32).max
"""Threshold that no value exceeds."""
EXACT_BITS = 24
"""Bits of a float32 significand."""
_ROWS = 512
"""Windows evaluated at once: few enough that the leaf numbers fit the cache."""


@dataclass(frozen=True, kw_only=True)
class TreesConfig:
    """Size of the trees."""

    time_steps: int = 6
    """Bars in a window."""
    features: int = 8
    """Features of a bar."""
    rounds: int = 1
    """Rounds of boosting, 1-512: one tree per class each."""
    depth: int = MAX_DEPTH
    """Splits from root to leaf, 1-6."""
    outputs: int = CLASSES
    """Logits, one of each class; 1: the score of a rank head."""


class Trees(nn.Module):
    """Sum of decision trees over the cells of the window. Piecewise constant: it has no useful gradient."""

    feature: Tensor
    """Cell that a node compares, (round, class, node), int64; the children of node n are 2n + 1 and 2n + 2."""
    threshold: Tensor
    """A cell above it goes to the right, (round, class, node)."""
    value: Tensor
    """(round, class, leaf)."""
    cover: Tensor
    """Training windows of each leaf, (round, class, leaf); 0: an unreachable leaf of padding."""
    bias: Tensor
    """(class,)."""

    def __init__(self, config: TreesConfig) -> None:
        """Make trees of zeros.

        Raises:
            ValueError: a size is out of range.
        """
        super().__init__()
        for name, largest in (
            ("time_steps", 4096),
            ("features", 4096),
            ("rounds", MAX_ROUNDS),
            ("depth", MAX_DEPTH),
            ("outputs", CLASSES),
        ):
            size = getattr(config, name)
            if not isinstance(size, int) or not 1 <= size <= largest:
                raise ValueError(
                    f"architecture.config.{name}: must be a whole number 1-{largest}, is {size!r}"
                )
        self.config = config
        self.depth, self.cells = config.depth, config.time_steps * config.features
        trees, leaves = (config.rounds, config.outputs), 2**config.depth
        self.register_buffer("feature", torch.zeros(*trees, leaves - 1, dtype=torch.int64))
        self.register_buffer("threshold", torch.full((*trees, leaves - 1), NO_SPLIT))
        self.register_buffer("value", torch.zeros(*trees, leaves))
        self.register_buffer("cover", torch.zeros(*trees, leaves))
        self.register_buffer("bias", torch.zeros(config.outputs))

    def check_values(self, time_steps: int, features: int) -> None:
        """Check arrays that were read from a file.

        Args:
            time_steps: bars of the windows that will be scored.
            features: features of a bar.

        Raises:
            ValueError: the windows have another shape; a cell number, a cover or a leaf value is out of range.
        """
        if (self.config.time_steps, self.config.features) != (time_steps, features):
            raise ValueError(
                f"trees: take windows of {self.config.time_steps} x {self.config.features}, the model's are"
                f" {time_steps} x {features}"
            )
        if not bool(((self.feature >= 0) & (self.feature < self.cells)).all()):
            raise ValueError(f"trees: feature must be 0-{self.cells - 1}")
        if not bool((self.cover >= 0).all() and (self.cover.sum(dim=2) > 0).all()):
            raise ValueError("trees: cover must be at least 0, with a sum above 0 in every tree")
        grid = 2.0 ** (ceil(log2(max(self.largest_logit(), 1e-30))) - EXACT_BITS)
        for name, values in (("value", self.value), ("bias", self.bias)):
            if not bool((torch.remainder(values.double(), grid) == 0).all()):
                raise ValueError(f"trees: {name} must be multiples of {grid:g}, so that sums are exact")

    def randomize(self) -> None:
        """Draw random splits and leaf values from torch's default generator."""
        self.feature.random_(0, self.cells)
        self.threshold.normal_()
        self.value.normal_()
        self.cover.fill_(1.0)
        self.round_values()

    def round_values(self) -> None:
        """Round leaf values and bias to multiples of a power of two that float32 adds exactly."""
        grid = 2.0 ** (ceil(log2(max(self.largest_logit(), 1e-30))) - EXACT_BITS + 1)
        for values in (self.value, self.bias):
            values.copy_((values.double() / grid).round() * grid)

    def largest_logit(self) -> float:
        """Return a bound of every partial sum of a logit's magnitude."""
        leaves = self.value.double().abs().amax(dim=2).sum(dim=0)
        return float((leaves + self.bias.double().abs()).max())

    def forward(self, x: Tensor) -> Tensor:
        """Compute the logits (batch, 3) of x (batch, time, feature)."""
        cells = x.flatten(1)
        return (
            torch.cat([self._logits(block) for block in torch.split(cells, _ROWS)])
            if len(x)
            else x.new_zeros(0, self.config.outputs)
        )

    @cached_property
    def paths(self) -> TreePaths:
        """Paths from root to leaf, for Shapley values."""
        return TreePaths(
            self.feature.flatten(0, 1).numpy(),
            self.threshold.flatten(0, 1).numpy(),
            self.value.flatten(0, 1).numpy(),
            self.cover.flatten(0, 1).numpy(),
            self.bias.numpy(),
            self.cells,
        )

    def _logits(self, cells: Tensor) -> Tensor:
        feature, threshold, value = (
            self.feature.flatten(0, 1),
            self.threshold.flatten(0, 1),
            self.value.flatten(0, 1),
        )
        trees, nodes = feature.shape
        first = torch.arange(trees) * nodes
        place = (cells.index_select(1, feature[:, 0]) > threshold[:, 0]).long()
        for level in range(1, self.depth):
            node = place + (first + (2**level - 1))
            right = cells.gather(1, feature.take(node)) > threshold.take(node)
            place = (place << 1) + right
        leaf = value.take(place + torch.arange(trees) * (nodes + 1))
        return leaf.view(len(cells), -1, self.config.outputs).sum(dim=1) + self.bias
