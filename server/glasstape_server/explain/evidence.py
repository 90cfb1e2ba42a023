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

from glasstape_server.explain.method import (
    Attribution,
    MethodName,
    Network,
    Request,
    Rows,
    Shape,
    chunks,
)
from glasstape_server.explain.methods.occlusion import occlude
from glasstape_server.explain.methods.smoothgrad import DRAWS, noisy_gradients
from glasstape_server.explain.path import integrate
from glasstape_server.explain.scores import FrozenScore

TOP = 5
"""Cells that count as the map's strongest."""
STEPS = 32
"""Steps of the integrated gradients that an occlusion is compared with."""
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
    """(batch,): that share, averaged over the map's strongest cells: five, or as many as make whole native cells."""
    occlusion_correlation: Tensor
    """(batch,): Spearman's rank correlation of |map| and |occlusion| (of an occlusion: |integrated gradients|),
    at the map's native shape."""
    deletion: Tensor
    """(batch, 2): sum of |score changes| as the strongest cells are removed, filled by mean and by real windows."""
    random_deletion: Tensor
    """(batch, 2): the same of random cells, on average."""


def passes(shape: Shape) -> int:
    """Rows that the device computes for the evidence of one map."""
    return 2 * DRAWS + shape[0] * shape[1] + TOP * (1 + RANDOM_SETS) * (1 + FILLS)


def hold_against(network: Network, rows: Rows, mean: Tensor, made: Attribution, request: Request) -> Evidence:
    """Measure a batch of maps.

    Args:
        network: what was explained.
        rows: what it was asked for.
        mean: (feature,), the fill of the first deletion.
        made: the maps.
        request: how they were asked for; its seed draws the noise and the random cells, equally for a row
            in any batch.
    """
    _, stability = noisy_gradients(network, rows, made.frozen, DRAWS, request.seed)
    blocks = _blocks(rows.shape, made.native_shape or rows.shape)
    summed = made.completeness_error is not None
    strength = _by_block(made.values.nan_to_num(), blocks, summed)
    top = strength.topk(_count(blocks), dim=1).indices
    if request.method is MethodName.OCCLUSION:  # not against itself
        measured = integrate(network, rows.windows, rows.baseline, made.frozen, STEPS)
    else:
        measured = occlude(network, rows, made.frozen, made.score)
    deletion, random = _deletions(network, rows, mean, made, blocks, top, request.seed)
    chosen = blocks[top].any(dim=1).to(stability.dtype)
    return Evidence(
        stability,
        (stability * chosen).sum(dim=(1, 2)) / chosen.sum(dim=(1, 2)),
        spearman(strength, _by_block(measured, blocks, summed)),
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


def _blocks(shape: Shape, native: Shape) -> Tensor:
    """Cells of each native cell of a nearest-neighbour upsampling, (block, time, feature)."""
    row = torch.arange(shape[0]) * native[0] // shape[0]
    column = torch.arange(shape[1]) * native[1] // shape[1]
    number = row[:, None] * native[1] + column[None, :]
    return number[None] == torch.arange(native[0] * native[1])[:, None, None]


def _by_block(values: Tensor, blocks: Tensor, summed: bool) -> Tensor:
    """Strength of each native cell, (batch, block).

    What a complete map says of a whole bar is a sum, in which signs cancel; any other map ranks strengths.
    """
    values = values if summed else values.abs()
    return (values.flatten(1) @ blocks.flatten(1).T.to(values.dtype)).abs()


def _count(blocks: Tensor) -> int:
    """How many of the strongest native cells make `TOP` cells of the window, at least."""
    return min(len(blocks), -(-TOP * len(blocks) // blocks[0].numel()))


@torch.no_grad()
def _deletions(
    network: Network,
    rows: Rows,
    mean: Tensor,
    made: Attribution,
    blocks: Tensor,
    top: Tensor,
    seed: int,
) -> tuple[Tensor, Tensor]:
    count = top.shape[1]
    generator = torch.Generator().manual_seed(seed)
    drawn = torch.stack(
        [torch.randperm(len(blocks), generator=generator)[:count] for _ in range(RANDOM_SETS)]
    )
    chosen = torch.randperm(len(rows.background), generator=generator)[:FILLS]
    fills = torch.cat([mean.expand(1, *rows.shape), rows.background[chosen]])
    orders = torch.cat([top[:, None], drawn.expand(len(rows), -1, -1)], dim=1)  # (batch, set, block)
    # The k-th of `removed` has the first k blocks of an order removed.
    removed = blocks[orders].cumsum(dim=2).bool().flatten(1, 2)
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
