"""Predict and Explain of many calls at once: encoded requests in, encoded responses out, free of any wire.

Calls about ready windows, which are nearly all where speed matters, are read, run and answered by the
batch and never touch the event loop. Everything else takes the long way through `Inference`, one task a call.
"""

import asyncio
import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol, TypeVar

import numpy as np
from glasstape.v1 import inference_pb2 as pb
from google.protobuf.message import Message

from glasstape_server.domain import Call, Float32s
from glasstape_server.engine.job import Job, Lane
from glasstape_server.engine.work import Columns, Explain, Forecast, Maps, Work, forecasts
from glasstape_server.errors import GlasstapeError, Internal
from glasstape_server.explain.catalogue import METHODS
from glasstape_server.explain.method import MethodName, Request
from glasstape_server.models.model import Model
from glasstape_server.rpc.carried import bad_cell, check_framing, good_rows
from glasstape_server.rpc.convert import packed
from glasstape_server.rpc.convert.explanations import request_from
from glasstape_server.rpc.convert.inference import prediction_to
from glasstape_server.rpc.convert.layout import Layout, key, prefixed, varint
from glasstape_server.rpc.explanations import Wanted, explained
from glasstape_server.rpc.handlers import parsed
from glasstape_server.rpc.inference import BULK_ITEMS, Inference
from glasstape_server.rpc.items import Item

log = logging.getLogger(__name__)

M = TypeVar("M", bound=Message)


@dataclass(slots=True, eq=False)
class Incoming:
    """One call, as a wire hands it over."""

    payload: bytes
    """The encoded request."""
    call: Call
    tag: Any
    """The wire's own."""
    bad: dict[int, GlasstapeError] | None = None
    """Rows that are no windows, with what is wrong with them; zeros were computed in their place."""


Answer = tuple[Incoming, bytes | GlasstapeError]
Reply = Callable[[Sequence[Answer]], None]
"""Takes answers to the wire they came from. Called on any thread, once for each call that was not cancelled."""


class Rpc(Protocol):
    """One method of the service, for a batch of calls."""

    def __call__(self, incoming: Sequence[Incoming]) -> None:
        """Take calls; each is answered later."""
        ...


@dataclass(frozen=True, slots=True)
class _Plain:
    """A request about ready windows: most of what is asked."""

    model: str
    count: int
    data: bytes


_Given = tuple[Incoming, _Plain]


class _Seen:
    """Reads Predict requests like ones that were read before.

    A request of ready windows is a few bytes and then the windows, up to its end. What comes before the windows
    says how all of it is read: so of a request that is as long as another and begins with the same bytes,
    everything is known but the windows. Only requests in the order of their fields are remembered, as every
    protobuf library writes them.
    """

    def __init__(self) -> None:
        self._heads: dict[int, int] = {}
        """Bytes before the windows of the last request of a length."""
        self._known: dict[bytes, tuple[str, int]] = {}

    def plain(self, payload: bytes) -> _Plain | None:
        """What a request asks, if it is like one before."""
        head = self._heads.get(len(payload))
        known = None if head is None else self._known.get(payload[:head])
        return None if known is None else _Plain(*known, payload[head:])

    def remember(self, payload: bytes, plain: _Plain) -> None:
        """A request was read in full and found right."""
        windows = Layout(pb.Windows).constant(key(pb.Windows, "count") + varint(plain.count))
        windows.data("data", len(plain.data))
        source = Layout(pb.PredictRequest)
        if plain.model:
            source.constant(prefixed(pb.PredictRequest, "model", plain.model.encode()))
        source.message("input", Layout(pb.Input).message("windows", windows))
        head = len(source) - len(plain.data)
        if len(payload) != len(source) or payload[:head] != source.template[:head]:
            return
        if (
            len(self._known) >= _MOST_SEEN
        ):  # whoever sends everything in a new shape shall not fill the memory
            self._heads.clear()
            self._known.clear()
        self._heads[len(payload)] = head
        self._known[payload[:head]] = (plain.model, plain.count)


_MOST_SEEN = 1024


class Batched:
    """Predict and Explain for one wire."""

    def __init__(self, inference: Inference, reply: Reply) -> None:
        """Made on the event loop that the long way takes."""
        self._inference = inference
        self._engine = inference.engine
        self._reply = reply
        self._loop = asyncio.get_running_loop()
        self._tasks: dict[Incoming, asyncio.Task[None]] = {}
        self._seen = _Seen()
        self._predicted = _Predicted(reply)
        self._explained: dict[pb.QualityLevel.ValueType, _Explained] = {}

    def predict(self, incoming: Sequence[Incoming]) -> None:
        """Take Predict calls, on any thread."""
        answers: list[Answer] = []
        asked: dict[Model, list[_Given]] = {}
        for one in incoming:
            try:
                known = plain = self._seen.plain(one.payload)
                if plain is None:
                    message = parsed(pb.PredictRequest, one.payload)
                    if message.input.WhichOneof("source") != "windows":
                        self._go_the_long_way(one, message, self._inference.predict)
                        continue
                    plain = _plain(message.model, message.input.windows)
                model = self._inference.inputs.model(plain.model)
                check_framing(plain.count, len(plain.data), model)
                if known is None:
                    self._seen.remember(one.payload, plain)
                asked.setdefault(model, []).append((one, plain))
            except GlasstapeError as error:
                answers.append((one, error))
        jobs = [
            job for model, given in asked.items() for job in _jobs(Forecast(model), given, self._predicted)
        ]
        self._queue(jobs, answers)

    def explain(self, incoming: Sequence[Incoming]) -> None:
        """Take Explain calls, on any thread."""
        answers: list[Answer] = []
        asked: dict[tuple[Explain, _Explained], list[_Given]] = {}
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
                owner = self._explained.setdefault(quality, _Explained(self._reply, quality))
                plain = _plain(message.model, message.input.windows)
                check_framing(plain.count, len(plain.data), model)
                asked.setdefault((Explain(model, request), owner), []).append((one, plain))
            except GlasstapeError as error:
                answers.append((one, error))
        jobs = [job for (work, owner), given in asked.items() for job in _jobs(work, given, owner)]
        self._queue(jobs, answers)

    def cancel(self, incoming: Incoming) -> None:
        """The caller of a call went away, or its deadline passed; on any thread."""
        incoming.call.cancelled = True
        self._loop.call_soon_threadsafe(self._cancel_task, incoming)

    def _queue(self, jobs: Sequence[Job], answers: list[Answer]) -> None:
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


class _Predicted:
    """Answers Predict calls from the device thread."""

    def __init__(self, reply: Reply) -> None:
        self._reply = reply

    def finished(self, jobs: Sequence[Job], rows: Columns, columns: Columns) -> None:
        model = jobs[0].work.model  # type: ignore[attr-defined]  # its jobs are all `Forecast`
        encoded = packed.predictions(model, forecasts(model, rows[0], columns[0]))
        size, data, first, answers = encoded.shape[1], encoded.tobytes(), 0, []
        for job in jobs:
            body = data[first * size : (first + len(job)) * size]
            if job.tag.bad:
                body = self._with_errors(model, body, size, job.tag.bad)
            time = packed.timing(pb.PredictResponse, job.queue_seconds, job.compute_seconds)
            answers.append((job.tag, body + time))
            first += len(job)
        self._reply(answers)

    def failed(self, jobs: Sequence[Job], error: Exception) -> None:
        _fail(self._reply, jobs, error, "Predict")

    @staticmethod
    def _with_errors(model: Model, body: bytes, size: int, bad: dict[int, GlasstapeError]) -> bytes:
        parts = []
        for row in range(len(body) // size):
            if row in bad:
                item = Item(model=model, error=bad[row])
                parts.append(pb.PredictResponse(predictions=[prediction_to(item, None)]).SerializeToString())
            else:
                parts.append(body[row * size : (row + 1) * size])
        return b"".join(parts)


class _Explained:
    """Answers Explain calls of one quality level from the device thread."""

    def __init__(self, reply: Reply, quality: pb.QualityLevel.ValueType) -> None:
        self._reply = reply
        self._quality = quality

    def finished(self, jobs: Sequence[Job], rows: Columns, columns: Columns) -> None:
        work: Explain = jobs[0].work  # type: ignore[assignment]  # its jobs are all `Explain`
        model, method = work.model, METHODS[work.request.method]
        windows, maps = rows[0], Maps.of(columns)
        encoder = packed.explanations(model, method.quantity, self._quality)
        ordinary = encoder.ordinary(maps)
        alike = bool(ordinary.all())
        data, sizes = encoder.encode(windows, forecasts(model, windows, maps.logits), maps)
        ends = np.concatenate([[0], sizes.cumsum()])
        first, answers, about = 0, [], self._about(work)
        for job in jobs:
            end, bad = first + len(job), job.tag.bad or {}
            if bad or not (alike or ordinary[first:end].all()):
                body = b"".join(
                    data[ends[row] : ends[row + 1]]
                    if ordinary[row] and row - first not in bad
                    else self._apart(work, windows, maps, row, bad.get(row - first))
                    for row in range(first, end)
                )
            else:
                body = data[ends[first] : ends[end]]
            time = packed.timing(pb.ExplainResponse, job.queue_seconds, job.compute_seconds)
            answers.append((job.tag, body + about + time))
            first = end
        self._reply(answers)

    def failed(self, jobs: Sequence[Job], error: Exception) -> None:
        _fail(self._reply, jobs, error, "Explain")

    def _apart(
        self, work: Explain, windows: Float32s, maps: Maps, row: int, error: GlasstapeError | None
    ) -> bytes:
        """An explanation that is not like the others."""
        item = Item(model=work.model, window=windows[row], error=error)
        made = pb.Explanation(prediction=prediction_to(item, None))
        if error is None:
            wanted = Wanted(work.request, self._quality, with_windows=False)
            own = maps.row(row)
            confidence = forecasts(work.model, windows[row : row + 1], own.logits).confidence(0)
            made = explained(item, work.model, windows[row], confidence, own, wanted)
        return pb.ExplainResponse(explanations=[made]).SerializeToString()

    @staticmethod
    def _about(work: Explain) -> bytes:
        baseline = METHODS[work.request.method].default_baseline
        about = pb.ExplainResponse(
            method=pb.Method.ValueType(int(work.request.method)),
            score=pb.Score.ValueType(int(work.request.question.score)),
            baseline=pb.Baseline.ValueType(int(baseline)) if baseline else pb.BASELINE_UNSPECIFIED,
        )
        return about.SerializeToString()


def unexpected(error: Exception, what: str) -> Internal:
    """What a caller is told of an error that nobody foresaw; the log gets the whole of it."""
    log.error("%s failed", what, exc_info=error)
    return Internal("INTERNAL", "internal error; the server's log has it")


def _fail(reply: Reply, jobs: Sequence[Job], error: Exception, what: str) -> None:
    told = error if isinstance(error, GlasstapeError) else unexpected(error, what)
    reply([(job.tag, told) for job in jobs])


def _plain(model: str, windows: pb.Windows) -> _Plain:
    return _Plain(model, windows.count, windows.data)


def _is_plain(message: pb.ExplainRequest, request: Request) -> bool:
    """Whether a call asks for gradient maps of ready windows, with no more than the fast checks."""
    return (
        message.input.WhichOneof("source") == "windows"
        and request.method in (MethodName.GRADIENT, MethodName.GRADIENT_X_INPUT)
        and request.baseline is None
        and not request.checked
    )


def _jobs(work: Forecast | Explain, asked: Sequence[_Given], owner: "_Predicted | _Explained") -> list[Job]:
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
