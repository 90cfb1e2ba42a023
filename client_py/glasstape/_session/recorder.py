"""Records the feed of a server into a session file."""

import atexit
import os
import queue
import threading
import time
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import grpc

from glasstape._convert.batches import BatchResponse
from glasstape._convert.common import member_to
from glasstape._convert.values import items
from glasstape._options import Settings, Tls
from glasstape._outage import OutageLog
from glasstape._resume import StreamState
from glasstape._scalars import file_path
from glasstape._session.frames import FrameWriter, Kind
from glasstape._stream import SignalStream
from glasstape._transport import Transport
from glasstape.address import Address
from glasstape.calendars import interval_length
from glasstape.errors import GlasstapeError
from glasstape.replacing import replacing
from glasstape.types.enums import Method
from glasstape.v1 import inference_pb2 as ipb
from glasstape.v1 import inference_pb2_grpc, market_pb2_grpc, signals_pb2_grpc
from glasstape.v1 import market_pb2 as mpb
from glasstape.v1 import signals_pb2 as spb

HISTORY_BARS = 300
"""Bars of each series before the recording."""
HISTORY_EVENTS = 2000
"""Events before the recording."""
TRACKED_SYMBOLS = 200
"""Symbols whose track records are recorded, at most."""
CHECKED_METHODS = 2
"""Methods of each signal whose maps are recorded with every check: the maps that are shown side by side."""
LARGEST_PAGE = 10_000
TIMEOUT = 30.0
"""Seconds of one call."""


class Recorder:
    """Records a server on its own connection until it is closed.

    An existing file is replaced after the first answers of the server. Outages are logged by the logger `glasstape`.

    Args:
        address: "host:port".
        path: the session file; a name ending in .gz is compressed.
        methods: also record each signal's map by each of these, the first two with all checks and their trust.
        tls: certificates, as in `Client`.
        token: bearer token, as in `Client`.

    Raises:
        InvalidRequestError: an argument breaks a rule.
        GlasstapeError: the first calls to the server failed.
        OSError: the file cannot be written.
    """

    def __init__(
        self,
        address: str | Address,
        path: str | Path,
        *,
        methods: Sequence[Method | str] = (Method.SCALED_PATH_GRADIENT, Method.INTEGRATED_GRADIENTS),
        tls: Tls | None = None,
        token: str | None = None,
    ) -> None:
        named = [methods] if isinstance(methods, str) else items(methods, "methods", "methods")
        self._methods = [member_to(ipb.Explanation.Method, Method, m, "methods") for m in named]
        file = file_path(path, "path")
        self._connection = Transport(Settings.of(address, TIMEOUT, tls, token))
        channel = self._connection.channel()
        self._market: Any = market_pb2_grpc.MarketServiceStub(channel)
        self._inference: Any = inference_pb2_grpc.InferenceServiceStub(channel)
        self._signals: Any = signals_pb2_grpc.SignalServiceStub(channel)
        self.error: Exception | None = None
        """Why the recording ended early, or why there was no connection when it was closed; None: it is complete."""
        self.events = 0
        """Events written."""
        self.maps = 0
        """Maps written."""
        self.missing = 0
        """Maps that the server failed to compute."""
        self._begin = time.monotonic()
        self._pending: queue.SimpleQueue[list[int] | None] = queue.SimpleQueue()
        self._writing = threading.Lock()
        self._closing = False
        self._outages = OutageLog(str(self._connection.settings.address))
        self._process = os.getpid()
        self._open(file)
        kind = spb.SignalsRequest
        request = kind(start=kind.START_SNAPSHOT, delivery=kind.DELIVERY_EVERY_EVENT)
        request.heartbeat_interval.FromSeconds(1)
        self._stream = SignalStream(self._connection, _RecordingState(request, self._record), None)
        self._threads = [
            threading.Thread(target=run, name="glasstape-recorder", daemon=True)
            for run in (self._read, self._explain)
        ]
        atexit.register(self._close_at_exit)
        for thread in self._threads:
            thread.start()

    def complete(self) -> None:
        """End the feed, and wait until the maps of what was recorded are written."""
        self._stream.close()
        for thread in self._threads:
            thread.join()

    def close(self) -> None:
        """End the recording and complete the file. A map that is still being computed is left out.

        Without it, the end of the process completes the file.
        """
        atexit.unregister(self._close_at_exit)
        self._closing = True
        self._pending.put(None)
        self._stream.close()
        self._connection.close()
        for thread in self._threads:
            thread.join()
        self._writer.close()
        self.error = self.error or self._outages.error

    @property
    def outages(self) -> int:
        """Return how often the connection was lost; the events meanwhile follow when the server is back."""
        return self._outages.outages

    @property
    def gaps(self) -> int:
        """Return how many ranges of events are missing, because the server no longer had them after an outage."""
        return self._outages.gaps

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _open(self, path: Path) -> None:
        """Write the first frames beside the file, so that a failure keeps the existing file."""
        try:
            with replacing(path) as draft:
                self._begin_file(draft, packed=path.suffix == ".gz")
        except BaseException:
            self._connection.close()
            raise

    def _begin_file(self, path: Path, *, packed: bool) -> None:
        self._writer = FrameWriter(path, packed=packed)
        try:
            self._describe()
        except BaseException as error:  # also the end of the process by Ctrl-C
            self._writer.close()
            if isinstance(error, grpc.RpcError):
                raise self._failure(error) from None
            raise

    def _close_at_exit(self) -> None:
        if os.getpid() == self._process:  # a forked process shares the file, and has none of the threads
            self.close()

    def _read(self) -> None:
        try:
            for message in self._stream.messages():
                self._outages.note(message)
        except Exception as error:  # reported as `error`, of whatever kind it is
            self.error = self.error or error
        self._pending.put(None)

    def _failure(self, error: grpc.RpcError) -> GlasstapeError:
        failure = self._connection.failure(error)
        return self._connection.diagnosed(failure) if self._connection.needs_diagnosis(failure) else failure

    def _call(self, method: Any, request: Any) -> Any:
        return method(request, timeout=TIMEOUT, metadata=self._connection.settings.metadata)

    def _write(self, kind: Kind, message: Any, seconds: float = 0.0) -> None:
        with self._writing:
            self._writer.write(seconds, kind, message)

    def _describe(self) -> None:
        """Write models, track record, past events, instruments and bars."""
        models = ipb.ListModelsRequest(view=ipb.MODEL_VIEW_FULL)
        self._write_pages(Kind.MODELS, self._inference.ListModels, models)
        self._write_track_record(spb.GetTrackRecordRequest())
        newest = spb.ListSignalsRequest(descending=True, page_size=HISTORY_EVENTS)
        latest = self._call(self._signals.ListSignals, newest)
        oldest_first = spb.ListSignalsResponse(events=latest.events[::-1], models=latest.models)
        self._write(Kind.EVENTS, oldest_first)
        self._write_pages(Kind.INSTRUMENTS, self._market.ListInstruments, mpb.ListInstrumentsRequest())
        series = {(e.symbol, e.interval): e.bar_close_time for e in reversed(latest.events)}
        for (symbol, interval), until in series.items():
            self._write_bars(symbol, interval, until)
        for symbol in sorted({symbol for symbol, _ in series})[:TRACKED_SYMBOLS]:
            self._write_track_record(spb.GetTrackRecordRequest(symbols=[symbol]))

    def _write_track_record(self, request: spb.GetTrackRecordRequest) -> None:
        track = self._call(self._signals.GetTrackRecord, request)
        sent = request.SerializeToString()
        self._write(Kind.TRACK_RECORD, len(sent).to_bytes(4, "little") + sent + track.SerializeToString())

    def _write_pages(self, kind: Kind, method: Any, request: Any) -> None:
        while True:
            page = self._call(method, request)
            self._write(kind, page)
            if not page.next_page_token:
                return
            request.page_token = page.next_page_token

    def _write_bars(self, symbol: str, interval: str, until: Any) -> None:
        request = mpb.ListBarsRequest(symbol=symbol, interval=interval, page_size=LARGEST_PAGE)
        # Three times as far back as the bars are long: markets are closed at night.
        length = interval_length(interval)
        request.start_time.FromDatetime(until.ToDatetime() - 3 * HISTORY_BARS * length)
        bars = self._call(self._market.ListBars, request).bars[-HISTORY_BARS:]
        self._write(Kind.BARS, mpb.ListBarsResponse(bars=bars))

    def _record(self, response: spb.SignalsResponse) -> None:
        """Write a response. Runs on the reading thread and does little else, so that times are those of arrival."""
        self._write(Kind.RESPONSE, response, time.monotonic() - self._begin)
        events = response.batch.events
        self.events += len(events)
        signals = [event.sequence for event in events if event.WhichOneof("kind") == "confidence"]
        if signals and self._methods:
            self._pending.put(signals)

    def _explain(self) -> None:
        while (signals := self._pending.get()) is not None and not self._closing:
            try:
                for number, method in enumerate(self._methods):
                    checked = number < CHECKED_METHODS
                    level = ipb.QUALITY_LEVEL_FULL if checked else ipb.QUALITY_LEVEL_FAST
                    self._explain_by(method, signals, level)
            except Exception as error:
                self.error = self.error or (None if self._closing else error)
                self._stream.close()
                return

    def _explain_by(self, method: Any, signals: list[int], level: Any) -> None:
        request = ipb.ExplainRequest(method=method, quality=level)
        request.input.signals.sequences.extend(signals)
        try:
            answer = self._call(self._inference.Explain, request)
        except grpc.RpcError:
            if not self._closing:
                self.missing += len(signals)
            return
        for sequence, result in zip(signals, answer.results, strict=True):
            if not result.HasField("explanation"):
                self.missing += 1
                continue
            single = ipb.ExplainResponse(
                results=[result],
                method=answer.method,
                score=answer.score,
                baseline=answer.baseline,
                models=answer.models,
            )
            data = sequence.to_bytes(8, "little") + single.SerializeToString()
            self._write(Kind.EXPLANATION, data, time.monotonic() - self._begin)
            self.maps += 1


class _RecordingState(StreamState):
    """The state of a stream that records every response."""

    def __init__(self, request: spb.SignalsRequest, write: Any) -> None:
        super().__init__(request, Method.UNSPECIFIED)
        self._write = write

    def accept(self, response: spb.SignalsResponse | BatchResponse) -> Any:
        """Record the response and return its message."""
        if isinstance(response, BatchResponse):
            response = spb.SignalsResponse.FromString(response.raw)
        self._write(response)
        return super().accept(response)
