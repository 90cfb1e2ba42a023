"""Predict and Explain of many calls at once: encoded requests in, encoded responses out, free of any wire.

Calls about ready windows, which are nearly all where speed matters, are read, run and answered by the
batch and never touch the event loop. Everything else takes the long way through `Inference`, one task a call.
"""

import asyncio
import logging
from collections.abc import Callable, Sequence
from typing import Any, Protocol, TypeVar

import numpy as np
from glasstape.v1 import inference_pb2 as pb
from google.protobuf.message import Message

from glasstape_server.domain.errors import GlasstapeError
from glasstape_server.domain.values import Call
from glasstape_server.engine.job import Job, Lane
from glasstape_server.engine.work import Explain, Forecast, Work
from glasstape_server.explain.method import MethodName, Request
from glasstape_server.models.model import Model
from glasstape_server.rpc.answers import Answer, Explained, Incoming, Predicted, Reply
from glasstape_server.rpc.convert import packed
from glasstape_server.rpc.convert.explanations import request_from
from glasstape_server.rpc.handlers import parsed, unexpected
from glasstape_server.serving.carried import bad_cell, check_framing, good_rows
from glasstape_server.serving.inference import BULK_ITEMS, Inference

log = logging.getLogger(__name__)

M = TypeVar("M", bound=Message)


class Rpc(Protocol):
    """One method of the service, for a batch of calls."""

    def __call__(self, incoming: Sequence[Incoming]) -> None:
        """Take calls; each is answered later."""
        ...


_Given = tuple[Incoming, pb.Windows]


class Batched:
    """Predict and Explain for one wire."""

    def __init__(self, inference: Inference, reply: Reply) -> None:
        """Made on the event loop that the long way takes."""
        self._inference = inference
        self._engine = inference.engine
        self._reply = reply
        self._loop = asyncio.get_running_loop()
        self._tasks: dict[Incoming, asyncio.Task[None]] = {}
        self._predicted = Predicted(reply)
        self._explained: dict[pb.QualityLevel.ValueType, Explained] = {}

    def predict(self, incoming: Sequence[Incoming]) -> None:
        """Take Predict calls, on any thread."""
        answers: list[Answer] = []
        asked: dict[Model, list[_Given]] = {}
        for one in incoming:
            try:
                message = parsed(pb.PredictRequest, one.payload)
                windows = message.input.windows
                if message.input.WhichOneof("source") != "windows":
                    self._go_the_long_way(one, message, self._inference.predict)
                    continue
                model = self._inference.inputs.model(message.model)
                check_framing(windows.count, len(windows.data), model)
                self._inference.quotas.charge_windows(one.call.principal, windows.count)
                asked.setdefault(model, []).append((one, windows))
            except GlasstapeError as error:
                answers.append((one, error))
        jobs = [
            job for model, given in asked.items() for job in _jobs(Forecast(model), given, self._predicted)
        ]
        self._queue(jobs, answers)

    def explain(self, incoming: Sequence[Incoming]) -> None:
        """Take Explain calls, on any thread."""
        answers: list[Answer] = []
        asked: dict[tuple[Explain, Explained], list[_Given]] = {}
        for one in incoming:
            try:
                message = parsed(pb.ExplainRequest, one.payload)
                request = request_from(message)
                if not _is_plain(message, request):
                    self._go_the_long_way(one, message, self._inference.explain)
                    continue
                model = self._inference.inputs.model(message.model)
                if max(model.window_shape) > packed.MOST_CELLS_ACROSS:
                    self._go_the_long_way(one, message, self._inference.explain)
                    continue
                quality = message.quality or pb.QUALITY_LEVEL_FAST
                owner = self._explained.setdefault(quality, Explained(self._reply, quality))
                windows = message.input.windows
                check_framing(windows.count, len(windows.data), model)
                work = Explain(model, request)
                self._inference.quotas.charge_passes(one.call.principal, windows.count * work.passes)
                asked.setdefault((work, owner), []).append((one, windows))
            except GlasstapeError as error:
                answers.append((one, error))
        jobs = [job for (work, owner), given in asked.items() for job in _jobs(work, given, owner)]
        self._queue(jobs, answers)

    def cancel(self, incoming: Incoming) -> None:
        """The caller of a call went away, or its deadline passed; on any thread."""
        incoming.call.cancelled = True
        self._loop.call_soon_threadsafe(self._cancel_task, incoming)

    def _queue(self, jobs: Sequence[Job[Incoming]], answers: list[Answer]) -> None:
        answers += [(job.tag, error) for job, error in self._engine.submit(jobs)]
        if answers:
            self._reply(answers)

    def _go_the_long_way(self, one: Incoming, message: M, function: Callable[[M, Call], Any]) -> None:
        self._loop.call_soon_threadsafe(self._start_task, one, message, function)

    def _start_task(self, one: Incoming, message: M, function: Callable[[M, Call], Any]) -> None:
        if not one.call.cancelled:
            task = self._tasks[one] = self._loop.create_task(self._answer(one, message, function))
            task.add_done_callback(lambda _: self._tasks.pop(one, None))

    async def _answer(self, one: Incoming, message: M, function: Callable[[M, Call], Any]) -> None:
        answer: bytes | GlasstapeError
        try:
            answer = (await function(message, one.call)).SerializeToString()
        except GlasstapeError as error:
            answer = error
        except Exception as error:
            answer = unexpected(error, function.__qualname__)
        self._reply([(one, answer)])

    def _cancel_task(self, incoming: Incoming) -> None:
        if incoming in self._tasks:
            self._tasks[incoming].cancel()


def _is_plain(message: pb.ExplainRequest, request: Request) -> bool:
    """Whether a call asks for gradient maps of ready windows, with no more than the fast checks."""
    return (
        message.input.WhichOneof("source") == "windows"
        and request.method in (MethodName.GRADIENT, MethodName.GRADIENT_X_INPUT)
        and request.baseline is None
        and not request.checked
    )


def _jobs(
    work: Forecast | Explain, asked: Sequence[_Given], owner: "Predicted | Explained"
) -> list[Job[Incoming]]:
    """One job for each call, all of them views of one array."""
    # Of a bytearray, because torch wants to be able to write.
    windows = np.frombuffer(bytearray().join([given.data for _, given in asked]), dtype="<f4")
    windows = windows.reshape(-1, *work.model.window_shape)
    good = good_rows(windows)
    clean = windows if good.all() else np.where(good[:, None, None], windows, np.float32(0))
    jobs, first = [], 0
    for incoming, given in asked:
        end = first + given.count
        if clean is not windows and not good[first:end].all():
            bad = np.flatnonzero(~good[first:end]).tolist()
            incoming.bad = {row: bad_cell(row, windows[first + row], work.model) for row in bad}
        lane = _lane(work, given.count)
        jobs.append(Job(work, (clean[first:end],), lane, incoming.call, owner, incoming))
        first = end
    return jobs


def _lane(work: Work, count: int) -> Lane:
    if isinstance(work, Explain):
        return Lane.EXPLAIN
    return Lane.BULK if count > BULK_ITEMS else Lane.INTERACTIVE
