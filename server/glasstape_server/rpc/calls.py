"""Calls that a wire has received, and their answers, encoded by the batch on the thread that computed it."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Protocol

from glasstape.v1 import inference_pb2 as pb

from glasstape_server.domain.calls import Call
from glasstape_server.domain.errors import GlasstapeError
from glasstape_server.domain.signals import ModelRef
from glasstape_server.engine.job import Job
from glasstape_server.engine.work import Arrays, ExplainWork, ForecastWork, Maps, forecasts
from glasstape_server.explain.method import Request
from glasstape_server.rpc.convert import packed
from glasstape_server.rpc.convert.encoder import Encoded, Encoder
from glasstape_server.rpc.convert.explanations import failure_to, request_to
from glasstape_server.rpc.convert.predictions import ModelTable, prediction_to, ref_to
from glasstape_server.rpc.handlers import internal_error
from glasstape_server.serving.explanation import MapBatch
from glasstape_server.serving.items import Item
from glasstape_server.serving.requests import Include, QualityLevel


@dataclass(slots=True, eq=False, kw_only=True)
class PendingCall(Call):
    """One call, as a wire received it."""

    payload: bytes
    """The encoded request."""
    received: float
    """Time at which it was received, by `time.monotonic`."""
    tag: Any
    """The wire's own."""
    count: int = 0
    """Ready windows that it carries."""
    invalid: dict[int, GlasstapeError] | None = None
    """Errors of windows with bad cells, by row; zeros were computed in their place."""


Answer = tuple[PendingCall, bytes | GlasstapeError]
Reply = Callable[[Sequence[Answer]], None]
"""Sends answers on the wire they came from. Called on any thread, once for each call that was not canceled."""


class Responder(Protocol):
    """Answers the calls of one work, as one batch on the thread that computed it, or as a callback of their jobs."""

    def answer(
        self,
        work: Any,
        calls: Sequence[PendingCall],
        inputs: Arrays,
        outputs: Arrays,
        seconds: Sequence[tuple[float, float]],
    ) -> None:
        """Encode and send the answers of calls.

        Args:
            work: of the calls.
            calls: in the order of their rows.
            inputs: of the work.
            outputs: of the work.
            seconds: of each call, in the queue and on the device.
        """
        ...

    def fail(self, calls: Sequence[PendingCall], error: Exception) -> None:
        """Send the error of calls whose batch failed."""
        ...

    def finished(self, jobs: Sequence[Job[PendingCall]], inputs: Arrays, outputs: Arrays) -> None:
        """See `JobCallback.finished`."""
        seconds = [(job.queue_seconds, job.compute_seconds) for job in jobs]
        self.answer(jobs[0].work, [job.tag for job in jobs], inputs, outputs, seconds)

    def failed(self, jobs: Sequence[Job[PendingCall]], error: Exception) -> None:
        """See `JobCallback.failed`."""
        self.fail([job.tag for job in jobs], error)


class PredictResponder(Responder):
    """Answers Predict calls."""

    def __init__(self, reply: Reply, encoder: Encoder) -> None:
        self._reply = reply
        self._encoder = encoder

    def answer(
        self,
        work: ForecastWork,
        calls: Sequence[PendingCall],
        inputs: Arrays,
        outputs: Arrays,
        seconds: Sequence[tuple[float, float]],
    ) -> None:
        """See `Responder.answer`."""
        encoded = self._encoder.predictions(work.model, forecasts(work.model, inputs[0], *outputs))
        common = _common_prediction_fields(work.model.ref)
        timings = packed.timings(pb.PredictResponse, seconds)
        self._reply(_answers(encoded, calls, common, timings, _prediction_problem))

    def fail(self, calls: Sequence[PendingCall], error: Exception) -> None:
        """See `Responder.fail`."""
        _fail(self._reply, calls, error, "Predict")


class ExplainResponder(Responder):
    """Answers Explain calls of one quality level and include."""

    def __init__(self, reply: Reply, encoder: Encoder, quality: QualityLevel, include: Include) -> None:
        self._reply = reply
        self._encoder = encoder
        self._quality = quality
        self._include = include

    def answer(
        self,
        work: ExplainWork,
        calls: Sequence[PendingCall],
        inputs: Arrays,
        outputs: Arrays,
        seconds: Sequence[tuple[float, float]],
    ) -> None:
        """See `Responder.answer`."""
        windows, maps = inputs[0], Maps.of(outputs)
        stated = forecasts(work.model, windows, maps.logits)
        encoded = self._encoder.explanations(
            MapBatch(work, self._quality, self._include, windows, stated, maps)
        )
        common = _common_explanation_fields(work.request, work.model.ref)
        timings = packed.timings(pb.ExplainResponse, seconds)
        self._reply(_answers(encoded, calls, common, timings, _explanation_problem))

    def fail(self, calls: Sequence[PendingCall], error: Exception) -> None:
        """See `Responder.fail`."""
        _fail(self._reply, calls, error, "Explain")


@lru_cache(maxsize=64)
def _common_prediction_fields(ref: ModelRef) -> bytes:
    """Return the encoded fields that all responses of a model have."""
    return pb.PredictResponse(models=[ref_to(ref)]).SerializeToString()


@lru_cache(maxsize=256)
def _common_explanation_fields(request: Request, ref: ModelRef) -> bytes:
    """Return the encoded fields that all responses of a model and a method request have."""
    response = request_to(request)
    response.models.append(ref_to(ref))
    return response.SerializeToString()


def _answers(
    encoded: Encoded,
    calls: Sequence[PendingCall],
    common: bytes,
    timings: Sequence[bytes],
    problem: Callable[[GlasstapeError], bytes],
) -> list[Answer]:
    """Return the answers of calls: the rows of each, with problems in place of windows that have bad cells."""
    first, answers = 0, list[Answer]()
    for pending, timing in zip(calls, timings, strict=True):
        end = first + pending.count
        if pending.invalid:
            rows = b"".join(
                problem(pending.invalid[row])
                if row in pending.invalid
                else encoded.rows(first + row, first + row + 1)
                for row in range(pending.count)
            )
        else:
            rows = encoded.rows(first, end)
        answers.append((pending, rows + common + timing))
        first = end
    return answers


def _prediction_problem(error: GlasstapeError) -> bytes:
    prediction = prediction_to(Item(error=error), None, ModelTable())
    return pb.PredictResponse(predictions=[prediction]).SerializeToString()


def _explanation_problem(error: GlasstapeError) -> bytes:
    return pb.ExplainResponse(results=[failure_to(Item(error=error))]).SerializeToString()


def _fail(reply: Reply, calls: Sequence[PendingCall], error: Exception, method: str) -> None:
    reported = error if isinstance(error, GlasstapeError) else internal_error(error, method)
    reply([(pending, reported) for pending in calls])
