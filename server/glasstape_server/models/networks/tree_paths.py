"""Exact Shapley values of decision trees, from tables over the paths of their leaves.

Lundberg, Erion, Chen et al. (2020), "From local explanations to global understanding with explainable AI for trees",
algorithm 2 (path-dependent TreeSHAP): features outside a coalition follow a split to both sides, in proportion to the
training windows that went there. One leaf with value v is then the game v * prod(one_j, j in S) * prod(zero_j, j not in
S), with one_j: whether the window passes all splits of feature j on the path, and zero_j: the share of the training
windows that do. Its Shapley value of feature i is v * (one_i - zero_i) * the integral over t from 0 to 1 of the product
over j != i of (one_j * t + zero_j * (1 - t)), a polynomial that Gauss-Legendre quadrature integrates exactly. As one_j
is 0 or 1, the values of all 2^depth cases of a leaf are tabulated once (as in Yang 2021, "Fast TreeSHAP", version 2).
"""

from itertools import pairwise

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from glasstape_server.domain.arrays import Float32s, Floats, Ints

_ENTRIES = 1 << 21
"""Table entries gathered at once."""
_PATHS = 4096
"""Paths tabulated at once."""


class TreePaths:
    """Tables of all leaves that a training window reached."""

    def __init__(
        self, feature: Ints, threshold: Float32s, value: Float32s, cover: Float32s, bias: Float32s, cells: int
    ) -> None:
        """Build the tables.

        Args:
            feature: cell of each node, (tree, node); tree t adds to the logit of class t % 3.
            threshold: of each node, (tree, node).
            value: of each leaf, (tree, leaf).
            cover: training windows of each leaf, (tree, leaf).
            bias: of each class, (class,).
            cells: of a window.
        """
        self._classes, self._cells = len(bias), cells
        leaves = value.shape[1]
        depth = leaves.bit_length() - 1
        tree, leaf = np.nonzero(cover > 0)
        share = cover.astype(np.float64) / cover.sum(axis=1, keepdims=True, dtype=np.float64)
        expected = (share * value).sum(axis=1).reshape(-1, self._classes).sum(axis=0) + bias
        self.expected = torch.from_numpy(expected)
        """Mean logits over the training windows, (class,), float64."""
        levels = np.arange(depth)
        node = (1 << levels) - 1 + (leaf[:, None] >> (depth - levels))  # (path, level)
        path_feature = feature[tree[:, None], node]
        right = (leaf[:, None] >> (depth - 1 - levels)) & 1
        zero = _passing_shares(cover.astype(np.float64), tree, leaf, depth)
        table = np.empty((len(leaf), 1 << depth, depth), np.float32)
        for first in range(0, len(leaf), _PATHS):
            part = slice(first, first + _PATHS)
            table[part] = _contributions(path_feature[part], zero[part], value[tree[part], leaf[part]])
        self._depth, self._paths = depth, len(leaf)
        self._table = torch.from_numpy(table.reshape(-1, depth))
        """Values of each case of each path, (path * 2^depth, level)."""
        used, place = np.unique(tree[:, None] * (leaves - 1) + node, return_inverse=True)
        self._node_feature = torch.from_numpy(feature.ravel()[used])
        self._node_threshold = torch.from_numpy(threshold.ravel()[used])
        self._node = torch.from_numpy(place.reshape(-1))
        self._right = torch.from_numpy(right.astype(np.bool_).reshape(-1))
        self._bit = torch.from_numpy(1 << levels)
        target = (tree % self._classes)[:, None] * cells + path_feature
        self._target = torch.from_numpy(target.reshape(-1))
        self._first_case = torch.arange(self._paths) << depth

    def shapley_values(self, cells: Tensor) -> Tensor:
        """Return the contribution of each cell to each logit, (batch, class, cell), float64.

        Its sum over the cells is the logit minus its expected value.

        Args:
            cells: flattened normalized windows, (batch, cell).
        """
        rows = max(1, _ENTRIES // (self._paths * self._depth))
        parts = [self._values(part) for part in torch.split(cells, rows)]
        return torch.cat(parts) if parts else torch.zeros(0, self._classes, self._cells, dtype=torch.float64)

    def _values(self, cells: Tensor) -> Tensor:
        went_right = cells.index_select(1, self._node_feature) > self._node_threshold
        passed = went_right.index_select(1, self._node) == self._right
        case = (passed.view(len(cells), self._paths, self._depth) * self._bit).sum(dim=2) + self._first_case
        values = self._table.index_select(0, case.view(-1)).view(len(cells), -1).double()
        sums = torch.zeros(len(cells), self._classes * self._cells, dtype=torch.float64)
        return sums.index_add_(1, self._target, values).view(len(cells), self._classes, self._cells)


def _passing_shares(cover: Floats, tree: Ints, leaf: Ints, depth: int) -> Floats:
    """Return the share of the training windows of each node on a path that stay on it, (path, level).

    Args:
        cover: of each leaf, (tree, leaf).
        tree: of each path, (path,).
        leaf: of each path, (path,).
        depth: levels.
    """
    by_level = [cover.reshape(len(cover), 1 << level, -1).sum(axis=2) for level in range(depth + 1)]
    on_path = [of_nodes[tree, leaf >> (depth - level)] for level, of_nodes in enumerate(by_level)]
    return np.stack([child / parent for parent, child in pairwise(on_path)], axis=1)


def _contributions(feature: Ints, zero: Floats, value: Float32s) -> Floats:
    """Return the Shapley values of every path in every case, (path, case, level).

    Case number c has bit l set if the window passes the split of level l. The value of a feature that occurs on several
    levels stands at the first of them; the others have 0.

    Args:
        feature: of each split, (path, level).
        zero: share of the training windows that pass it, (path, level).
        value: of the leaf, (path,).
    """
    depth = feature.shape[1]
    same = feature[:, :, None] == feature[:, None, :]
    first: NDArray[np.bool_] = same.argmax(axis=2) == np.arange(depth)
    zeros = np.where(same, zero[:, None, :], 1.0).prod(axis=2)
    passed = (np.arange(1 << depth)[:, None] >> np.arange(depth)) & 1 == 1  # (case, level)
    # A feature is passed in a case if all its splits are.
    ones = (passed[None, :, None, :] | ~same[:, None]).all(axis=3).astype(np.float64)  # (path, case, level)
    nodes, weights = np.polynomial.legendre.leggauss((depth + 1) // 2)
    result = np.zeros_like(ones)
    for t, weight in zip((nodes + 1) / 2, weights / 2, strict=True):
        factor = np.where(first[:, None], ones * t + (zeros * (1 - t))[:, None], 1.0)
        result += weight * factor.prod(axis=2, keepdims=True) / factor
    return np.where(first[:, None], result * (ones - zeros[:, None]) * value[:, None, None], 0.0)
