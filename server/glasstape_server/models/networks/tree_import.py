"""Conversion of fitted decision trees to `Trees`."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch

from glasstape_server.domain.arrays import Floats
from glasstape_server.models.networks.trees import Trees, TreesConfig


@dataclass(frozen=True, slots=True)
class Node:
    """Split or leaf of a fitted tree."""

    feature: int = 0
    """Cell that a split compares."""
    threshold: float = 0.0
    """A cell above it goes to the second child."""
    children: "tuple[Node, ...]" = ()
    """Two; none of a leaf."""
    value: float = 0.0
    """Of a leaf."""
    cover: int = 0
    """Training windows of a leaf."""


def import_trees(rounds: Sequence[Sequence[Node]], bias: Floats, shape: tuple[int, int], depth: int) -> Trees:
    """Return trees that compute the same logits, up to the rounding of `Trees.round_values`.

    Args:
        rounds: root of each output's tree in each round.
        bias: of each output, (output,).
        shape: (time, feature) of a window.
        depth: largest number of splits from root to leaf.

    Raises:
        ValueError: a tree is deeper.
    """
    steps, features = shape
    config = TreesConfig(
        time_steps=steps, features=features, rounds=len(rounds), depth=depth, outputs=len(bias)
    )
    trees = Trees(config).eval()
    trees.bias.copy_(torch.from_numpy(bias))
    for number, roots in enumerate(rounds):
        for output, root in enumerate(roots):
            _place(trees, (number, output), root, 0, 0)
    trees.round_values()
    trees.check_values(*shape)
    return trees


def _place(trees: Trees, tree: tuple[int, int], node: Node, level: int, number: int) -> None:
    """Write a node at a position of its level, and all that is below it.

    Raises:
        ValueError: the tree is deeper than `trees`.
    """
    if not node.children:
        first = number << (trees.depth - level)
        trees.value[tree][first : (number + 1) << (trees.depth - level)] = node.value
        trees.cover[tree][first] = node.cover
        return
    if level == trees.depth:
        raise ValueError(f"trees: must have at most {trees.depth} splits from root to leaf")
    position = (1 << level) - 1 + number
    trees.feature[tree][position] = node.feature
    trees.threshold[tree][position] = float(_float32_at_most(node.threshold))
    for side, child in enumerate(node.children):
        _place(trees, tree, child, level + 1, 2 * number + side)


def _float32_at_most(threshold: float) -> np.float32:
    """Return the largest float32 that is at most a threshold: float32 values compare with both alike."""
    nearest = np.float32(threshold)
    return nearest if float(nearest) <= threshold else np.nextafter(nearest, np.float32(-np.inf))
