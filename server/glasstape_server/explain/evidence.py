"""What quality FULL measures of a batch of maps, on the device, beside the maps themselves.

Three independent questions: do the gradients around the window keep their signs where the map is
strong (SmoothGrad), does measuring agree with the map (occlusion), and does the score really change more
when the map's strongest cells are removed, one after the other, than when any cells are: the cumulative
prediction difference of Jang, Kim and Yang (2025), "TIMING: temporality-aware integrated gradients for time
series explanation", whose signs do not cancel, here of the score and under two fills.
"""

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional

from glasstape_server.explain.method import Attribution, Network, Rows, Shape, chunks
from glasstape_server.explain.occlusion import occlude
from glasstape_server.explain.scores import FrozenScore
from glasstape_server.explain.smoothgrad import DRAWS, noisy_gradients

TOP = 5
"""Cells that count as the map's strongest."""
RANDOM_SETS = 8
"""Random sets of as many cells that a deletion is compared with."""
FILLS = 2
"""Background windows that a resampled deletion is averaged over."""


@dataclass(frozen=True, slots=True)
class Evidence:
    """Measurements of a batch of maps."""

    sign_stability: Tensor
    """(batch, time, feature): share of noisy copies whose gradient has the mean gradient's sign, 0-1."""
    sign_agreement: Tensor
    """(batch,): that share, averaged over the map's strongest cells."""
    occlusion_correlation: Tensor
    """(batch,): Spearman's rank correlation of |map| and |occlusion|, at the map's native shape."""
    deletion: Tensor
    """(batch, 2): sum of |score changes| as the strongest cells are removed, filled by mean and by real windows."""
    random_deletion: Tensor
    """(batch, 2): the same of random cells, on average."""


def passes(shape: Shape) -> int:
    """Rows that the device computes for the evidence of one map."""
    return 2 * DRAWS + shape[0] * shape[1] + TOP * (1 + RANDOM_SETS) * (1 + FILLS)


def hold_against(network: Network, rows: Rows, mean: Tensor, made: Attribution, seed: int) -> Evidence:
    """Measure a batch of maps.

    Args:
        network: what was explained.
        rows: what it was asked for.
        mean: (feature,), the fill of the first deletion.
        made: the maps.
        seed: of the noise and of the random cells; equal seeds, equal evidence for a row in any batch.
    """
    _, stability = noisy_gradients(network, rows, made.frozen, DRAWS, seed)
    flat = made.values.abs().flatten(1).nan_to_num()
    top = flat.topk(min(TOP, flat.shape[1]), dim=1).indices
    measured = occlude(network, rows, made.frozen, made.score)
    deletion, random = _deletions(network, rows, mean, made, top, seed)
    return Evidence(
        stability,
        stability.flatten(1).gather(1, top).mean(dim=1),
        spearman(_pooled(made, made.values.nan_to_num()), _pooled(made, measured)),
        deletion,
        random,
    )


def spearman(left: Tensor, right: Tensor) -> Tensor:
    """Rank correlation of each row, -1 .. 1; 0 where all of a row are equal.

    Args:
        left: (batch, n).
        right: the same.
    """
    ranks = [_ranks(part) for part in (left, right)]
    centred = [part - part.mean(dim=1, keepdim=True) for part in ranks]
    norm = centred[0].norm(dim=1) * centred[1].norm(dim=1)
    product = (centred[0] * centred[1]).sum(dim=1)
    return torch.where(norm > 0, product / norm.clamp_min(1e-300), 0.0)


def _ranks(values: Tensor) -> Tensor:
    """Mean ranks from 0, ties shared."""
    ordered = values.sort(dim=1).values
    before = torch.searchsorted(ordered, values.contiguous(), right=False)
    through = torch.searchsorted(ordered, values.contiguous(), right=True)
    return (before + through - 1).double() / 2


def _pooled(made: Attribution, values: Tensor) -> Tensor:
    """Strength at the map's native grid, (batch, cell).

    What a complete map says of a whole bar is a sum, in which signs cancel; any other map ranks strengths.
    """
    native = made.native_shape or (values.shape[1], values.shape[2])
    summed = made.completeness_error is not None
    pooled = functional.adaptive_avg_pool2d((values if summed else values.abs())[:, None], native)
    return pooled.flatten(1).abs()


@torch.no_grad()
def _deletions(
    network: Network, rows: Rows, mean: Tensor, made: Attribution, top: Tensor, seed: int
) -> tuple[Tensor, Tensor]:
    cells, count = rows.shape[0] * rows.shape[1], top.shape[1]
    generator = torch.Generator().manual_seed(seed)
    drawn = torch.stack([torch.randperm(cells, generator=generator)[:count] for _ in range(RANDOM_SETS)])
    chosen = torch.randperm(len(rows.background), generator=generator)[:FILLS]
    fills = torch.cat([mean.expand(1, *rows.shape), rows.background[chosen]])
    orders = torch.cat([top[:, None], drawn.expand(len(rows), -1, -1)], dim=1)  # (batch, set, cell)
    # The k-th of `removed` has the first k cells of an order removed.
    removed = torch.nn.functional.one_hot(orders, cells).cumsum(dim=2).bool()
    removed = removed.view(len(rows), -1, *rows.shape)
    change = torch.empty(len(rows), 1 + RANDOM_SETS, len(fills))
    for part in chunks(len(rows), removed.shape[1] * len(fills)):
        left = _left(network, rows.windows[part], fills, removed[part], made.frozen.rows(part))
        left = left.view(-1, 1 + RANDOM_SETS, count, len(fills))
        before = made.score[part][:, None, None, None].expand(-1, 1 + RANDOM_SETS, 1, len(fills))
        change[part] = torch.cat([before, left], dim=2).diff(dim=2).abs().sum(dim=2).to(change.dtype)
    by_fill = torch.stack([change[:, :, 0], change[:, :, 1:].mean(dim=2)], dim=2)  # (batch, set, 2)
    return by_fill[:, 0], by_fill[:, 1:].mean(dim=1)


def _left(network: Network, windows: Tensor, fills: Tensor, removed: Tensor, frozen: FrozenScore) -> Tensor:
    """Scores without the removed cells, (batch, set, fill)."""
    filled = torch.where(removed[:, :, None], fills, windows[:, None, None])
    each = removed.shape[1] * len(fills)
    return frozen.of(network(filled.flatten(0, 2)), each).view(len(windows), -1, len(fills))
