"""Calls and their answers: a whole batch is encoded on the device thread, and each call gets its slice."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from glasstape.v1 import inference_pb2 as pb

from glasstape_server.domain.errors import GlasstapeError
from glasstape_server.domain.values import Call, Float32s
from glasstape_server.engine.job import Job
from glasstape_server.engine.work import Columns, Explain, Maps, forecasts
from glasstape_server.explain.catalog import METHODS
from glasstape_server.models.model import Model
from glasstape_server.rpc.convert import packed
from glasstape_server.rpc.convert.inference import prediction_to
from glasstape_server.rpc.handlers import unexpected
from glasstape_server.serving.explanations import Wanted, explained
from glasstape_server.serving.items import Item


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


class Predicted:
    """Answers Predict calls from the device thread."""

    def __init__(self, reply: Reply) -> None:
        self._reply = reply

    def finished(self, jobs: Sequence[Job[Incoming]], rows: Columns, columns: Columns) -> None:
        """See `JobCallback.finished`."""
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

    def failed(self, jobs: Sequence[Job[Incoming]], error: Exception) -> None:
        """See `JobCallback.failed`."""
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


class Explained:
    """Answers Explain calls of one quality level from the device thread."""

    def __init__(self, reply: Reply, quality: pb.QualityLevel.ValueType) -> None:
        self._reply = reply
        self._quality = quality

    def finished(self, jobs: Sequence[Job[Incoming]], rows: Columns, columns: Columns) -> None:
        """See `JobCallback.finished`."""
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

    def failed(self, jobs: Sequence[Job[Incoming]], error: Exception) -> None:
        """See `JobCallback.failed`."""
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
            score=pb.Score.ValueType(int(work.request.score_spec.score)),
            baseline=pb.Baseline.ValueType(int(baseline)) if baseline else pb.BASELINE_UNSPECIFIED,
        )
        return about.SerializeToString()


def _fail(reply: Reply, jobs: Sequence[Job[Incoming]], error: Exception, what: str) -> None:
    told = error if isinstance(error, GlasstapeError) else unexpected(error, what)
    reply([(job.tag, told) for job in jobs])
