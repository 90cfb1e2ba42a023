"""Calls that a wire has received, and their answers, encoded by the batch on the device thread."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from glasstape.v1 import inference_pb2 as pb

from glasstape_server.domain.calls import Call
from glasstape_server.domain.errors import GlasstapeError
from glasstape_server.engine.job import Job
from glasstape_server.engine.work import Arrays, ExplainWork, ForecastWork, Maps, forecasts
from glasstape_server.rpc.convert import packed
from glasstape_server.rpc.convert.encoder import Encoded, Encoder
from glasstape_server.rpc.convert.explanations import failure_to, request_to
from glasstape_server.rpc.convert.predictions import ModelTable, prediction_to, ref_to
from glasstape_server.rpc.handlers import internal_error
from glasstape_server.serving.explanation import MapBatch
from glasstape_server.serving.items import Item
from glasstape_server.serving.requests import Include, QualityLevel


@dataclass(slots=True, eq=False)
class PendingCall:
    """One call, as a wire received it."""

    payload: bytes
    """The encoded request."""
    call: Call
    tag: Any
    """The wire's own."""
    invalid: dict[int, GlasstapeError] | None = None
    """Errors of windows with bad cells, by row; zeros were computed in their place."""


Answer = tuple[PendingCall, bytes | GlasstapeError]
Reply = Callable[[Sequence[Answer]], None]
"""Sends answers on the wire they came from. Called on any thread, once for each call that was not canceled."""


class PredictResponder:
    """Callback of Predict jobs: encodes their answers on the device thread."""

    def __init__(self, reply: Reply, encoder: Encoder) -> None:
        self._reply = reply
        self._encoder = encoder

    def finished(self, jobs: Sequence[Job[PendingCall]], inputs: Arrays, outputs: Arrays) -> None:
        """See `JobCallback.finished`."""
        work: ForecastWork = jobs[0].work  # type: ignore[assignment]  # its jobs are all `ForecastWork`
        encoded = self._encoder.predictions(work.model, forecasts(work.model, inputs[0], *outputs))
        about = pb.PredictResponse(models=[ref_to(work.model.ref)]).SerializeToString()
        first, answers = 0, []
        for job in jobs:
            body = _body(encoded, first, len(job), job.tag, _prediction_problem)
            timing = packed.timing(pb.PredictResponse, job.queue_seconds, job.compute_seconds)
            answers.append((job.tag, body + about + timing))
            first += len(job)
        self._reply(answers)

    def failed(self, jobs: Sequence[Job[PendingCall]], error: Exception) -> None:
        """See `JobCallback.failed`."""
        _fail(self._reply, jobs, error, "Predict")


class ExplainResponder:
    """Callback of Explain jobs of one quality level and include: encodes their answers on the device thread."""

    def __init__(self, reply: Reply, encoder: Encoder, quality: QualityLevel, include: Include) -> None:
        self._reply = reply
        self._encoder = encoder
        self._quality = quality
        self._include = include

    def finished(self, jobs: Sequence[Job[PendingCall]], inputs: Arrays, outputs: Arrays) -> None:
        """See `JobCallback.finished`."""
        work: ExplainWork = jobs[0].work  # type: ignore[assignment]  # its jobs are all `ExplainWork`
        windows, maps = inputs[0], Maps.of(outputs)
        stated = forecasts(work.model, windows, maps.logits)
        encoded = self._encoder.explanations(
            MapBatch(work, self._quality, self._include, windows, stated, maps)
        )
        response = request_to(work.request)
        response.models.append(ref_to(work.model.ref))
        about, first, answers = response.SerializeToString(), 0, []
        for job in jobs:
            body = _body(encoded, first, len(job), job.tag, _explanation_problem)
            timing = packed.timing(pb.ExplainResponse, job.queue_seconds, job.compute_seconds)
            answers.append((job.tag, body + about + timing))
            first += len(job)
        self._reply(answers)

    def failed(self, jobs: Sequence[Job[PendingCall]], error: Exception) -> None:
        """See `JobCallback.failed`."""
        _fail(self._reply, jobs, error, "Explain")


def _body(
    encoded: Encoded,
    first: int,
    count: int,
    incoming: PendingCall,
    problem: Callable[[GlasstapeError], bytes],
) -> bytes:
    """Return the rows of one call, with problems in place of windows that have bad cells."""
    invalid = incoming.invalid
    if not invalid:
        return encoded.rows(first, first + count)
    return b"".join(
        problem(invalid[row]) if row in invalid else encoded.rows(first + row, first + row + 1)
        for row in range(count)
    )


def _prediction_problem(error: GlasstapeError) -> bytes:
    prediction = prediction_to(Item(error=error), None, ModelTable())
    return pb.PredictResponse(predictions=[prediction]).SerializeToString()


def _explanation_problem(error: GlasstapeError) -> bytes:
    return pb.ExplainResponse(results=[failure_to(Item(error=error))]).SerializeToString()


def _fail(reply: Reply, jobs: Sequence[Job[PendingCall]], error: Exception, method: str) -> None:
    reported = error if isinstance(error, GlasstapeError) else internal_error(error, method)
    reply([(job.tag, reported) for job in jobs])
