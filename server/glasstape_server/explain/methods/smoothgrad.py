"""SmoothGrad: the mean gradient over noisy copies of the window.

Smilkov, Thorat, Kim, Viegas and Wattenberg (2017), "SmoothGrad: removing noise by adding noise", section 2, signed,
with the share of copies that agree with the sign.
"""

import torch
from torch import Tensor

from glasstape_server.explain.method import (
    Attribution,
    GradientMethod,
    Network,
    Quantity,
    Request,
    Rows,
    Shape,
    chunks,
    gradient_at,
    rows_at_once,
)
from glasstape_server.explain.scores import FrozenScore

DRAWS = 16
NOISE = 0.5
"""Standard deviation of the noise, relative to that of each feature."""


class SmoothGrad(GradientMethod):
    """Mean of d score / d input in a neighborhood of the window."""

    quantity = Quantity.SENSITIVITY
    max_samples = 512

    def passes(self, samples: int, shape: Shape) -> int:
        """One forward and one backward pass per draw, and one forward pass of the row itself."""
        return 2 * (samples or DRAWS) + 1

    def attribute(self, network: Network, rows: Rows, request: Request) -> Attribution:
        """See `Method.attribute`. Averages `request.samples` gradients; if 0, 16."""
        with torch.no_grad():
            logits = network(rows.windows)
        frozen = request.score_spec.freeze(logits)
        values, stability = noisy_gradients(network, rows, frozen, request.samples or DRAWS, request.seed)
        samples = torch.full((len(rows),), request.samples or DRAWS)
        return Attribution(
            logits, values, frozen, frozen.of(logits), samples=samples, sign_stability=stability
        )


def noisy_gradients(
    network: Network, rows: Rows, frozen: FrozenScore, draws: int, seed: int
) -> tuple[Tensor, Tensor]:
    """Return the mean gradient, and the share of draws with the sign of the mean, both (batch, time, feature).

    The noise depends on the seed alone, not on the batch.

    Args:
        network: to differentiate.
        rows: the batch.
        frozen: score of the rows.
        draws: number of noisy copies.
        seed: of the noise.
    """
    noise = torch.randn(draws, *rows.shape, generator=torch.Generator().manual_seed(seed))
    noise = noise.to(rows.windows.dtype) * (NOISE * rows.deviation)
    mean, stability = torch.empty_like(rows.windows), torch.empty_like(rows.windows)
    for part in chunks(len(rows), draws, rows_at_once(network)):
        points = (rows.windows[part][:, None] + noise).flatten(0, 1)
        gradients = gradient_at(network, points, frozen.rows(part), draws).view(-1, draws, *rows.shape)
        mean[part] = gradients.mean(dim=1)
        stability[part] = (gradients.sign() == mean[part].sign()[:, None]).to(mean.dtype).mean(dim=1)
    return mean, stability
