"""Records what a server says into a session file."""

import queue
import threading
import time
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import grpc

from glasstape._convert.common import enum_to, member
from glasstape._options import CHANNEL_OPTIONS, Tls, credentials_metadata
from glasstape._resume import StreamState
from glasstape._session.frames import FrameWriter, Kind
from glasstape._stream import SignalStream
from glasstape.calendars import interval_length
from glasstape.errors import from_rpc
from glasstape.types.enums import Method
from glasstape.v1 import inference_pb2 as ipb
from glasstape.v1 import inference_pb2_grpc, market_pb2_grpc, signals_pb2_grpc
from glasstape.v1 import market_pb2 as mpb
from glasstape.v1 import signals_pb2 as spb

HISTORY = 300
"""Bars of each series from before the recording."""
LARGEST_PAGE = 10_000
EVENTS = 2000
"""Events from before the recording."""
TIMEOUT = 30.0
"""Seconds that one question may take."""


class Recorder:
    """Follows a server on a connection of its own and writes everything down, until it is closed.

    An older file of that name is replaced once the server has answered.

    Args:
        address: "host:port".
        path: the session file; a name ending in .gz is compressed.
        methods: each signal's map by each of these is recorded too, the first with all checks.
        tls: certificates, as in `Client`.
        token: bearer token, as in `Client`.

    Raises:
        GlasstapeError: the server does not answer.
        OSError: the file cannot be written.
    """

    def __init__(
        self,
        address: str,
        path: str | Path,
        *,
        methods: Sequence[Method | str] = (Method.INTEGRATED_GRADIENTS,),
        tls: Tls | None = None,
        token: str | None = None,
    ) -> None:
        self._metadata = credentials_metadata(token, tls, address)
        self._methods = [enum_to(ipb.Method, "METHOD_", member(Method, m, "methods")) for m in methods]
        self._channel = (
            grpc.insecure_channel(address, CHANNEL_OPTIONS)
            if tls is None
            else grpc.secure_channel(address, tls.credentials(), CHANNEL_OPTIONS)
        )
        self._market: Any = market_pb2_grpc.MarketServiceStub(self._channel)
        self._inference: Any = inference_pb2_grpc.InferenceServiceStub(self._channel)
        self._signals: Any = signals_pb2_grpc.SignalServiceStub(self._channel)
        self.error: Exception | None = None
        """Why the recording ended before it was closed."""
        self.events = 0
        """Events written."""
        self.maps = 0
        """Maps written."""
        self.missing = 0
        """Maps that the server did not make in time."""
        self._begin = time.monotonic()
        self._unexplained: queue.SimpleQueue[list[int] | None] = queue.SimpleQueue()
        self._writing = threading.Lock()
        self._closing = False
        self._open(Path(path))
        request = spb.SignalsRequest(start=spb.START_SNAPSHOT, delivery=spb.DELIVERY_EVERY_EVENT)
        request.heartbeat_interval.FromSeconds(1)
        self._stream = SignalStream(self._follow, _Writing(request, self._take), None)
        self._threads = [
            threading.Thread(target=run, name="glasstape-recorder") for run in (self._read, self._explain)
        ]
        for thread in self._threads:
            thread.start()

    def close(self) -> None:
        """End the recording; the file is complete. A map that is still being made is left out."""
        self._closing = True
        self._unexplained.put(None)
        self._stream.close()
        self._channel.close()
        for thread in self._threads:
            thread.join()
        self._writer.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _open(self, path: Path) -> None:
        """Write the beginning beside the file, so that a failure costs nothing that was there."""
        partial = path.with_name("." + path.name)
        try:
            self._writer = FrameWriter(partial, packed=path.suffix == ".gz")
        except OSError:
            self._channel.close()
            raise
        try:
            self._describe()
            partial.replace(path)
        except Exception as error:
            self._writer.close()
            partial.unlink(missing_ok=True)
            self._channel.close()
            if isinstance(error, grpc.RpcError):
                raise from_rpc(error) from None
            raise

    def _read(self) -> None:
        try:
            for _ in self._stream.messages():
                pass
        except Exception as error:  # whatever it is, who asked for the recording must hear of it
            self.error = self.error or error
        self._unexplained.put(None)

    def _follow(self, request: spb.SignalsRequest) -> Any:
        return self._signals.Signals(request, metadata=self._metadata)

    def _ask(self, method: Any, request: Any) -> Any:
        return method(request, timeout=TIMEOUT, metadata=self._metadata)

    def _write(self, kind: Kind, message: Any, seconds: float = 0.0) -> None:
        with self._writing:
            self._writer.write(seconds, kind, message)

    def _describe(self) -> None:
        self._write(Kind.MODELS, self._ask(self._inference.ListModels, ipb.ListModelsRequest()))
        record = self._ask(self._signals.GetTrackRecord, spb.GetTrackRecordRequest())
        self._write(Kind.TRACK_RECORD, record)
        newest = spb.ListSignalsRequest(descending=True, page_size=EVENTS)
        latest = self._ask(self._signals.ListSignals, newest)
        self._write(Kind.EVENTS, spb.ListSignalsResponse(events=latest.events[::-1]))
        known = mpb.ListInstrumentsRequest()
        while True:
            page = self._ask(self._market.ListInstruments, known)
            self._write(Kind.INSTRUMENTS, page)
            if not page.next_page_token:
                break
            known.page_token = page.next_page_token
        series = {(e.symbol, e.interval): e.bar_close_time for e in reversed(latest.events)}
        for (symbol, interval), until in series.items():
            self._bars(symbol, interval, until)

    def _bars(self, symbol: str, interval: str, until: Any) -> None:
        request = mpb.ListBarsRequest(symbol=symbol, interval=interval, page_size=LARGEST_PAGE)
        # Three times as far back as the bars are long: markets are closed at night.
        request.start_time.FromDatetime(until.ToDatetime() - 3 * HISTORY * interval_length(interval))
        bars = self._ask(self._market.ListBars, request).bars[-HISTORY:]
        self._write(Kind.BARS, mpb.ListBarsResponse(bars=bars))

    def _take(self, response: spb.SignalsResponse) -> None:
        """On the reading thread: writing is all, so that times are those of arrival."""
        self._write(Kind.RESPONSE, response, time.monotonic() - self._begin)
        events = response.batch.events
        self.events += len(events)
        signals = [event.sequence for event in events if event.WhichOneof("kind") == "confidence"]
        if signals and self._methods:
            self._unexplained.put(signals)

    def _explain(self) -> None:
        while (signals := self._unexplained.get()) is not None and not self._closing:
            try:
                for number, method in enumerate(self._methods):
                    self._explain_by(
                        method, signals, ipb.QUALITY_LEVEL_FAST if number else ipb.QUALITY_LEVEL_FULL
                    )
            except Exception as error:
                self.error = self.error or (None if self._closing else error)
                self._stream.close()
                return

    def _explain_by(self, method: Any, signals: list[int], level: Any) -> None:
        request = ipb.ExplainRequest(method=method, quality=level)
        request.input.signals.sequences.extend(signals)
        try:
            answer = self._ask(self._inference.Explain, request)
        except grpc.RpcError:
            if not self._closing:
                self.missing += len(signals)
            return
        for sequence, item in zip(signals, answer.explanations, strict=True):
            one = ipb.ExplainResponse(
                explanations=[item], method=answer.method, score=answer.score, baseline=answer.baseline
            )
            data = sequence.to_bytes(8, "little") + one.SerializeToString()
            self._write(Kind.EXPLANATION, data, time.monotonic() - self._begin)
            self.maps += 1


class _Writing(StreamState):
    """A stream's state that writes every response down as it came."""

    def __init__(self, request: spb.SignalsRequest, write: Any) -> None:
        super().__init__(request, Method.UNSPECIFIED)
        self._write = write

    def accept(self, response: spb.SignalsResponse) -> Any:
        """Write, then take."""
        self._write(response)
        return super().accept(response)
