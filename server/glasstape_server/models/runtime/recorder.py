"""A network's forward and its pullback as flat lists of operators, run by TorchScript.

Of a small network most of the time goes to Python and to autograd's bookkeeping, not to arithmetic. So one
forward and one backward are watched once, operator by operator, and replayed from then on without either:
the same operators on the same numbers, but for how a few backward steps are written. `torch.fx`'s make_fx
does that, too, and costs a second and 100 MB at start for what else it brings; nothing of it is needed here.
"""

import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode

from glasstape_server.models.runtime.traceable import TRACEABLE, NotRecordable, Operator


def _items(argument: Any) -> Sequence[Any]:
    return argument if isinstance(argument, list | tuple) else (argument,)


@dataclass(frozen=True, slots=True)
class _Value:
    """A tensor of the recording, by number."""

    number: int


@dataclass(frozen=True, slots=True)
class _Rows:
    """So many times the batch size."""

    times: int


@dataclass(frozen=True, slots=True)
class _Step:
    operator: Operator
    arguments: tuple[Any, ...]
    keywords: Mapping[str, Any]
    results: tuple[int, ...]

    @property
    def of_rows(self) -> bool:
        """Whether an argument depends on the batch size."""
        every = (*self.arguments, *self.keywords.values())
        return any(isinstance(item, _Rows) for given in every for item in _items(given))

    def uses(self) -> set[int]:
        """Numbers of the tensors that go in."""
        found: set[int] = set()
        for argument in (*self.arguments, *self.keywords.values()):
            for item in _items(argument):
                if isinstance(item, _Value):
                    found.add(item.number)
        return found


class Tape(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """Notes every operator that runs while it is entered."""

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.steps: list[_Step] = []
        self.constants: dict[int, Tensor] = {}
        self._numbers: dict[int, int] = {}
        self._alive: list[Tensor] = []  # keeps the ids of tensors from being given to others

    @classmethod
    def _should_skip_dynamo(cls) -> bool:
        # Otherwise the first operator imports the whole compiler, only to be hidden from it.
        return False

    def number(self, tensor: Tensor) -> int:
        """The number of a tensor that is an input or was computed.

        Raises:
            NotRecordable: it is neither.
        """
        if id(tensor) not in self._numbers:
            raise NotRecordable("an output that no recorded operator gave")
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
        noted = tuple(self._noted(argument) for argument in args)
        noted_keywords = {name: self._noted(argument) for name, argument in keywords.items()}
        out = func(*args, **keywords)
        outs = out if isinstance(out, tuple | list) else (out,)
        results = tuple(self.add(item) if isinstance(item, Tensor) else -1 for item in outs)
        self.steps.append(_Step(func, noted, noted_keywords, results))
        return out

    def _noted(self, argument: Any) -> Any:
        if isinstance(argument, Tensor):
            if id(argument) not in self._numbers:
                self.constants[self.add(argument)] = argument
            return _Value(self._numbers[id(argument)])
        if isinstance(argument, list | tuple):
            return [self._noted(item) for item in argument]
        return argument


@dataclass(frozen=True, slots=True)
class Program:
    """Steps from some tensors to others, without what nobody needs."""

    steps: Sequence[_Step]
    constants: Mapping[int, Tensor]
    inputs: Sequence[int]
    outputs: Sequence[int]

    @classmethod
    def of(
        cls,
        steps: Sequence[_Step],
        constants: Mapping[int, Tensor],
        inputs: Sequence[int],
        outputs: Sequence[int],
    ) -> "Program":
        """The steps that lead to `outputs`."""
        needed, kept = set(outputs), []
        for step in reversed(steps):
            if needed.intersection(step.results):
                kept.append(step)
                needed |= step.uses()
        return cls(kept[::-1], {n: t for n, t in constants.items() if n in needed}, inputs, outputs)

    def __call__(self, *given: Tensor) -> tuple[Tensor, ...]:
        """Run the steps one by one."""
        values = {**self.constants, **dict(zip(self.inputs, given, strict=True))}
        batch: Any = given[0].shape[0]  # while it is traced, a value like the others

        def value(argument: Any) -> Any:
            if isinstance(argument, _Value):
                return values[argument.number]
            if isinstance(argument, _Rows):
                return batch * argument.times
            return [value(item) for item in argument] if isinstance(argument, list) else argument

        for step in self.steps:
            operator: Operator = TRACEABLE.get(step.operator, step.operator)
            out = operator(
                *map(value, step.arguments), **{name: value(item) for name, item in step.keywords.items()}
            )
            outs = out if isinstance(out, tuple | list) else (out,)
            values.update(zip(step.results, outs, strict=True))
        return tuple(values[number] for number in self.outputs)

    def scripted(self, example: Sequence[Tensor]) -> "Script":
        """The program as TorchScript, for batches of any size."""
        with warnings.catch_warnings():
            # TorchScript is in maintenance: where a later torch no longer has it, `Compiled` runs eagerly.
            warnings.simplefilter("ignore")
            return torch.jit.trace(lambda *given: self(*given), tuple(example), check_trace=False)  # type: ignore[no-untyped-call,no-any-return]


Script = Callable[..., tuple[Tensor, ...]]


@dataclass(frozen=True, slots=True)
class Recorded:
    """One network, for batches of any size."""

    forward: Program
    """windows -> logits."""
    keeping: Program
    """windows -> logits and what the pullback needs."""
    pullback: Program
    """d score / d logits, and what was kept -> d score / d windows."""


def record(network: Callable[[Tensor], Tensor], time_steps: int, features: int) -> Recorded:
    """Watch one forward and one backward, of two batch sizes: what differs between them is the batch size.

    The network must have run before: what it prepares at its first run is no part of it.

    Raises:
        NotRecordable: it does something that cannot be replayed.
    """
    one, other = (_watched(network, torch.zeros(rows, time_steps, features)) for rows in _ROWS)
    if one.ends != other.ends or len(one.tape.steps) != len(other.tape.steps):
        raise NotRecordable("it does one thing with few windows and another with many")
    steps = [_merged(a, b) for a, b in zip(one.tape.steps, other.tape.steps, strict=True)]
    constants = one.tape.constants
    start, slope, answer, back = one.ends
    ahead, behind = steps[: one.passed], steps[one.passed :]
    pullback = Program.of(behind, constants, (slope,), (back,))
    made = {number for step in ahead for number in step.results} | {start}
    used = {number for step in pullback.steps for number in step.uses()}
    kept = sorted(made & used)
    return Recorded(
        Program.of(ahead, constants, (start,), (answer,)),
        Program.of(ahead, constants, (start,), (answer, *kept)),
        Program(pullback.steps, pullback.constants, (slope, *kept), (back,)),
    )


_ROWS = (5, 7)
"""Batch sizes that are watched: no other number of a network should be in this ratio."""


@dataclass(frozen=True, slots=True)
class _Watched:
    tape: Tape
    ends: tuple[int, int, int, int]
    """Numbers of windows, slope, logits and gradient."""
    passed: int
    """Steps of the forward pass."""


def _watched(network: Callable[[Tensor], Tensor], windows: Tensor) -> _Watched:
    slope = torch.ones(len(windows), 3)
    tape = Tape()
    start, end = tape.add(windows), tape.add(slope)
    with tape, torch.enable_grad():
        leaf = windows.detach().requires_grad_(True)
        logits = network(leaf)
        passed = len(tape.steps)
        # As a sum: grad's check of slopes given apart imports all of sympy.
        (gradient,) = torch.autograd.grad((logits * slope).sum(), leaf)
    return _Watched(tape, (start, end, tape.number(logits), tape.number(gradient)), passed)


def _merged(one: _Step, other: _Step) -> _Step:
    if (
        one.operator is not other.operator
        or one.results != other.results
        or set(one.keywords) != set(other.keywords)
    ):
        raise NotRecordable("it does one thing with few windows and another with many")
    merged = _Step(
        one.operator,
        tuple(_same(a, b) for a, b in zip(one.arguments, other.arguments, strict=True)),
        {name: _same(value, other.keywords[name]) for name, value in one.keywords.items()},
        one.results,
    )
    if merged.of_rows and merged.operator not in TRACEABLE:
        raise NotRecordable(f"{merged.operator} with a size that depends on the batch")
    return merged


def _same(one: Any, other: Any) -> Any:
    """An argument for any batch size."""
    if isinstance(one, list) and isinstance(other, list) and len(one) == len(other):
        return [_same(a, b) for a, b in zip(one, other, strict=True)]
    if one == other:
        return one
    few, many = _ROWS
    if type(one) is int and type(other) is int and one % few == 0 and one // few * many == other:
        return _Rows(one // few)
    raise NotRecordable(f"an argument that is {one} with {few} windows and {other} with {many}")
