"""Predict and Explain of many calls at once: encoded requests in, encoded responses out, for any wire.

Two paths. Calls of ready windows (`input.windows`) are run and encoded by the batch: Predict, and Explain with a
gradient map that needs no baseline of the caller and no checks of quality FULL. Every other call is one task of the
event loop that runs `Inference`.

Requests are parsed on the thread that passes them on: that of the native wire, or the event loop on grpcio. If that
thread may compute and the device is idle, it also runs and encodes a small batch; larger ones, and what comes while the
device is busy, are jobs of the engine.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any, Generic, Protocol, TypeVar

from glasstape.v1 import inference_pb2 as pb
from google.protobuf.message import Message

from glasstape_server.domain.arrays import Float32s
from glasstape_server.domain.calls import Call, Principal
from glasstape_server.domain.errors import GlasstapeError
from glasstape_server.engine.work import ExplainWork, ForecastWork
from glasstape_server.explain.method import MethodName
from glasstape_server.models.model import Model
from glasstape_server.rpc.call_group import CallGroup, CallTarget
from glasstape_server.rpc.calls import (
    Answer,
    ExplainResponder,
    PendingCall,
    PredictResponder,
    Reply,
    Responder,
)
from glasstape_server.rpc.convert.encoder import Encoder
from glasstape_server.rpc.convert.explanations import explain_response_to
from glasstape_server.rpc.convert.packed import PackedEncoder
from glasstape_server.rpc.convert.predictions import predict_response_to
from glasstape_server.rpc.convert.requests import explain_request_from, predict_request_from
from glasstape_server.rpc.handlers import internal_error, parsed
from glasstape_server.rpc.ready_requests import R, ReadyRequest, RequestReader
from glasstape_server.serving.inference import INLINE_ITEMS, Inference
from glasstape_server.serving.requests import ExplainRequest, Include, PredictRequest, QualityLevel
from glasstape_server.serving.windows import check_framing

M = TypeVar("M", bound=Message)
T = TypeVar("T")


class BatchMethod(Protocol):
    """One method of the service, for a batch of calls."""

    def __call__(self, incoming: Sequence[PendingCall]) -> None:
        """Take calls; each is answered later."""
        ...


INLINE_PASSES = 1024
"""Passes of a batch up to which the thread that brings calls computes it; new calls wait meanwhile."""


MAX_TARGETS = 64
"""Targets that are kept, so that calls of later requests may share a batch with earlier ones."""
Work = ForecastWork | ExplainWork


@dataclass(frozen=True, slots=True)
class _Method(Generic[R]):
    """What differs between Predict and Explain."""

    requests: RequestReader[R]
    target: Callable[[R, Model], tuple[Work, Responder] | None]
    """None: the call is a task."""
    charge: Callable[[Principal, int], None]
    """Charge a caller for passes."""
    task: Callable[[Any, Call], Awaitable[Message]]
    """Takes the message, or the request of a call that carries ready windows."""


class BatchedInference:
    """Predict and Explain for one wire."""

    def __init__(
        self, inference: Inference, reply: Reply, encoder: Encoder | None = None, *, computes: bool = False
    ) -> None:
        """Make it on the event loop that runs the calls which are not batched.

        Args:
            inference: computes.
            reply: sends answers.
            encoder: encodes answers; default: `PackedEncoder`.
            computes: whether the thread that passes calls on may compute small batches.
        """
        self._inference = inference
        self._engine = inference.engine
        self._reply = reply
        self._inline_passes = INLINE_PASSES if computes else 0
        self._loop = asyncio.get_running_loop()
        self._tasks: dict[PendingCall, asyncio.Task[None]] = {}
        self._encoder = encoder or PackedEncoder()
        quotas = inference.quotas
        self._predict_method = _Method(
            RequestReader(_read_predict), self._predict_target, quotas.charge_windows, self._predict
        )
        self._explain_method = _Method(
            RequestReader(_read_explain), self._explain_target, quotas.charge_passes, self._explain
        )
        self._predict_responder = PredictResponder(reply, self._encoder)
        self._explain_responders: dict[tuple[QualityLevel, Include], ExplainResponder] = {}
        self._targets: dict[tuple[Work, Responder], CallTarget] = {}

    def predict(self, incoming: Sequence[PendingCall]) -> None:
        """Take Predict calls, on one thread."""
        self._take(incoming, self._predict_method)

    def explain(self, incoming: Sequence[PendingCall]) -> None:
        """Take Explain calls, on one thread."""
        self._take(incoming, self._explain_method)

    def _take(self, incoming: Sequence[PendingCall], method: "_Method[Any]") -> None:
        answers: list[Answer] = []
        groups: dict[CallTarget, CallGroup] = {}
        for pending in incoming:
            try:
                read = method.requests.read(pending.payload)
                if isinstance(read, Message):
                    self._start(pending, method.task, read)
                    continue
                ready, data = read
                target = self._target(method, ready, data)
                if target is None:
                    self._start(pending, method.task, ready.with_data(data))
                    continue
                count = ready.windows.count
                method.charge(pending.principal, count * target.work.passes)
                group = groups.get(target)
                if group is None:
                    group = groups[target] = CallGroup(target)
                group.add(pending, count, data)
            except GlasstapeError as error:
                answers.append((pending, error))
        self._run(groups.values(), answers)

    def _target(self, method: "_Method[Any]", ready: ReadyRequest[Any], data: bytes) -> CallTarget | None:
        """Return where a call goes, once its framing is checked; None: it is a task.

        Raises:
            NotFound: no such model.
            InvalidArgument: the framing of the windows is wrong.
        """
        model = self._inference.inputs.model(ready.request.model)
        target = ready.target
        if target is None or target.work.model is not model:
            found = method.target(ready.request, model)
            if found is None:
                return None
            check_framing(replace(ready.windows, data=data), model)
            if target is not None or len(self._targets) >= MAX_TARGETS:
                self._targets.clear()  # the model was replaced, or there are too many
            target = ready.target = self._targets.setdefault(found, CallTarget(*found))
        return target

    def cancel(self, incoming: PendingCall) -> None:
        """Cancel a call whose caller went away, or whose deadline passed; on any thread."""
        incoming.canceled = True
        self._loop.call_soon_threadsafe(self._cancel_task, incoming)

    def _predict_target(self, request: PredictRequest, model: Model) -> "tuple[Work, Responder]":
        return ForecastWork(model), self._predict_responder

    def _explain_target(self, request: ExplainRequest, model: Model) -> "tuple[Work, Responder] | None":
        if not _is_batchable(request, model):
            return None
        key = (request.quality, request.include)
        responder = self._explain_responders.get(key)
        if responder is None:
            responder = self._explain_responders[key] = ExplainResponder(self._reply, self._encoder, *key)
        return ExplainWork(model, request.method_request), responder

    def _run(self, groups: Iterable[CallGroup], answers: list[Answer]) -> None:
        """Compute groups here, or queue them; send answers of calls that failed."""
        for group in groups:
            windows = group.windows()
            if not self._run_here(group, windows):
                rejected = self._engine.submit(group.jobs(windows))
                answers += [(job.tag, error) for job, error in rejected]
        if answers:
            self._reply(answers)

    def _run_here(self, group: CallGroup, windows: Float32s) -> bool:
        """Compute and answer a group on this thread; return whether it was done."""
        now = time.monotonic()
        if group.passes > self._inline_passes or any(pending.is_over(now) for pending in group.calls):
            return False
        queued = now - group.calls[0].received
        try:
            result = self._engine.run_if_idle(group.work, (windows,), group.lane, queued)
            if result is None:
                return False
            outputs, seconds = result
            group.target.responder.answer(
                group.work, group.calls, (windows,), outputs, [(queued, seconds)] * len(group.calls)
            )
        except Exception as error:  # must not end the thread of the wire
            group.target.responder.fail(group.calls, error)
        return True

    async def _predict(self, message: pb.PredictRequest | PredictRequest, call: Call) -> Message:
        if isinstance(message, Message):
            message = await _converted(predict_request_from, message)
        predictions = await self._inference.predict(message, call)
        return await _encoded(predict_response_to, predictions, len(predictions.items))

    async def _explain(self, message: pb.ExplainRequest | ExplainRequest, call: Call) -> Message:
        if isinstance(message, Message):
            message = await _converted(explain_request_from, message)
        explained = await self._inference.explain(message, call)
        return await _encoded(explain_response_to, explained, len(explained.items))

    def _start(
        self, pending: PendingCall, method: Callable[[Any, Call], Awaitable[Message]], request: object
    ) -> None:
        self._loop.call_soon_threadsafe(self._start_task, pending, method, request)

    def _start_task(
        self, pending: PendingCall, method: Callable[[Any, Call], Awaitable[Message]], request: object
    ) -> None:
        if not pending.canceled:
            task = self._tasks[pending] = self._loop.create_task(self._answer(pending, method, request))
            task.add_done_callback(lambda _: self._tasks.pop(pending, None))

    async def _answer(
        self, pending: PendingCall, method: Callable[[Any, Call], Awaitable[Message]], request: object
    ) -> None:
        answer: bytes | GlasstapeError
        try:
            answer = (await method(request, pending)).SerializeToString()
        except GlasstapeError as error:
            answer = error
        except Exception as error:
            answer = internal_error(error, getattr(method, "__qualname__", "call"))
        self._reply([(pending, answer)])

    def _cancel_task(self, incoming: PendingCall) -> None:
        if incoming in self._tasks:
            self._tasks[incoming].cancel()


def _read_predict(payload: bytes) -> PredictRequest | Message:
    message = parsed(pb.PredictRequest, payload)
    has_windows = message.input.WhichOneof("source") == "windows"
    return predict_request_from(message) if has_windows else message


def _read_explain(payload: bytes) -> ExplainRequest | Message:
    message = parsed(pb.ExplainRequest, payload)
    has_windows = message.input.WhichOneof("source") == "windows"
    return explain_request_from(message) if has_windows else message


async def _converted(convert: Callable[[M], T], message: M) -> T:
    """Convert a request; one that carries bars on a worker thread, since it may carry many."""
    if message.input.WhichOneof("source") == "bars":  # type: ignore[attr-defined]
        return await asyncio.to_thread(convert, message)
    return convert(message)


async def _encoded(convert: Callable[[T], Message], value: T, items: int) -> Message:
    """Make a response; one of many items on a worker thread."""
    return convert(value) if items <= INLINE_ITEMS else await asyncio.to_thread(convert, value)


_BATCHABLE = frozenset(
    {
        MethodName.GRADIENT,
        MethodName.GRADIENT_X_INPUT,
        MethodName.SCALED_GRADIENT,
        MethodName.SCALED_PATH_GRADIENT,
    }
)


def _is_batchable(request: ExplainRequest, model: Model) -> bool:
    """Whether a call asks for maps of gradients, which the model has, with no more than the fast checks."""
    method_request = request.method_request
    return (
        model.scorer.differentiable
        and method_request.method in _BATCHABLE
        and method_request.baseline is None
        and not method_request.checked
    )
