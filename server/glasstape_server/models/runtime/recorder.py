"""Recording of a network's forward and backward pass as flat lists of operators.

A small network spends most of its time in Python and in autograd's bookkeeping. One forward and one backward pass are
therefore recorded operator by operator and replayed without either: the same operators on the same numbers, except for
a few backward steps that TorchScript cannot trace. `make_fx` of `torch.fx` records the same, but its import takes a
second and 100 MB.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode

from glasstape_server.models.runtime.recorded_program import (
    BatchMultiple,
    OperatorCall,
    RecordedProgram,
    TensorRef,
)
from glasstape_server.models.runtime.traceable import TRACEABLE, NotRecordable, Operator


class OperatorRecorder(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """Record every operator that runs while the context is entered."""

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.calls: list[OperatorCall] = []
        self.constants: dict[int, Tensor] = {}
        self._numbers: dict[int, int] = {}
        self._alive: list[Tensor] = []  # keeps the ids of tensors from being reused

    @classmethod
    def _should_skip_dynamo(cls) -> bool:
        # Otherwise the first operator imports the whole compiler, which is then not used.
        return False

    def number(self, tensor: Tensor) -> int:
        """Return the number of a tensor that is an input or was computed.

        Raises:
            NotRecordable: it is neither.
        """
        if id(tensor) not in self._numbers:
            raise NotRecordable("an output that no recorded operator computed")
        return self._numbers[id(tensor)]

    def add(self, tensor: Tensor) -> int:
        """Number a new tensor."""
        self._numbers[id(tensor)] = len(self._alive)
        self._alive.append(tensor)
        return len(self._alive) - 1

    def __torch_dispatch__(
        self, func: Operator, types: object, args: Sequence[Any] = (), kwargs: Mapping[str, Any] | None = None
    ) -> Any:
        if func._schema.is_mutable:
            raise NotRecordable(f"{func} changes its input")
        keywords = kwargs or {}
        arguments = tuple(self._by_number(argument) for argument in args)
        numbered_keywords = {name: self._by_number(argument) for name, argument in keywords.items()}
        out = func(*args, **keywords)
        outs = out if isinstance(out, tuple | list) else (out,)
        results = tuple(self.add(item) if isinstance(item, Tensor) else -1 for item in outs)
        self.calls.append(OperatorCall(func, arguments, numbered_keywords, results))
        return out

    def _by_number(self, argument: Any) -> Any:
        if isinstance(argument, Tensor):
            if id(argument) not in self._numbers:
                self.constants[self.add(argument)] = argument
            return TensorRef(self._numbers[id(argument)])
        if isinstance(argument, list | tuple):
            return [self._by_number(item) for item in argument]
        return argument


@dataclass(frozen=True, slots=True)
class RecordedNetwork:
    """Programs of one network, for any batch size."""

    forward: RecordedProgram
    """windows -> logits."""
    forward_with_residuals: RecordedProgram
    """windows -> logits and the intermediate tensors that the pullback needs."""
    pullback: RecordedProgram
    """d score / d logits and those tensors -> d score / d windows."""


def record(network: Callable[[Tensor], Tensor], time_steps: int, features: int) -> RecordedNetwork:
    """Record a forward and a backward pass at two batch sizes; arguments that differ depend on the batch size.

    The network must have run before, so that lazy initialization is not recorded.

    Args:
        network: windows (batch, time, feature), float32 -> logits (batch, 3).
        time_steps: bars of a window.
        features: features of a bar.

    Raises:
        NotRecordable: the network does something that cannot be replayed.
    """
    one, other = (_recorded(network, torch.zeros(rows, time_steps, features)) for rows in _BATCH_SIZES)
    if one.ends != other.ends or len(one.recorder.calls) != len(other.recorder.calls):
        raise NotRecordable("the operators depend on the batch size")
    calls = [_merged(a, b) for a, b in zip(one.recorder.calls, other.recorder.calls, strict=True)]
    constants = one.recorder.constants
    windows, slope, logits, gradient = one.ends
    ahead, behind = calls[: one.forward_calls], calls[one.forward_calls :]
    pullback = RecordedProgram.reduced(behind, constants, (slope,), (gradient,))
    computed = {number for call in ahead for number in call.results} | {windows}
    used = {number for call in pullback.calls for number in call.inputs()}
    residuals = sorted(computed & used)
    return RecordedNetwork(
        RecordedProgram.reduced(ahead, constants, (windows,), (logits,)),
        RecordedProgram.reduced(ahead, constants, (windows,), (logits, *residuals)),
        RecordedProgram(pullback.calls, pullback.constants, (slope, *residuals), (gradient,)),
    )


_BATCH_SIZES = (5, 7)
"""Batch sizes that are recorded: no other numbers of a network should have this ratio."""


@dataclass(frozen=True, slots=True)
class _Recording:
    recorder: OperatorRecorder
    ends: tuple[int, int, int, int]
    """Numbers of windows, slope, logits and gradient."""
    forward_calls: int
    """Operator calls of the forward pass."""


def _recorded(network: Callable[[Tensor], Tensor], windows: Tensor) -> _Recording:
    slope = torch.ones(len(windows), 3)
    recorder = OperatorRecorder()
    start, end = recorder.add(windows), recorder.add(slope)
    with recorder, torch.enable_grad():
        leaf = windows.detach().requires_grad_(True)
        logits = network(leaf)
        forward_calls = len(recorder.calls)
        # Of a sum, because passing grad_outputs to autograd.grad imports sympy.
        (gradient,) = torch.autograd.grad((logits * slope).sum(), leaf)
    ends = (start, end, recorder.number(logits), recorder.number(gradient))
    return _Recording(recorder, ends, forward_calls)


def _merged(one: OperatorCall, other: OperatorCall) -> OperatorCall:
    if (
        one.operator is not other.operator
        or one.results != other.results
        or set(one.keywords) != set(other.keywords)
    ):
        raise NotRecordable("the operators depend on the batch size")
    merged = OperatorCall(
        one.operator,
        tuple(_merged_argument(a, b) for a, b in zip(one.arguments, other.arguments, strict=True)),
        {name: _merged_argument(value, other.keywords[name]) for name, value in one.keywords.items()},
        one.results,
    )
    if merged.depends_on_batch_size and merged.operator not in TRACEABLE:
        raise NotRecordable(f"{merged.operator} with a size that depends on the batch size")
    return merged


def _merged_argument(one: Any, other: Any) -> Any:
    """Return an argument for any batch size.

    Raises:
        NotRecordable: it is neither equal for both batch sizes nor proportional to them.
    """
    if isinstance(one, list) and isinstance(other, list) and len(one) == len(other):
        return [_merged_argument(a, b) for a, b in zip(one, other, strict=True)]
    if one == other:
        return one
    few, many = _BATCH_SIZES
    if type(one) is int and type(other) is int and one % few == 0 and one // few * many == other:
        return BatchMultiple(one // few)
    raise NotRecordable(f"an argument that is {one} for {few} windows and {other} for {many}")
