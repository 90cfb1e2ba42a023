"""A recorded function of tensors as a flat list of ATen operators, and its compilation to TorchScript."""

import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from glasstape_server.models.runtime.traceable import TRACEABLE, Operator

CompiledFunction = Callable[..., tuple[Tensor, ...]]


@dataclass(frozen=True, slots=True)
class TensorRef:
    """A tensor of the recording, by number."""

    number: int


@dataclass(frozen=True, slots=True)
class BatchMultiple:
    """An integer argument that is a multiple of the batch size."""

    factor: int


@dataclass(frozen=True, slots=True)
class OperatorCall:
    """One recorded operator with its arguments; tensors are `TensorRef`."""

    operator: Operator
    arguments: tuple[Any, ...]
    keywords: Mapping[str, Any]
    results: tuple[int, ...]
    """Numbers of the tensors it returned; -1 for other values."""

    @property
    def depends_on_batch_size(self) -> bool:
        """Whether an argument is a multiple of the batch size."""
        every = (*self.arguments, *self.keywords.values())
        return any(isinstance(item, BatchMultiple) for argument in every for item in _items(argument))

    def inputs(self) -> set[int]:
        """Return the numbers of the tensors it takes."""
        every = (*self.arguments, *self.keywords.values())
        return {item.number for argument in every for item in _items(argument) if isinstance(item, TensorRef)}


@dataclass(frozen=True, slots=True)
class RecordedProgram:
    """Operator calls that compute some tensors from others."""

    calls: Sequence[OperatorCall]
    constants: Mapping[int, Tensor]
    inputs: Sequence[int]
    outputs: Sequence[int]

    @classmethod
    def reduced(
        cls,
        calls: Sequence[OperatorCall],
        constants: Mapping[int, Tensor],
        inputs: Sequence[int],
        outputs: Sequence[int],
    ) -> "RecordedProgram":
        """Return the program without the calls that `outputs` do not depend on."""
        needed, kept = set(outputs), []
        for call in reversed(calls):
            if needed.intersection(call.results):
                kept.append(call)
                needed |= call.inputs()
        return cls(kept[::-1], {n: t for n, t in constants.items() if n in needed}, inputs, outputs)

    def __call__(self, *inputs: Tensor) -> tuple[Tensor, ...]:
        """Run the calls one by one; the first input's first axis is the batch."""
        values = {**self.constants, **dict(zip(self.inputs, inputs, strict=True))}
        batch: Any = inputs[0].shape[0]  # symbolic while TorchScript traces this

        def value(argument: Any) -> Any:
            if isinstance(argument, TensorRef):
                return values[argument.number]
            if isinstance(argument, BatchMultiple):
                return batch * argument.factor
            return [value(item) for item in argument] if isinstance(argument, list) else argument

        for call in self.calls:
            operator: Operator = TRACEABLE.get(call.operator, call.operator)
            out = operator(
                *map(value, call.arguments), **{name: value(item) for name, item in call.keywords.items()}
            )
            outs = out if isinstance(out, tuple | list) else (out,)
            values.update(zip(call.results, outs, strict=True))
        return tuple(values[number] for number in self.outputs)

    def compiled(self, example: Sequence[Tensor]) -> CompiledFunction:
        """Return the program as TorchScript, for any batch size.

        Args:
            example: inputs to trace with, each (n, ...).
        """
        with warnings.catch_warnings():
            # TorchScript is in maintenance. If a later torch drops it, `compile_scorer` falls back to eager mode.
            warnings.simplefilter("ignore")
            return torch.jit.trace(lambda *inputs: self(*inputs), tuple(example), check_trace=False)  # type: ignore[no-untyped-call,no-any-return]


def _items(argument: Any) -> Sequence[Any]:
    return argument if isinstance(argument, list | tuple) else (argument,)
