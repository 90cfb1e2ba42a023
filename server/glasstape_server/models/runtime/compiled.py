"""A scorer that is compiled ahead, forwards and backwards, for batches of any size.

Nothing is ever compiled while somebody waits for an answer. Large batches go in blocks that fit the cache.
"""

import logging
from collections.abc import Callable

import torch
from torch import Tensor

from glasstape_server.models.runtime.recorder import record
from glasstape_server.models.runtime.traceable import NotRecordable
from glasstape_server.models.scorer import Scorer

log = logging.getLogger(__name__)

BLOCK_ROWS = 512
"""Windows of 6 x 8 that are computed at once; of larger windows fewer, in proportion."""
WARM_SIZES = (1, 2, 3)
"""TorchScript looks at its first runs, and is at its own speed after them."""

Pullback = Callable[[Tensor], Tensor]
"""d score / d logits (batch, 3) -> d score / d windows (batch, time, feature). To be called once."""


class Compiled:
    """Windows (batch, time, feature) -> logits (batch, 3), as the scorer itself, faster."""

    @torch.no_grad()
    def __init__(self, scorer: Scorer, time_steps: int, features: int) -> None:
        """Compile and warm; takes a fraction of a second.

        Raises:
            NotRecordable: the network cannot be compiled.
        """
        self.scorer = scorer
        self._block = max(1, BLOCK_ROWS * 48 // (time_steps * features))
        windows = torch.zeros(2, time_steps, features)
        scorer(windows)
        recorded = record(scorer, time_steps, features)
        made = recorded.keeping(windows)
        self._forward = recorded.forward.scripted((windows,))
        self._keeping = recorded.keeping.scripted((windows,))
        self._pullback = recorded.pullback.scripted((torch.zeros(2, 3), *made[1:]))
        for size in WARM_SIZES:
            logits, pullback = self.pull(windows[:1].expand(size, -1, -1))
            pullback(torch.zeros_like(logits))
            self(windows)

    @torch.no_grad()
    def __call__(self, windows: Tensor) -> Tensor:
        """Logits."""
        if len(windows) <= self._block:
            return self._forward(windows)[0]
        return torch.cat([self._forward(block)[0] for block in torch.split(windows, self._block)])

    @torch.no_grad()
    def pull(self, windows: Tensor) -> tuple[Tensor, Pullback]:
        """Logits, and what takes a slope at the logits back to the windows."""
        made = [self._keeping(block) for block in torch.split(windows.detach(), self._block)]

        @torch.no_grad()
        def pullback(slope: Tensor) -> Tensor:
            blocks = zip(torch.split(slope, self._block), made, strict=True)
            return _joined([self._pullback(block, *kept[1:])[0] for block, kept in blocks])

        return _joined([logits for logits, *_ in made]), pullback


def _joined(parts: list[Tensor]) -> Tensor:
    return parts[0] if len(parts) == 1 else torch.cat(parts)


def compiled(scorer: Scorer, time_steps: int, features: int) -> Compiled | None:
    """A compiled scorer; None, with a line in the log, if it cannot be compiled: it runs as it is, then."""
    try:
        return Compiled(scorer, time_steps, features)
    except (NotRecordable, RuntimeError, AttributeError) as error:
        log.warning("%s runs uncompiled: %s", type(scorer.network).__name__, str(error).partition("\n")[0])
        return None
