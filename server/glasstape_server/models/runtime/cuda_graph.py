"""A scorer on an accelerator: everything it computes is a captured graph of fixed size.

Kernels of so small a network run for microseconds, and launching them one by one takes longer than they do. A
CUDA graph launches all of them at once, from and to buffers that never move. Rows are padded to the next
bucket; what the padding computes is thrown away. On a CPU the same programs run uncaptured, as the tests do.
"""

import copy
import logging
from collections import deque
from collections.abc import Callable, Hashable, Iterable, Sequence
from contextlib import AbstractContextManager, nullcontext
from typing import Protocol

import torch
from torch import Tensor

from glasstape_server.models.runtime.compiled import Pullback
from glasstape_server.models.scorer import Scorer

log = logging.getLogger(__name__)

BUCKETS = (8, 64, 512, 2048, 4096, 10_240)
"""Rows of a graph. More of them than the largest go in turns through several sets of buffers."""
SETS = 2
"""Of buffers, each with a stream of its own: while one computes, the other is filled and emptied."""
_WARM_RUNS = 3


class Head(Hashable, Protocol):
    """A question about the logits whose answer's slope is taken back to the windows."""

    def on(self, logits: Tensor) -> tuple[Tensor, ...]:
        """d score / d logits (batch, 3), and whatever else belongs to the answer, batch first.

        Made of operators whose shapes depend on the batch size alone.
        """
        ...


class Program:
    """One function of tensors with `rows` rows, from host to host: captured once, replayed from then on."""

    def __init__(
        self, function: Callable[..., tuple[Tensor, ...]], given: Sequence[Tensor], device: torch.device
    ) -> None:
        """Capture.

        Args:
            function: what to compute, of tensors like `given`.
            given: examples of its arguments, on the host, with the bucket's rows.
            device: where.
        """
        self._on_gpu = device.type == "cuda"
        self._given = [self._host(example, len(example)) for example in given]
        self._inputs = [example.to(device, copy=True) for example in given]
        self._stream = torch.cuda.Stream(device) if self._on_gpu else None  # type: ignore[no-untyped-call]
        self._function = function
        with self._streamed():
            for _ in range(_WARM_RUNS):
                outputs = function(*self._inputs)
        self._graph: torch.cuda.CUDAGraph | None = None
        if self._on_gpu:
            torch.cuda.synchronize(device)
            self._graph = torch.cuda.CUDAGraph()
            # thread_local: other models answer on their own thread meanwhile.
            with torch.cuda.graph(self._graph, stream=self._stream, capture_error_mode="thread_local"):
                outputs = function(*self._inputs)
        self._outputs = outputs

    def room(self, rows: int) -> tuple[Tensor, ...]:
        """Memory on the host for results of so many rows."""
        return tuple(self._host(output, rows) for output in self._outputs)

    def launch(self, given: Sequence[Tensor], into: Sequence[Tensor]) -> None:
        """Begin with as many rows or fewer. `wait` before the next, and before the results are read."""
        rows = len(given[0])
        with self._streamed():
            for source, staging, device in zip(given, self._given, self._inputs, strict=True):
                if not (self._on_gpu and source.is_pinned()):
                    source = staging[:rows].copy_(source)
                device[:rows].copy_(source, non_blocking=True)
            if self._graph is not None:
                self._graph.replay()
            else:
                self._outputs = self._function(*self._inputs)
            for output, host in zip(self._outputs, into, strict=True):
                host.copy_(output[:rows], non_blocking=True)

    def wait(self) -> None:
        """Until what was launched is done."""
        if self._stream is not None:
            self._stream.synchronize()

    def _host(self, like: Tensor, rows: int) -> Tensor:
        return torch.empty((rows, *like.shape[1:]), dtype=like.dtype, pin_memory=self._on_gpu)

    def _streamed(self) -> AbstractContextManager[object]:
        return nullcontext() if self._stream is None else torch.cuda.stream(self._stream)


class Graphed:
    """Windows (batch, time, feature) -> logits (batch, 3) on an accelerator, from host to host."""

    def __init__(
        self,
        scorer: Scorer,
        time_steps: int,
        features: int,
        device: torch.device | str,
        heads: Iterable[Head] = (),
        buckets: Sequence[int] = BUCKETS,
    ) -> None:
        """Capture every program; takes seconds.

        Args:
            scorer: the network, on the host, where it stays for whoever looks at its activations.
            time_steps: of a window.
            features: of a window.
            device: where to compute.
            heads: questions that are answered in one go; `both` takes no others.
            buckets: rows of the programs, ascending. Those that do not fit the memory are left out.

        Raises:
            torch.OutOfMemoryError: not even the smallest fits.
        """
        self.scorer = scorer
        self._device = torch.device(device)
        if self._device.type == "cuda":  # exact float32, as on the host
            torch.backends.cuda.matmul.allow_tf32 = False
            torch.backends.cudnn.allow_tf32 = False
        self._network = copy.deepcopy(scorer).to(self._device)
        self._shape = (time_steps, features)
        self._heads = frozenset(heads)
        self.buckets: tuple[int, ...] = ()
        """Rows of the programs that there are."""
        self._programs: dict[tuple[object, int], list[Program]] = {}
        for bucket in buckets:
            try:
                self._capture(bucket)
            except torch.OutOfMemoryError:
                self._forget(bucket)
                if not self.buckets:
                    raise
                log.warning("%s: no memory for %d rows at once", self._device, bucket)
                break
            self.buckets = (*self.buckets, bucket)

    def __call__(self, windows: Tensor) -> Tensor:
        """Logits."""
        return self._run(_LOGITS, (windows,))[0]

    def answers(self, head: Head) -> bool:
        """Whether `both` takes a question."""
        return head in self._heads

    def both(self, windows: Tensor, head: Head) -> tuple[Tensor, Tensor, tuple[Tensor, ...]]:
        """Logits, d score / d windows, and the answer: one graph.

        Raises:
            KeyError: the head is none that was captured.
        """
        logits, gradient, *answer = self._run(head, (windows,))
        return logits, gradient, tuple(answer)

    def pull(self, windows: Tensor) -> tuple[Tensor, Pullback]:
        """Logits, and what takes a slope at the logits back to the windows, by going forwards once more."""
        windows = windows.detach()
        return self(windows), lambda slope: self._run(_PULL, (windows, slope))[0]

    def _capture(self, bucket: int) -> None:
        windows, slope = torch.zeros(bucket, *self._shape), torch.zeros(bucket, 3)
        functions: dict[object, tuple[Callable[..., tuple[Tensor, ...]], tuple[Tensor, ...]]] = {
            _LOGITS: (self._logits, (windows,)),
            _PULL: (self._pulled, (windows, slope)),
        }
        for head in self._heads:
            functions[head] = (lambda rows, head=head: self._answered(rows, head), (windows,))
        for key, (function, given) in functions.items():
            programs = (Program(function, given, self._device) for _ in range(SETS))
            self._programs[key, bucket] = list(programs)

    def _forget(self, bucket: int) -> None:
        self._programs = {key: kept for key, kept in self._programs.items() if key[1] != bucket}
        if self._device.type == "cuda":
            torch.cuda.empty_cache()

    def _run(self, key: object, given: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
        try:
            return self._blocks(key, given)
        except torch.OutOfMemoryError:
            largest = self.buckets[-1]
            if len(self.buckets) == 1:
                raise
            self.buckets = self.buckets[:-1]
            self._forget(largest)
            log.warning("%s: out of memory, at most %d rows at once now", self._device, self.buckets[-1])
            return self._blocks(key, given)

    def _blocks(self, key: object, given: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
        """Pieces as large as the largest bucket, launched ahead of those that are waited for."""
        size = self.buckets[-1]
        blocks = [slice(first, first + size) for first in range(0, max(len(given[0]), 1), size)]
        flying: deque[Program] = deque()
        made: tuple[Tensor, ...] = ()
        for number, block in enumerate(blocks):
            rows = [tensor[block] for tensor in given]
            program = self._program(key, len(rows[0]), number)
            made = made or program.room(len(given[0]))
            if len(flying) == SETS:
                flying.popleft().wait()
            program.launch(rows, [tensor[block] for tensor in made])
            flying.append(program)
        for program in flying:
            program.wait()
        return made

    def _program(self, key: object, rows: int, number: int) -> Program:
        bucket = next(size for size in self.buckets if size >= rows)
        return self._programs[key, bucket][number % SETS]

    @torch.no_grad()
    def _logits(self, windows: Tensor) -> tuple[Tensor, ...]:
        return (self._network(windows),)

    @torch.enable_grad()
    def _pulled(self, windows: Tensor, slope: Tensor) -> tuple[Tensor, ...]:
        leaf = windows.detach().requires_grad_(True)
        return torch.autograd.grad((self._network(leaf) * slope).sum(), leaf)

    @torch.enable_grad()
    def _answered(self, windows: Tensor, head: Head) -> tuple[Tensor, ...]:
        leaf = windows.detach().requires_grad_(True)
        logits = self._network(leaf)
        slope, *answer = head.on(logits.detach())
        (gradient,) = torch.autograd.grad((logits * slope).sum(), leaf)
        return (logits.detach(), gradient, *answer)


_LOGITS, _PULL = "logits", "pull"
