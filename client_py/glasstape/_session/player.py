"""Plays a session file as a server on this machine, so that every client sees it as it was."""

from bisect import bisect_right
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import grpc

from glasstape._convert.signals import matches
from glasstape._session.playback import Playback
from glasstape._session.reading import Tape, read_tape
from glasstape.errors import InvalidRequestError
from glasstape.v1 import inference_pb2 as ipb
from glasstape.v1 import inference_pb2_grpc, market_pb2_grpc, signals_pb2_grpc
from glasstape.v1 import market_pb2 as mpb
from glasstape.v1 import signals_pb2 as spb


class SessionServer:
    """A recorded session on a free port of this machine. Use it in a `with` block, or `start` and `close` it.

    Everything that it says of its data is REPLAY. It answers what was recorded: the feed, bars, past
    signals, the maps by the recorded methods; any other question is refused with a sentence.

    Args:
        path: a file that `Recorder` wrote.
        speed: 0.01-100; 1 is as fast as it was.
        loop: begin again at the end, with sequences that go on.

    Raises:
        InvalidRequestError: not a session, or a wrong speed.
        DataLossError: the file is damaged.
        OSError: it cannot be read.
    """

    def __init__(self, path: str | Path, *, speed: float = 1.0, loop: bool = False) -> None:
        tape = read_tape(Path(path))
        if not tape.responses:
            raise InvalidRequestError.field(
                "session", f"must hold messages of a feed, {Path(path).name} has none"
            )
        _mark_replay(tape)
        self._playback = Playback(tape, speed, loop)
        self._server = grpc.server(ThreadPoolExecutor(16))
        servicer: Any = _Servicer(self._playback)
        inference_pb2_grpc.add_InferenceServiceServicer_to_server(servicer, self._server)
        market_pb2_grpc.add_MarketServiceServicer_to_server(servicer, self._server)
        signals_pb2_grpc.add_SignalServiceServicer_to_server(servicer, self._server)
        self._port = self._server.add_insecure_port("127.0.0.1:0")

    @property
    def address(self) -> str:
        """host:port for a client."""
        return f"127.0.0.1:{self._port}"

    @property
    def speed(self) -> float:
        """How many times as fast as it was; may be set while it plays."""
        return self._playback.speed

    @speed.setter
    def speed(self, speed: float) -> None:
        self._playback.speed = speed

    @property
    def seconds(self) -> float:
        """Length of the recording."""
        return self._playback.seconds

    @property
    def elapsed(self) -> float:
        """Seconds of the recording that have been played; time runs from the first stream on."""
        return self._playback.elapsed

    @property
    def ended(self) -> bool:
        """Whether everything has been played."""
        return not self._playback.loop and self.elapsed > self.seconds

    def start(self) -> Self:
        """Answer from now on."""
        self._server.start()
        return self

    def close(self) -> None:
        """Stop answering; open streams end."""
        self._playback.stopped.set()
        self._server.stop(0).wait()

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


class _Servicer:
    """The contract over a tape; what was not recorded is refused."""

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
            answer = spb.SignalsResponse(resume_token=request.resume_token)
            answer.opened.CopyFrom(opened)
            answer.opened.result = spb.OPEN_RESULT_RESUMED
            yield answer
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
            yield self._at_the_end()

    def ListModels(self, request: ipb.ListModelsRequest, context: Any) -> ipb.ListModelsResponse:
        return ipb.ListModelsResponse(models=self._tape.models)

    def GetModel(self, request: ipb.GetModelRequest, context: Any) -> Any:
        for model in self._tape.models:
            active = model.state == ipb.MODEL_STATE_ACTIVE
            names = {model.ref.name, f"{model.ref.name}@{model.ref.version}", *([""] if active else [])}
            if request.model in names:
                return ipb.GetModelResponse(model=model)
        return context.abort(grpc.StatusCode.NOT_FOUND, f"model: {request.model!r} is not in this recording")

    def ListInstruments(
        self, request: mpb.ListInstrumentsRequest, context: Any
    ) -> mpb.ListInstrumentsResponse:
        return mpb.ListInstrumentsResponse(instruments=self._tape.instruments)

    def ListBars(self, request: mpb.ListBarsRequest, context: Any) -> mpb.ListBarsResponse:
        bars = {bar.close_time.ToNanoseconds(): bar for bar in self._tape.bars if _of(bar, request)}
        for event in self._played():
            if event.WhichOneof("kind") == "confidence" and _of(event.confidence.bar, request):
                bars[event.bar_close_time.ToNanoseconds()] = event.confidence.bar
        first = request.start_time.ToNanoseconds()
        last = request.end_time.ToNanoseconds() if request.HasField("end_time") else max(bars, default=0)
        return mpb.ListBarsResponse(bars=[bars[time] for time in sorted(bars) if first <= time <= last])

    def ListSignals(self, request: spb.ListSignalsRequest, context: Any) -> spb.ListSignalsResponse:
        known = {event.sequence: event for event in [*self._tape.events, *self._played()]}
        events = [
            known[sequence]
            for sequence in sorted(known, reverse=request.descending)
            if matches(known[sequence], request)
            and request.start_sequence <= sequence <= (request.end_sequence or sequence)
        ]
        return spb.ListSignalsResponse(events=events)

    def GetTrackRecord(self, request: spb.GetTrackRecordRequest, context: Any) -> spb.GetTrackRecordResponse:
        return self._tape.track_record

    def Explain(self, request: ipb.ExplainRequest, context: Any) -> ipb.ExplainResponse:
        method, score = request.method or ipb.METHOD_GRADIENT, request.score or ipb.SCORE_MARGIN
        answer = ipb.ExplainResponse(method=method, score=score)
        if request.input.WhichOneof("source") != "signals":
            context.abort(grpc.StatusCode.FAILED_PRECONDITION, "a recording explains recorded signals alone")
        for sequence in request.input.signals.sequences:
            recorded = self._tape.explanations.get(self._recorded(sequence), [])
            found = [item for item in recorded if (item.method, item.score) == (method, score)]
            if not found:
                asked = f"{ipb.Method.Name(method)} of {ipb.Score.Name(score)}"
                context.abort(
                    grpc.StatusCode.FAILED_PRECONDITION,
                    f"{asked} for signal {sequence} is not in this recording",
                )
            answer.explanations.append(found[0].explanations[0])
            answer.baseline = found[0].baseline
        return answer

    def Predict(self, request: ipb.PredictRequest, context: Any) -> None:
        context.abort(grpc.StatusCode.UNIMPLEMENTED, "a recording predicts nothing")

    def PublishBars(self, requests: Any, context: Any) -> None:
        context.abort(grpc.StatusCode.UNIMPLEMENTED, "a recording takes no bars")

    def _resume(self, token: bytes) -> int:
        # Heartbeats carry the token of the batch before them: go on behind the last that does.
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

    def _at_the_end(self) -> spb.SignalsResponse:
        """A heartbeat of the last moment that was recorded."""
        beat = spb.Heartbeat(data_state=mpb.DATA_STATE_REPLAY)
        beat.server_time.FromDatetime(datetime.now(UTC))
        for _, response in self._tape.responses:
            if response.HasField("heartbeat"):
                beat.market_time.CopyFrom(response.heartbeat.market_time)
            for event in response.batch.events:
                beat.market_time.CopyFrom(event.bar_close_time)
        return spb.SignalsResponse(heartbeat=beat)

    def _recorded(self, sequence: int) -> int:
        """The sequence that an event of a later lap had on the tape."""
        while self._playback.loop and sequence not in self._tape.explanations and sequence > self._span:
            sequence -= self._span
        return sequence

    def _played(self) -> list[spb.Event]:
        end = bisect_right(self._times, self._playback.elapsed)
        return [event for _, response in self._tape.responses[:end] for event in response.batch.events]


def _mark_replay(tape: Tape) -> None:
    """Nothing that is played is live, whatever it was."""
    events = [*tape.events, *(event for _, response in tape.responses for event in response.batch.events)]
    for event in events:
        kind = event.WhichOneof("kind")
        if kind == "confidence":
            event.confidence.data_state = mpb.DATA_STATE_REPLAY
        elif kind == "buy":
            event.buy.signal.data_state = mpb.DATA_STATE_REPLAY
    for _, response in tape.responses:
        if response.HasField("heartbeat"):
            response.heartbeat.data_state = mpb.DATA_STATE_REPLAY


def _of(bar: mpb.Bar, request: mpb.ListBarsRequest) -> bool:
    return (bar.symbol, bar.interval) == (request.symbol, request.interval)
