"""Predict and Explain of many calls at once: encoded requests in, encoded responses out, for any wire.

Two paths. Calls of ready windows (`input.windows`) are run and encoded by the batch: Predict, and Explain with GRADIENT
or GRADIENT_X_INPUT, without a baseline and without the checks of quality FULL. Every other call is one task of the
event loop that runs `Inference`. Requests are parsed on the thread that passes them on: that of the native wire, or the
event loop on grpcio.
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, Protocol, TypeVar

import numpy as np
from glasstape.v1 import inference_pb2 as pb
from google.protobuf.message import Message

from glasstape_server.domain.calls import Call
from glasstape_server.domain.errors import GlasstapeError
from glasstape_server.engine.job import Job, Lane
from glasstape_server.engine.work import ExplainWork, ForecastWork
from glasstape_server.explain.method import MethodName
from glasstape_server.models.model import Model
from glasstape_server.rpc.calls import Answer, ExplainResponder, PendingCall, PredictResponder, Reply
from glasstape_server.rpc.convert.encoder import Encoder
from glasstape_server.rpc.convert.explanations import explain_response_to
from glasstape_server.rpc.convert.packed import PackedEncoder
from glasstape_server.rpc.convert.predictions import predict_response_to
from glasstape_server.rpc.convert.requests import explain_request_from, predict_request_from, windows_from
from glasstape_server.rpc.handlers import internal_error, parsed
from glasstape_server.serving.inference import INLINE_ITEMS, Inference, predict_lane
from glasstape_server.serving.requests import ExplainRequest, Include, PredictRequest, QualityLevel, Windows
from glasstape_server.serving.windows import bad_cell, check_framing, valid_rows

M = TypeVar("M", bound=Message)
T = TypeVar("T")


class BatchMethod(Protocol):
    """One method of the service, for a batch of calls."""

    def __call__(self, incoming: Sequence[PendingCall]) -> None:
        """Take calls; each is answered later."""
        ...


_Ready = tuple[PendingCall, Windows]
"""A call whose request carries windows."""


class BatchedInference:
    """Predict and Explain for one wire."""

    def __init__(self, inference: Inference, reply: Reply, encoder: Encoder | None = None) -> None:
        """Make it on the event loop that runs the calls which are not batched.

        Args:
            inference: computes.
            reply: sends answers.
            encoder: encodes answers; default: `PackedEncoder`.
        """
        self._inference = inference
        self._engine = inference.engine
        self._reply = reply
        self._loop = asyncio.get_running_loop()
        self._tasks: dict[PendingCall, asyncio.Task[None]] = {}
        self._encoder = encoder or PackedEncoder()
        self._predict_responder = PredictResponder(reply, self._encoder)
        self._explain_responders: dict[tuple[QualityLevel, Include], ExplainResponder] = {}

    def predict(self, incoming: Sequence[PendingCall]) -> None:
        """Take Predict calls, on any thread."""
        answers: list[Answer] = []
        ready: dict[Model, list[_Ready]] = {}
        for pending in incoming:
            try:
                message = parsed(pb.PredictRequest, pending.payload)
                if message.input.WhichOneof("source") != "windows":
                    self._start(pending, self._predict, message)
                    continue
                model = self._inference.inputs.model(message.model)
                windows = windows_from(message.input.windows)
                check_framing(windows, model)
                self._inference.quotas.charge_windows(pending.call.principal, windows.count)
                ready.setdefault(model, []).append((pending, windows))
            except GlasstapeError as error:
                answers.append((pending, error))
        jobs = [
            job
            for model, calls in ready.items()
            for job in _jobs(ForecastWork(model), calls, self._predict_responder)
        ]
        self._queue(jobs, answers)

    def explain(self, incoming: Sequence[PendingCall]) -> None:
        """Take Explain calls, on any thread."""
        answers: list[Answer] = []
        ready: dict[tuple[ExplainWork, ExplainResponder], list[_Ready]] = {}
        for pending in incoming:
            try:
                message = parsed(pb.ExplainRequest, pending.payload)
                if message.input.WhichOneof("source") != "windows":
                    self._start(pending, self._explain, message)
                    continue
                request = explain_request_from(message)
                if not _is_batchable(request):
                    self._start(pending, self._explain, request)
                    continue
                assert isinstance(request.source, Windows)
                model, windows = self._inference.inputs.model(request.model), request.source
                check_framing(windows, model)
                work = ExplainWork(model, request.method_request)
                self._inference.quotas.charge_passes(pending.call.principal, windows.count * work.passes)
                ready.setdefault((work, self._explain_responder(request)), []).append((pending, windows))
            except GlasstapeError as error:
                answers.append((pending, error))
        jobs = [job for (work, responder), calls in ready.items() for job in _jobs(work, calls, responder)]
        self._queue(jobs, answers)

    def cancel(self, incoming: PendingCall) -> None:
        """Cancel a call whose caller went away, or whose deadline passed; on any thread."""
        incoming.call.canceled = True
        self._loop.call_soon_threadsafe(self._cancel_task, incoming)

    def _explain_responder(self, request: ExplainRequest) -> ExplainResponder:
        key = (request.quality, request.include)
        if key not in self._explain_responders:
            self._explain_responders[key] = ExplainResponder(self._reply, self._encoder, *key)
        return self._explain_responders[key]

    def _queue(self, jobs: Sequence[Job[PendingCall]], answers: list[Answer]) -> None:
        answers += [(job.tag, error) for job, error in self._engine.submit(jobs)]
        if answers:
            self._reply(answers)

    async def _predict(self, message: pb.PredictRequest, call: Call) -> Message:
        request: PredictRequest = await _converted(predict_request_from, message)
        predictions = await self._inference.predict(request, call)
        return await _encoded(predict_response_to, predictions, len(predictions.items))

    async def _explain(self, message: "pb.ExplainRequest | ExplainRequest", call: Call) -> Message:
        if isinstance(message, ExplainRequest):
            request = message
        else:
            request = await _converted(explain_request_from, message)
        explained = await self._inference.explain(request, call)
        return await _encoded(explain_response_to, explained, len(explained.items))

    def _start(
        self, pending: PendingCall, method: Callable[[Any, Call], Awaitable[Message]], request: object
    ) -> None:
        self._loop.call_soon_threadsafe(self._start_task, pending, method, request)

    def _start_task(
        self, pending: PendingCall, method: Callable[[Any, Call], Awaitable[Message]], request: object
    ) -> None:
        if not pending.call.canceled:
            task = self._tasks[pending] = self._loop.create_task(self._answer(pending, method, request))
            task.add_done_callback(lambda _: self._tasks.pop(pending, None))

    async def _answer(
        self, pending: PendingCall, method: Callable[[Any, Call], Awaitable[Message]], request: object
    ) -> None:
        answer: bytes | GlasstapeError
        try:
            answer = (await method(request, pending.call)).SerializeToString()
        except GlasstapeError as error:
            answer = error
        except Exception as error:
            answer = internal_error(error, getattr(method, "__qualname__", "call"))
        self._reply([(pending, answer)])

    def _cancel_task(self, incoming: PendingCall) -> None:
        if incoming in self._tasks:
            self._tasks[incoming].cancel()


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


def _is_batchable(request: ExplainRequest) -> bool:
    """Whether a call asks for maps of gradients with no more than the fast checks."""
    method_request = request.method_request
    return (
        method_request.method in _BATCHABLE and method_request.baseline is None and not method_request.checked
    )


def _jobs(
    work: ForecastWork | ExplainWork, calls: Sequence[_Ready], responder: PredictResponder | ExplainResponder
) -> list[Job[PendingCall]]:
    """Return one job for each call, all of them views of one array."""
    # Of a bytearray, because torch requires writable memory.
    values = np.frombuffer(bytearray().join([windows.data for _, windows in calls]), dtype="<f4")
    values = values.reshape(-1, *work.model.window_shape)
    valid = valid_rows(values)
    clean = values if valid.all() else np.where(valid[:, None, None], values, np.float32(0))
    jobs, first = [], 0
    for incoming, windows in calls:
        end = first + windows.count
        if clean is not values and not valid[first:end].all():
            rows = np.flatnonzero(~valid[first:end]).tolist()
            incoming.invalid = {row: bad_cell(row, values[first + row], work.model) for row in rows}
        lane = Lane.EXPLAIN if isinstance(work, ExplainWork) else predict_lane(windows.count)
        jobs.append(Job(work, (clean[first:end],), lane, incoming.call, responder, incoming))
        first = end
    return jobs
