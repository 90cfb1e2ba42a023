"""Replays a session file as a server on this machine."""

from bisect import bisect_right
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import grpc

from glasstape._convert.filters import matches
from glasstape._convert.references import ModelTable, refs_from
from glasstape._convert.values import flag
from glasstape._daemon_pool import DaemonPool
from glasstape._scalars import file_path
from glasstape._session.playback import Playback, checked_speed
from glasstape._session.reading import mark_replay, read_tape
from glasstape._session.unserved import UnservedMethods
from glasstape.errors import InvalidRequestError
from glasstape.v1 import inference_pb2 as ipb
from glasstape.v1 import inference_pb2_grpc, market_pb2_grpc, signals_pb2_grpc
from glasstape.v1 import market_pb2 as mpb
from glasstape.v1 import signals_pb2 as spb


class SessionServer:
    """Server of a recorded session, on a free port of this machine. Use it in a `with` block, or `start` and `close`.

    Its data state is always REPLAY. It serves what was recorded: the feed, bars, past signals, and maps by the
    recorded methods. Other calls fail with FAILED_PRECONDITION or UNIMPLEMENTED.

    Args:
        path: a file that `Recorder` wrote.
        speed: factor on recorded speed, 0.01-100.
        loop: start again at the end, with increasing sequences.

    Raises:
        InvalidRequestError: not a session, or an argument that breaks a rule.
        DataLossError: the file is damaged.
        OSError: the file cannot be read.
    """

    def __init__(self, path: str | Path, *, speed: float = 1.0, loop: bool = False) -> None:
        file, repeated = file_path(path, "path"), flag(loop, "loop")
        factor = checked_speed(speed)
        tape = read_tape(file)
        if not tape.responses:
            raise InvalidRequestError.field("session", f"must hold messages of a feed, {file.name} has none")
        mark_replay(tape)
        self._playback = Playback(tape, factor, repeated)
        pool: Any = DaemonPool(16)
        self._server = grpc.server(pool)
        servicer: Any = _Servicer(self._playback)
        inference_pb2_grpc.add_InferenceServiceServicer_to_server(servicer, self._server)
        market_pb2_grpc.add_MarketServiceServicer_to_server(servicer, self._server)
        signals_pb2_grpc.add_SignalServiceServicer_to_server(servicer, self._server)
        self._port = self._server.add_insecure_port("127.0.0.1:0")

    @property
    def address(self) -> str:
        """Return "host:port" for a client."""
        return f"127.0.0.1:{self._port}"

    @property
    def speed(self) -> float:
        """Return the factor on recorded speed; may be set at any time."""
        return self._playback.speed

    @speed.setter
    def speed(self, speed: float) -> None:
        self._playback.speed = speed

    @property
    def seconds(self) -> float:
        """Return the length of the recording."""
        return self._playback.seconds

    @property
    def elapsed(self) -> float:
        """Return the seconds played so far; the clock starts with the first stream."""
        return self._playback.elapsed

    @property
    def ended(self) -> bool:
        """Return whether the whole recording was played."""
        return not self._playback.loop and self.elapsed > self.seconds

    def start(self) -> Self:
        """Start serving."""
        self._server.start()
        return self

    def close(self) -> None:
        """Stop serving; open streams end."""
        self._playback.stopped.set()
        self._server.stop(0).wait()

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


class _Servicer(UnservedMethods):
    """The services over a tape."""

    def __init__(self, playback: Playback) -> None:
        self._playback = playback
        self._tape = playback.tape
        self._times = [seconds for seconds, _ in self._tape.responses]
        sequences = [e.sequence for _, r in self._tape.responses for e in r.batch.events]
        self._span = max(sequences, default=0) - min(sequences, default=1) + 1

    def Signals(self, request: spb.SignalsRequest, context: Any) -> Iterator[spb.SignalsResponse]:
        playback, lap = self._playback, 0
        playback.begin()
        position = self._resume(request.resume_token)
        if position:
            opened = next((r.opened for _, r in self._tape.responses if r.HasField("opened")), spb.Opened())
            resumed = spb.SignalsResponse(resume_token=request.resume_token)
            resumed.opened.CopyFrom(opened)
            resumed.opened.result = spb.OPEN_RESULT_RESUMED
            yield resumed
        while True:
            for number in range(position, len(self._times)):
                if not self._wait(lap * playback.seconds + self._times[number], context):
                    return
                response = self._filtered(self._tape.responses[number][1], request, lap)
                if response is not None:
                    yield response
            position = 0
            if not playback.loop:
                break
            lap += 1
        while not playback.stopped.wait(1.0) and context.is_active():
            yield self._final_heartbeat()

    def ListModels(self, request: ipb.ListModelsRequest, context: Any) -> ipb.ListModelsResponse:
        return ipb.ListModelsResponse(models=self._tape.models)

    def GetModel(self, request: ipb.GetModelRequest, context: Any) -> Any:
        for model in self._tape.models:
            active = model.state == ipb.MODEL_STATE_ACTIVE
            names = {model.ref.name, f"{model.ref.name}@{model.ref.version}", *([""] if active else [])}
            if request.model in names:
                return ipb.GetModelResponse(model=model)
        return context.abort(grpc.StatusCode.NOT_FOUND, f"model: {request.model!r} was not recorded")

    def ListInstruments(
        self, request: mpb.ListInstrumentsRequest, context: Any
    ) -> mpb.ListInstrumentsResponse:
        return mpb.ListInstrumentsResponse(instruments=self._tape.instruments)

    def ListBars(self, request: mpb.ListBarsRequest, context: Any) -> Any:
        bars = {bar.close_time.ToNanoseconds(): bar for bar in self._tape.bars if _belongs(bar, request)}
        for event in self._played():
            if event.WhichOneof("kind") == "confidence" and _belongs(event.confidence.bar, request):
                bars[event.bar_close_time.ToNanoseconds()] = event.confidence.bar
        try:
            first = request.start_time.ToNanoseconds()
            last = request.end_time.ToNanoseconds() if request.HasField("end_time") else max(bars, default=0)
        except ValueError as error:
            return context.abort(grpc.StatusCode.INVALID_ARGUMENT, f"start_time, end_time: {error}")
        return mpb.ListBarsResponse(bars=[bars[time] for time in sorted(bars) if first <= time <= last])

    def ListSignals(self, request: spb.ListSignalsRequest, context: Any) -> spb.ListSignalsResponse:
        known = {event.sequence: event for event in [*self._tape.events, *self._played()]}
        events = [
            known[sequence]
            for sequence in sorted(known, reverse=request.descending)
            if matches(known[sequence], request)
            and request.start_sequence <= sequence <= (request.end_sequence or sequence)
        ]
        return spb.ListSignalsResponse(events=events, models=self._tape.models_table.models)

    def GetTrackRecord(self, request: spb.GetTrackRecordRequest, context: Any) -> Any:
        names = {model.ref.name for model in self._tape.models}
        symbol = request.symbols[0] if request.symbols else ""
        narrow = len(request.symbols) > 1 or (request.model and names != {request.model})
        track = self._tape.track_records.get(symbol)
        if narrow or request.exclude_abstained or request.group_by or request.cost or track is None:
            return context.abort(
                grpc.StatusCode.FAILED_PRECONDITION,
                "a recording has the track record of all symbols and of single ones, by predicted class alone",
            )
        return track

    def Explain(self, request: ipb.ExplainRequest, context: Any) -> ipb.ExplainResponse:
        """Return recorded maps; of an unset method or score, the one that was recorded first."""
        method, score = request.method, request.score
        for field, kind, value in (
            ("method", ipb.Explanation.Method, method), ("score", ipb.Explanation.Score, score),
        ):  # fmt: skip
            if value not in kind.values():
                context.abort(
                    grpc.StatusCode.INVALID_ARGUMENT, f"{field}: must be a value of the enum, is {value}"
                )
        if request.input.WhichOneof("source") != "signals":
            context.abort(grpc.StatusCode.FAILED_PRECONDITION, "a recording explains only recorded signals")
        response, table = ipb.ExplainResponse(method=method, score=score), ModelTable()
        for sequence in request.input.signals.sequences:
            recorded = self._tape.explanations.get(self._recorded(sequence), [])
            answer = next((i for i in recorded if method in (0, i.method) and score in (0, i.score)), None)
            if answer is None:
                names = f"{ipb.Explanation.Method.Name(method)} of {ipb.Explanation.Score.Name(score)}"
                context.abort(
                    grpc.StatusCode.FAILED_PRECONDITION, f"{names} for signal {sequence} was not recorded"
                )
            else:
                method, score = response.method, response.score = answer.method, answer.score
                response.results.append(_reindexed(answer, table))
                response.baseline = answer.baseline
        response.models.extend(table.models)
        return response

    def GetServerInfo(self, request: ipb.GetServerInfoRequest, context: Any) -> ipb.GetServerInfoResponse:
        opened = [r.opened for _, r in self._tape.responses if r.HasField("opened")]
        contract = opened[0].contract_version if opened else ""
        return ipb.GetServerInfoResponse(contract_version=contract, features=["replay"])

    def _resume(self, token: bytes) -> int:
        # A heartbeat has the token of the batch before it: continue after the last message with the token.
        for number in reversed(range(len(self._tape.responses)) if token else ()):
            if self._tape.responses[number][1].resume_token == token:
                return number + 1
        return 0

    def _wait(self, due: float, context: Any) -> bool:
        playback = self._playback
        while (missing := due - playback.elapsed) > 0:
            if playback.stopped.wait(min(0.1, missing / playback.speed)) or not context.is_active():
                return False
        return not playback.stopped.is_set()

    def _filtered(
        self, response: spb.SignalsResponse, request: spb.SignalsRequest, lap: int
    ) -> spb.SignalsResponse | None:
        if lap and response.HasField("opened"):
            return None
        narrow = bool(request.symbols or request.kinds or request.min_confidence)
        if not response.HasField("batch") or not (lap or narrow):
            return response
        answer = spb.SignalsResponse()
        answer.CopyFrom(response)
        if narrow:
            del answer.batch.events[:]
            answer.batch.events.extend(e for e in response.batch.events if matches(e, request))
        if lap:
            answer.resume_token, answer.through_sequence = b"", 0
            answer.batch.snapshot = False
            for event in answer.batch.events:
                event.sequence += lap * self._span
        return answer

    def _final_heartbeat(self) -> spb.SignalsResponse:
        """Return a heartbeat of the last recorded market time."""
        beat = spb.Heartbeat(data_state=mpb.DATA_STATE_REPLAY)
        beat.server_time.FromDatetime(datetime.now(UTC))
        for _, response in self._tape.responses:
            if response.HasField("heartbeat"):
                beat.market_time.CopyFrom(response.heartbeat.market_time)
            for event in response.batch.events:
                beat.market_time.CopyFrom(event.bar_close_time)
        return spb.SignalsResponse(heartbeat=beat)

    def _recorded(self, sequence: int) -> int:
        """Return the sequence that an event of a later lap has on the tape."""
        while self._playback.loop and sequence not in self._tape.explanations and sequence > self._span:
            sequence -= self._span
        return sequence

    def _played(self) -> list[spb.Event]:
        end = bisect_right(self._times, self._playback.elapsed)
        return [event for _, response in self._tape.responses[:end] for event in response.batch.events]


def _reindexed(recorded: ipb.ExplainResponse, table: ModelTable) -> ipb.ExplanationResult:
    """Return the one result of a recorded response, pointing into `table`."""
    models = refs_from(recorded.models)
    result = ipb.ExplanationResult()
    result.CopyFrom(recorded.results[0])
    if result.HasField("explanation"):
        explanation = result.explanation
        explanation.model_index = table.index(models[explanation.model_index])
        if explanation.HasField("prediction"):
            prediction = explanation.prediction
            prediction.model_index = table.index(models[prediction.model_index])
    return result


def _belongs(bar: mpb.Bar, request: mpb.ListBarsRequest) -> bool:
    return (bar.symbol, bar.interval) == (request.symbol, request.interval)
