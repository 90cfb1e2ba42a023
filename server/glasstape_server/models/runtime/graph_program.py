"""A function of tensors with a fixed number of rows, captured as a CUDA graph."""

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext

import torch
from torch import Tensor

_WARM_UP_RUNS = 3


class GraphProgram:
    """Function captured once and replayed from then on, from host buffers to host buffers.

    On a CPU the function runs uncaptured.
    """

    def __init__(
        self, function: Callable[..., tuple[Tensor, ...]], examples: Sequence[Tensor], device: torch.device
    ) -> None:
        """Capture a function.

        Args:
            function: to capture; takes tensors like `examples`.
            examples: of its arguments, on the host; their rows are the capacity.
            device: to compute on.
        """
        self._on_gpu = device.type == "cuda"
        self._staging = [self._host(example, len(example)) for example in examples]
        self._inputs = [example.to(device, copy=True) for example in examples]
        self._stream = torch.cuda.Stream(device) if self._on_gpu else None  # type: ignore[no-untyped-call]
        self._function = function
        with self._on_stream():
            for _ in range(_WARM_UP_RUNS):
                outputs = function(*self._inputs)
        self._graph: torch.cuda.CUDAGraph | None = None
        if self._on_gpu:
            torch.cuda.synchronize(device)
            self._graph = torch.cuda.CUDAGraph()
            # thread_local: other models serve on another thread meanwhile.
            with torch.cuda.graph(self._graph, stream=self._stream, capture_error_mode="thread_local"):
                outputs = function(*self._inputs)
        self._outputs = outputs

    def allocate(self, rows: int) -> tuple[Tensor, ...]:
        """Allocate host memory for the results of `rows` rows, each (rows, ...)."""
        return tuple(self._host(output, rows) for output in self._outputs)

    def launch(self, arguments: Sequence[Tensor], results: Sequence[Tensor]) -> None:
        """Start computing; call `wait` before the next launch and before reading the results.

        Args:
            arguments: on the host, each (n, ...), n at most the capacity.
            results: host memory, each (n, ...).
        """
        rows = len(arguments[0])
        with self._on_stream():
            for source, staging, device in zip(arguments, self._staging, self._inputs, strict=True):
                if not (self._on_gpu and source.is_pinned()):
                    source = staging[:rows].copy_(source)
                device[:rows].copy_(source, non_blocking=True)
            if self._graph is not None:
                self._graph.replay()
            else:
                self._outputs = self._function(*self._inputs)
            for output, host in zip(self._outputs, results, strict=True):
                host.copy_(output[:rows], non_blocking=True)

    def wait(self) -> None:
        """Wait until the launched computation is done."""
        if self._stream is not None:
            self._stream.synchronize()

    def _host(self, like: Tensor, rows: int) -> Tensor:
        return torch.empty((rows, *like.shape[1:]), dtype=like.dtype, pin_memory=self._on_gpu)

    def _on_stream(self) -> AbstractContextManager[object]:
        return nullcontext() if self._stream is None else torch.cuda.stream(self._stream)
