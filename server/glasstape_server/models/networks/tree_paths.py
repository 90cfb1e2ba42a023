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
        self._table = torch.from_numpy(np.ascontiguousarray(table.transpose(2, 0, 1)).reshape(depth, -1))
        """Values of each case of each path, (level, path * 2^depth)."""
        used, place = np.unique(tree[:, None] * (leaves - 1) + node, return_inverse=True)
        self._node_feature = torch.from_numpy(feature.ravel()[used])
        self._node_threshold = torch.from_numpy(threshold.ravel()[used])[:, None]
        self._node = torch.from_numpy(np.ascontiguousarray(place.reshape(node.shape).T))
        self._left = torch.from_numpy(np.ascontiguousarray((right == 0).T))[:, :, None]
        target = (tree % self._classes)[:, None] * cells + path_feature
        self._target = torch.from_numpy(np.ascontiguousarray(target.T))
        self._first_case = torch.arange(self._paths)[:, None] << depth

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
        """Return the contributions; rows are contiguous in memory, so that every operation runs over all of them."""
        columns = cells.T.contiguous()
        went_right = columns.index_select(0, self._node_feature) > self._node_threshold
        case = self._first_case.repeat(1, len(cells))
        for level in range(self._depth):
            passed = went_right.index_select(0, self._node[level]) ^ self._left[level]
            case += passed.long() << level
        sums = torch.zeros(self._classes * self._cells, len(cells), dtype=torch.float64)
        for table, target in zip(self._table, self._target, strict=True):
            sums.index_add_(0, target, table.take(case).double())
        return sums.T.reshape(len(cells), self._classes, self._cells)


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
