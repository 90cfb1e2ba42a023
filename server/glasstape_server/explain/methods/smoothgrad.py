"""SmoothGrad: the mean gradient over noisy copies of the window.

Smilkov, Thorat, Kim, Viegas and Wattenberg (2017), "SmoothGrad: removing noise by adding noise",
section 2, with its sign; beside it, how many of the copies agree with that sign.
"""

import torch
from torch import Tensor

from glasstape_server.explain.method import (
    Attribution,
    Everywhere,
    Network,
    Quantity,
    Request,
    Rows,
    Shape,
    chunks,
    gradient_at,
)
from glasstape_server.explain.scores import FrozenScore

DRAWS = 16
NOISE = 0.5
"""Standard deviation of the noise, in standard deviations of each feature."""


class SmoothGrad(Everywhere):
    """d score / d input around the window instead of at it."""

    quantity = Quantity.SENSITIVITY
    max_samples = 512

    def passes(self, samples: int, shape: Shape) -> int:
        """A forward and a backward for each draw, and the row's own forward."""
        return 2 * (samples or DRAWS) + 1

    def attribute(self, network: Network, rows: Rows, request: Request) -> Attribution:
        """Average `samples` gradients (default 16)."""
        with torch.no_grad():
            logits = network(rows.windows)
        frozen = request.question.freeze(logits)
        values, stability = noisy_gradients(network, rows, frozen, request.samples or DRAWS, request.seed)
        taken = torch.full((len(rows),), request.samples or DRAWS)
        return Attribution(logits, values, frozen, frozen.of(logits), samples=taken, sign_stability=stability)


def noisy_gradients(
    network: Network, rows: Rows, frozen: FrozenScore, draws: int, seed: int
) -> tuple[Tensor, Tensor]:
    """Mean gradient over draws, and the share of draws with the mean's sign, both (batch, time, feature).

    The noise depends on the seed alone, never on a row's neighbours in the batch.
    """
    noise = torch.randn(draws, *rows.shape, generator=torch.Generator().manual_seed(seed))
    noise = noise.to(rows.windows.dtype) * (NOISE * rows.deviation)
    mean, stability = torch.empty_like(rows.windows), torch.empty_like(rows.windows)
    for part in chunks(len(rows), draws):
        points = (rows.windows[part][:, None] + noise).flatten(0, 1)
        gradients = gradient_at(network, points, frozen.rows(part), draws).view(-1, draws, *rows.shape)
        mean[part] = gradients.mean(dim=1)
        stability[part] = (gradients.sign() == mean[part].sign()[:, None]).to(mean.dtype).mean(dim=1)
    return mean, stability
