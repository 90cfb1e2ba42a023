"""Scorer compiled ahead of time, forward and backward, for any batch size.

Nothing is compiled while a request waits. Large batches are computed in blocks that fit the cache.
"""

import logging
from collections.abc import Callable

import torch
from torch import Tensor

from glasstape_server.models.networks.conv1d import Conv1d
from glasstape_server.models.networks.layers import MAX_UNROLLED_KERNELS
from glasstape_server.models.runtime.conv1d_program import Conv1dProgram
from glasstape_server.models.runtime.recorder import record
from glasstape_server.models.runtime.traceable import NotRecordable
from glasstape_server.models.scorer import Scorer

log = logging.getLogger(__name__)

BLOCK_ROWS = 512
"""Windows of 6 x 8 that are computed at once; fewer of larger windows, in proportion."""
WARM_UP_SIZES = (1, 2, 3)
"""Batch sizes of the warm-up runs: TorchScript profiles its first runs and reaches full speed after them."""

Program = Callable[..., tuple[Tensor, ...]]
"""Function of tensors, compiled."""
Pullback = Callable[[Tensor], Tensor]
"""d score / d logits (batch, 3) -> d score / d windows (batch, time, feature). To be called once."""


class CompiledScorer:
    """Windows (batch, time, feature) -> logits (batch, 3), float32: as the scorer itself, but faster.

    The weights are frozen, so that autograd records nothing.
    """

    @torch.no_grad()
    def __init__(self, scorer: Scorer, time_steps: int, features: int) -> None:
        """Compile and warm up; takes a fraction of a second.

        Args:
            scorer: to compile.
            time_steps: bars of a window.
            features: features of a bar.

        Raises:
            NotRecordable: the network cannot be compiled.
        """
        self.scorer = scorer.requires_grad_(False)
        self.block_rows = max(1, BLOCK_ROWS * 48 // (time_steps * features))
        """Rows that are computed at once."""
        windows = torch.zeros(2, time_steps, features)
        scorer(windows)
        self._forward, self._forward_with_residuals, self._pullback = _programs(scorer, windows)
        for size in WARM_UP_SIZES:
            logits, pullback = self.vjp(windows[:1].expand(size, -1, -1))
            pullback(torch.zeros_like(logits))
            self(windows)

    def __call__(self, windows: Tensor) -> Tensor:
        """Compute the logits (batch, 3) of windows (batch, time, feature)."""
        windows = windows.detach()
        if windows.shape[0] <= self.block_rows:
            return self._forward(windows)[0]
        return torch.cat([self._forward(block)[0] for block in torch.split(windows, self.block_rows)])

    def vjp(self, windows: Tensor) -> tuple[Tensor, Pullback]:
        """Return the logits (batch, 3) of windows (batch, time, feature), and their pullback."""
        windows = windows.detach()
        if windows.shape[0] <= self.block_rows:
            logits, *residuals = self._forward_with_residuals(windows)
            return logits, lambda slope: self._pullback(slope, *residuals)[0]
        forward = [self._forward_with_residuals(block) for block in torch.split(windows, self.block_rows)]

        def pullback(slope: Tensor) -> Tensor:
            blocks = zip(torch.split(slope, self.block_rows), forward, strict=True)
            return torch.cat([self._pullback(block, *residuals)[0] for block, (_, *residuals) in blocks])

        return torch.cat([logits for logits, *_ in forward]), pullback


def _programs(scorer: Scorer, windows: Tensor) -> tuple[Program, Program, Program]:
    """Return forward, forward with residuals, and pullback: in closed form if there is one, otherwise recorded.

    Raises:
        NotRecordable: the network has no closed form and cannot be recorded.
    """
    steps, features = windows.shape[1:]
    network = scorer.network
    if isinstance(network, Conv1d) and steps <= MAX_UNROLLED_KERNELS * network.first.kernel:
        closed = Conv1dProgram(scorer, network, steps, features)
        return closed.forward, closed.forward, closed.pullback
    recorded = record(scorer, steps, features)
    _, *residuals = recorded.forward_with_residuals(windows)
    return (
        recorded.forward.compiled((windows,)),
        recorded.forward_with_residuals.compiled((windows,)),
        recorded.pullback.compiled((torch.zeros(2, 3), *residuals)),
    )


def compile_scorer(scorer: Scorer, time_steps: int, features: int) -> CompiledScorer | None:
    """Return a compiled scorer; None, with a warning in the log, if it cannot be compiled and must run eagerly.

    Args:
        scorer: to compile.
        time_steps: bars of a window.
        features: features of a bar.
    """
    try:
        return CompiledScorer(scorer, time_steps, features)
    except (NotRecordable, RuntimeError, AttributeError) as error:
        log.warning("%s runs uncompiled: %s", type(scorer.network).__name__, str(error).partition("\n")[0])
        return None
