"""Measurements of quality FULL: evidence for or against a batch of maps, computed on the device.

Deletion: how much more removing the map's strongest cells one after the other changes the score than removing random
cells. It is the cumulative prediction difference of Jang, Kim and Yang (2025), "TIMING: temporality-aware integrated
gradients for time series explanation", whose signs do not cancel, here of the score (of a log probability, the margin)
and with two fills. Sign stability: whether gradients around the window keep their signs on the map's strongest cells
(SmoothGrad). Concentration: whether few cells hold the map. Cells are compared in comparable units (`units`).
"""

from dataclasses import dataclass

import torch
from torch import Tensor

from glasstape_server.explain.catalog import METHODS
from glasstape_server.explain.method import Attribution, Network, Request, Rows, Shape, chunks
from glasstape_server.explain.methods.smoothgrad import DRAWS, noisy_gradients
from glasstape_server.explain.scores import FrozenScore
from glasstape_server.explain.units import feature_scale

TOP = 5
"""Number of a map's strongest cells."""
RANDOM_SETS = 8
"""Random sets of cells that a deletion is compared with."""
FILLS = 2
"""Background windows that the resampled deletion is averaged over."""


@dataclass(frozen=True, slots=True)
class Evidence:
    """Measurements of a batch of maps."""

    sign_stability: Tensor
    """Share of noisy copies whose gradient has the mean gradient's sign, 0-1, (batch, time, feature)."""
    sign_agreement: Tensor
    """Mean sign stability of the map's strongest cells, 0-1, (batch,): five, or whole native cells of at least five."""
    concentration: Tensor
    """Sum of the squared shares of the native cells, 1/cells (all equal) to 1 (a single one), (batch,)."""
    deletion: Tensor
    """Sum of |score changes| as the strongest cells are removed, filled with means and real windows, (batch, 2)."""
    random_deletion: Tensor
    """The same for random cells, averaged over the sets, (batch, 2)."""


def passes(shape: Shape) -> int:
    """Return the rows that the device computes to measure one map."""
    return 2 * DRAWS + TOP * (1 + RANDOM_SETS) * (1 + FILLS)


def measure(
    network: Network, rows: Rows, mean: Tensor, attribution: Attribution, request: Request
) -> Evidence:
    """Measure a batch of maps.

    Args:
        network: that was explained.
        rows: that were explained.
        mean: fill of the first deletion, (feature,).
        attribution: the maps.
        request: their parameters. The noise and the random cells depend on its seed alone, not on the batch.
    """
    _, stability = noisy_gradients(network, rows, attribution.frozen, DRAWS, request.seed)
    blocks = _blocks(rows.shape, attribution.native_shape or rows.shape)
    scale = feature_scale(METHODS[request.method].quantity, rows.deviation.numpy())
    values = attribution.values if scale is None else attribution.values * torch.from_numpy(scale)
    complete = attribution.completeness_error is not None
    strength = _by_block(values.nan_to_num(), blocks, complete)
    top = strength.topk(_top_count(blocks), dim=1).indices
    deletion, random = _deletions(network, rows, mean, attribution, blocks, top, request.seed)
    chosen = blocks[top].any(dim=1).to(stability.dtype)
    shares = strength / strength.sum(dim=1, keepdim=True).clamp_min(torch.finfo(strength.dtype).tiny)
    return Evidence(
        stability,
        (stability * chosen).sum(dim=(1, 2)) / chosen.sum(dim=(1, 2)),
        shares.square().sum(dim=1),
        deletion,
        random,
    )


def _blocks(shape: Shape, native: Shape) -> Tensor:
    """Return a mask of the cells of each native cell of a nearest-neighbor upsampling, (block, time, feature)."""
    row = torch.arange(shape[0]) * native[0] // shape[0]
    column = torch.arange(shape[1]) * native[1] // shape[1]
    number = row[:, None] * native[1] + column[None, :]
    return number[None] == torch.arange(native[0] * native[1])[:, None, None]


def _by_block(values: Tensor, blocks: Tensor, complete: bool) -> Tensor:
    """Return the strength of each native cell, (batch, block).

    Cells of a complete map add up, so their signs may cancel; cells of other maps add up by magnitude.
    """
    values = values if complete else values.abs()
    return (values.flatten(1) @ blocks.flatten(1).T.to(values.dtype)).abs()


def _top_count(blocks: Tensor) -> int:
    """Return the number of native cells that cover at least `TOP` cells of the window."""
    return min(len(blocks), -(-TOP * len(blocks) // blocks[0].numel()))


@torch.no_grad()
def _deletions(
    network: Network,
    rows: Rows,
    mean: Tensor,
    attribution: Attribution,
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
    # Mask k of an order removes its first k blocks.
    removed = blocks[orders].cumsum(dim=2).bool().flatten(1, 2)
    frozen = attribution.frozen.linear(attribution.logits)
    intact = frozen.of(attribution.logits)
    change = torch.empty(len(rows), 1 + RANDOM_SETS, len(fills))
    for part in chunks(len(rows), removed.shape[1] * len(fills)):
        scores = _scores(network, rows.windows[part], fills, removed[part], frozen.rows(part))
        scores = scores.view(-1, 1 + RANDOM_SETS, count, len(fills))
        before = intact[part][:, None, None, None].expand(-1, 1 + RANDOM_SETS, 1, len(fills))
        change[part] = torch.cat([before, scores], dim=2).diff(dim=2).abs().sum(dim=2).to(change.dtype)
    by_fill = torch.stack([change[:, :, 0], change[:, :, 1:].mean(dim=2)], dim=2)  # (batch, set, 2)
    return by_fill[:, 0], by_fill[:, 1:].mean(dim=1)


def _scores(network: Network, windows: Tensor, fills: Tensor, removed: Tensor, frozen: FrozenScore) -> Tensor:
    """Return the scores without the removed cells, (batch, mask, fill)."""
    filled = torch.where(removed[:, :, None], fills, windows[:, None, None])
    each = removed.shape[1] * len(fills)
    return frozen.of(network(filled.flatten(0, 2)), each).view(len(windows), -1, len(fills))
