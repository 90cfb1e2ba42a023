"""Scorer on an accelerator, as CUDA graphs of fixed batch sizes.

Kernels of a small network run for microseconds; launching them one by one takes longer. A CUDA graph launches all of
them at once, on buffers that never move. Rows are padded to the next bucket, and the padding is discarded.
"""

import copy
import logging
from collections import deque
from collections.abc import Callable, Hashable, Iterable, Sequence
from typing import Protocol

import torch
from torch import Tensor

from glasstape_server.models.runtime.compiled_scorer import Pullback
from glasstape_server.models.runtime.graph_program import GraphProgram
from glasstape_server.models.scorer import Scorer

log = logging.getLogger(__name__)

BUCKETS = (8, 64, 512, 2048, 4096, 10_240)
"""Batch sizes of the graphs. Larger batches alternate between several buffer sets of the largest."""
BUFFER_SETS = 2
"""Buffer sets, each with its own stream: while one computes, the other is filled and read."""

CapturedFunction = Callable[..., tuple[Tensor, ...]]


class ScoreHead(Hashable, Protocol):
    """Score of the logits whose gradient can be captured in one graph with the forward pass."""

    def slope_and_state(self, logits: Tensor) -> tuple[Tensor, ...]:
        """Return d score / d logits (batch, 3), and any other tensors of the score, batch first.

        Their shapes must depend on the batch size alone.
        """
        ...


class GraphedScorer:
    """Windows (batch, time, feature) -> logits (batch, 3), float32, computed on an accelerator."""

    def __init__(
        self,
        scorer: Scorer,
        time_steps: int,
        features: int,
        device: torch.device | str,
        heads: Iterable[ScoreHead] = (),
        buckets: Sequence[int] = BUCKETS,
        program: type[GraphProgram] = GraphProgram,
    ) -> None:
        """Capture every graph; takes seconds.

        Args:
            scorer: on the host, where it stays for methods that read its activations.
            time_steps: bars of a window.
            features: features of a bar.
            device: to compute on.
            heads: scores that `forward_and_gradient` accepts.
            buckets: batch sizes of the graphs, ascending. Those that do not fit the memory are left out.
            program: class of the captured functions.

        Raises:
            torch.OutOfMemoryError: not even the smallest bucket fits.
        """
        self.scorer = scorer
        self._device = torch.device(device)
        if self._device.type == "cuda":  # exact float32, as on the host
            torch.backends.cuda.matmul.allow_tf32 = False
            torch.backends.cudnn.allow_tf32 = False
        self._network = copy.deepcopy(scorer).to(self._device)
        self._shape = (time_steps, features)
        self._heads = frozenset(heads)
        self._program_type = program
        self.buckets: tuple[int, ...] = ()
        """Batch sizes that were captured, ascending."""
        self._programs: dict[tuple[object, int], list[GraphProgram]] = {}
        for bucket in buckets:
            try:
                self._capture(bucket)
            except torch.OutOfMemoryError:
                self._release(bucket)
                if not self.buckets:
                    raise
                log.warning("%s: not enough memory for batches of %d rows", self._device, bucket)
                break
            self.buckets = (*self.buckets, bucket)

    def __call__(self, windows: Tensor) -> Tensor:
        """Compute the logits (batch, 3) of windows (batch, time, feature)."""
        return self._run(_LOGITS, (windows,))[0]

    def has_head(self, head: ScoreHead) -> bool:
        """Return whether `forward_and_gradient` accepts a score."""
        return head in self._heads

    def forward_and_gradient(
        self, windows: Tensor, head: ScoreHead
    ) -> tuple[Tensor, Tensor, tuple[Tensor, ...]]:
        """Compute logits, gradient and state of a score in one graph.

        Args:
            windows: (batch, time, feature).
            head: one of those that were captured.

        Returns:
            logits (batch, 3), d score / d windows (batch, time, feature), and the state of the score.

        Raises:
            KeyError: the score was not captured.
        """
        logits, gradient, *state = self._run(head, (windows,))
        return logits, gradient, tuple(state)

    def vjp(self, windows: Tensor) -> tuple[Tensor, Pullback]:
        """Return the logits (batch, 3) of windows (batch, time, feature), and a pullback that repeats the forward."""
        windows = windows.detach()
        return self(windows), lambda slope: self._run(_PULLBACK, (windows, slope))[0]

    def _capture(self, bucket: int) -> None:
        windows, slope = torch.zeros(bucket, *self._shape), torch.zeros(bucket, 3)
        functions: dict[object, tuple[CapturedFunction, tuple[Tensor, ...]]] = {
            _LOGITS: (self._logits, (windows,)),
            _PULLBACK: (self._pullback, (windows, slope)),
        }
        for head in self._heads:
            functions[head] = (lambda rows, head=head: self._with_gradient(rows, head), (windows,))
        for key, (function, examples) in functions.items():
            self._programs[key, bucket] = [
                self._program_type(function, examples, self._device) for _ in range(BUFFER_SETS)
            ]

    def _release(self, bucket: int) -> None:
        self._programs = {key: kept for key, kept in self._programs.items() if key[1] != bucket}
        if self._device.type == "cuda":
            torch.cuda.empty_cache()

    def _run(self, key: object, arguments: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
        try:
            return self._run_blocks(key, arguments)
        except torch.OutOfMemoryError:
            largest = self.buckets[-1]
            if len(self.buckets) == 1:
                raise
            self.buckets = self.buckets[:-1]
            self._release(largest)
            log.warning("%s: out of memory; batches now have at most %d rows", self._device, self.buckets[-1])
            return self._run_blocks(key, arguments)

    def _run_blocks(self, key: object, arguments: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
        """Run blocks of the largest bucket, launching each before the previous one is awaited."""
        size = self.buckets[-1]
        blocks = [slice(first, first + size) for first in range(0, max(len(arguments[0]), 1), size)]
        in_flight: deque[GraphProgram] = deque()
        results: tuple[Tensor, ...] = ()
        for number, block in enumerate(blocks):
            rows = [tensor[block] for tensor in arguments]
            program = self._program(key, len(rows[0]), number)
            results = results or program.allocate(len(arguments[0]))
            if len(in_flight) == BUFFER_SETS:
                in_flight.popleft().wait()
            program.launch(rows, [tensor[block] for tensor in results])
            in_flight.append(program)
        for program in in_flight:
            program.wait()
        return results

    def _program(self, key: object, rows: int, number: int) -> GraphProgram:
        bucket = next(size for size in self.buckets if size >= rows)
        return self._programs[key, bucket][number % BUFFER_SETS]

    @torch.no_grad()
    def _logits(self, windows: Tensor) -> tuple[Tensor, ...]:
        return (self._network(windows),)

    @torch.enable_grad()
    def _pullback(self, windows: Tensor, slope: Tensor) -> tuple[Tensor, ...]:
        leaf = windows.detach().requires_grad_(True)
        return torch.autograd.grad((self._network(leaf) * slope).sum(), leaf)

    @torch.enable_grad()
    def _with_gradient(self, windows: Tensor, head: ScoreHead) -> tuple[Tensor, ...]:
        leaf = windows.detach().requires_grad_(True)
        logits = self._network(leaf)
        slope, *state = head.slope_and_state(logits.detach())
        (gradient,) = torch.autograd.grad((logits * slope).sum(), leaf)
        return (logits.detach(), gradient, *state)


_LOGITS, _PULLBACK = "logits", "pullback"
