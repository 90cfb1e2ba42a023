"""The native wire: HTTP/2 and gRPC in native code outside the interpreter's lock (`pygrpc-native`), plaintext only.

It serves Predict, Explain and Signals, the first two in batches: all calls in its queue are read at once, and
answered from the device thread. Other methods are forwarded to a grpcio server behind it.
"""

import asyncio
import logging
import threading
import time
from collections.abc import Callable, Sequence
from typing import NoReturn
from urllib.parse import quote

import grpc
from pygrpc_native import EVENT_CANCEL, NativeGrpcFront
from pygrpc_native._native import STREAM_CLOSED, STREAM_FULL

from glasstape_server.domain.calls import Call
from glasstape_server.domain.errors import GlasstapeError, InvalidArgument, Unavailable
from glasstape_server.domain.limits import MAX_HEADER_BYTES, MAX_RECEIVED_BYTES, MAX_STREAMS
from glasstape_server.operations.call_observer import CallObserver
from glasstape_server.rpc.batched_inference import BatchedInference
from glasstape_server.rpc.calls import Answer, PendingCall
from glasstape_server.rpc.handlers import check_size
from glasstape_server.rpc.status import code_of, trailing_metadata
from glasstape_server.transport.grpcio_server import (
    EXPLAIN,
    KEEPALIVE_MILLISECONDS,
    KEEPALIVE_TIMEOUT_MILLISECONDS,
    PREDICT,
    SIGNALS,
    Access,
    GrpcioServer,
    Servicers,
)
from glasstape_server.transport.request_rules import check_metadata, received_too_large
from glasstape_server.transport.socket_folder import SocketFolder

log = logging.getLogger(__name__)

EVENTS_AT_ONCE = 256
FIRST_RETRY, LAST_RETRY = 0.002, 0.05
"""Seconds between two attempts to write to a slow subscriber."""
_PATHS = (PREDICT, EXPLAIN, SIGNALS)
"""Paths of the methods that it serves."""
_PREDICT, _EXPLAIN, _SIGNALS = range(3)


class NativeServer:
    """See `WireServer`."""

    wires: tuple[str, ...] = ("native", "grpcio")

    def __init__(self, servicers: Servicers, address: str, access: Access, observer: CallObserver) -> None:
        """Bind.

        Raises:
            RuntimeError: the address is in use.
            ValueError: the temporary folder cannot hold the socket between the two servers.
        """
        self._observer = observer
        self._folder = SocketFolder()
        try:
            self._front = NativeGrpcFront(
                address,
                [(path, path == SIGNALS) for path in _PATHS],
                call_details=True,
                keepalive_time_ms=KEEPALIVE_MILLISECONDS,
                keepalive_timeout_ms=KEEPALIVE_TIMEOUT_MILLISECONDS,
                max_concurrent_streams=MAX_STREAMS,
                max_metadata_size=MAX_HEADER_BYTES,
            )
        except OSError as error:
            self._folder.remove()
            raise RuntimeError(str(error)) from None
        self.port = self._front.bound_port
        self._behind = GrpcioServer(servicers, f"unix:{quote(self._folder.socket)}", access, observer)
        self._front.set_fallback(self._folder.socket)
        self._signals = servicers.signals
        self._loop = asyncio.get_running_loop()
        self._batched = BatchedInference(servicers.application, self._reply)
        self._open: dict[int, PendingCall | Call] = {}
        """Unanswered calls and open streams, by their number on the wire."""
        self._streams: dict[int, asyncio.Task[None]] = {}
        self._stopping = False

    async def start(self) -> None:
        """See `WireServer.start`."""
        await self._behind.start()
        self._front.start()
        threading.Thread(target=self._receive, name="wire", daemon=True).start()

    async def set_ready(self, ready: bool) -> None:
        """See `WireServer.set_ready`."""
        await self._behind.set_ready(ready)

    async def set_serving(self, service: str, serving: bool) -> None:
        """See `WireServer.set_serving`."""
        await self._behind.set_serving(service, serving)

    def set_health_reasons(self, reasons: tuple[str, ...]) -> None:
        """See `WireServer.set_health_reasons`."""
        self._behind.set_health_reasons(reasons)

    async def set_not_serving(self) -> None:
        """See `WireServer.set_not_serving`."""
        await self._behind.set_not_serving()

    async def stop(self, grace: float) -> None:
        """See `WireServer.stop`."""
        self._stopping = True
        behind = asyncio.ensure_future(self._behind.stop(grace))
        await self._loop.run_in_executor(None, self._await_calls, grace)
        for number in list(self._open):
            self._cancel(number)
        await behind
        await self._loop.run_in_executor(None, self._front.close)
        self._folder.remove()

    def _await_calls(self, longest: float) -> None:
        end = time.monotonic() + longest
        while self._open and time.monotonic() < end:
            time.sleep(0.01)

    def _receive(self) -> None:
        """Pass received calls on, all that are queued at once. Runs on its own thread."""
        while (events := self._front.recv_batch_details(EVENTS_AT_ONCE)) is not None:
            now = time.monotonic()
            calls: tuple[list[PendingCall], list[PendingCall]] = ([], [])
            counts = [0] * len(_PATHS)
            for kind, number, method, payload, _, details in events:
                if kind == EVENT_CANCEL:
                    self._cancel(number)
                    continue
                counts[method] += 1
                if len(payload or b"") > MAX_RECEIVED_BYTES:
                    self._fail_oversized(number, _PATHS[method], len(payload or b""))
                    continue
                refused = self._refused(payload or b"", details[0] if details else ())
                if refused is not None:
                    self._fail(number, _PATHS[method], refused)
                    continue
                call = Call(_deadline(details[2] if details else None))
                if method == _SIGNALS:
                    self._open[number] = call
                    self._loop.call_soon_threadsafe(self._start_stream, number, payload or b"", call)
                    continue
                incoming = self._open[number] = PendingCall(
                    payload or b"", call, (number, _PATHS[method], now)
                )
                calls[method].append(incoming)
            for path, count in zip(_PATHS, counts, strict=True):
                if count:
                    self._observer.started(path, count)
            if calls[_PREDICT]:
                self._batched.predict(calls[_PREDICT])
            if calls[_EXPLAIN]:
                self._batched.explain(calls[_EXPLAIN])

    def _cancel(self, number: int) -> None:
        """Cancel a call whose caller went away, or whose deadline passed; on any thread."""
        what = self._open.pop(number, None)
        if isinstance(what, PendingCall):
            self._batched.cancel(what)
            _, path, came = what.tag
            now = time.monotonic()
            late = what.call.deadline is not None and now >= what.call.deadline
            self._observer.handled(path, "DEADLINE_EXCEEDED" if late else "CANCELLED")
            self._observer.observe_latency(path, [now - came])
        elif what is not None:
            what.canceled = True
            self._loop.call_soon_threadsafe(self._end_stream, number)

    def _refused(self, payload: bytes, metadata: Sequence[tuple[str, str | bytes]]) -> GlasstapeError | None:
        if self._stopping:
            return Unavailable("DRAINING", "the server is shutting down", retry_after=1.0)
        try:
            check_metadata(metadata)
            check_size(payload)
        except InvalidArgument as error:
            return error
        return None

    def _reply(self, answers: Sequence[Answer]) -> None:
        now = time.monotonic()
        took: dict[str, list[float]] = {path: [] for path in _PATHS}
        succeeded = dict.fromkeys(_PATHS, 0)
        for incoming, answer in answers:
            number, path, came = incoming.tag
            if self._open.pop(number, None) is None:
                continue  # canceled
            took[path].append(now - came)
            if isinstance(answer, bytes):
                too_large = _size_error(answer)
                if too_large is None:
                    self._front.respond(number, answer)
                    succeeded[path] += 1
                    continue
                answer = too_large
            self._fail(number, path, answer)
        for path, seconds in took.items():
            if succeeded[path]:
                self._observer.handled(path, "OK", succeeded[path])
            if seconds:
                self._observer.observe_latency(path, seconds)

    def _fail(self, number: int, path: str, error: GlasstapeError) -> None:
        self._observer.handled(path, code_of(error).name)
        self._front.fail(number, code_of(error).value[0], error.message, trailing_metadata(error))

    def _fail_oversized(self, number: int, path: str, size: int) -> None:
        """End a call as grpcio does when a message is larger than its own limit."""
        error = received_too_large(str(size))
        self._observer.handled(path, error.code.name)
        self._front.fail(number, error.code.value[0], error.details)

    def _start_stream(self, number: int, payload: bytes, call: Call) -> None:
        if call.canceled:
            self._observer.handled(SIGNALS, "CANCELLED")
            return
        task = self._streams[number] = self._loop.create_task(self._stream(number, payload, call))
        task.add_done_callback(lambda task: self._forget_stream(number, task))

    def _forget_stream(self, number: int, task: "asyncio.Task[None]") -> None:
        self._streams.pop(number, None)
        if task.cancelled():
            self._observer.handled(SIGNALS, "CANCELLED")

    def _end_stream(self, number: int) -> None:
        if number in self._streams:
            self._streams[number].cancel()

    async def _stream(self, number: int, payload: bytes, call: Call) -> None:
        context = _Stream(self._front, number, call, lambda code: self._observer.handled(SIGNALS, code))
        try:
            await self._signals.Signals(payload, context)  # type: ignore[arg-type]
            self._front.stream_end(number)
            self._observer.handled(SIGNALS, "OK")
        except GlasstapeError as error:
            self._fail(number, SIGNALS, error)
        except grpc.aio.AbortError:
            pass  # the context has sent the status
        finally:
            self._open.pop(number, None)


class _Stream:
    """The part of a grpc.aio context that a streaming servicer uses."""

    def __init__(
        self, front: NativeGrpcFront, number: int, call: Call, failed: Callable[[str], None]
    ) -> None:
        self._front = front
        self._number = number
        self._call = call
        self._failed = failed

    async def write(self, message: bytes) -> None:
        """Send a message once the subscriber has room for it; cancels the task if it disconnected."""
        pause = FIRST_RETRY
        while (state := self._front.stream_try_send(self._number, message)) == STREAM_FULL:
            await asyncio.sleep(pause)
            pause = min(2 * pause, LAST_RETRY)
        if state == STREAM_CLOSED:
            raise asyncio.CancelledError

    async def abort(
        self,
        code: grpc.StatusCode,
        details: str = "",
        trailing_metadata: Sequence[tuple[str, str | bytes]] = (),
    ) -> NoReturn:
        """End the stream with a status."""
        self._failed(code.name)
        self._front.fail(self._number, code.value[0], details, trailing_metadata)
        raise grpc.aio.AbortError

    def time_remaining(self) -> float | None:
        """Return the seconds until the deadline; None: there is none."""
        return None if self._call.deadline is None else max(0.0, self._call.deadline - time.monotonic())


def _deadline(remaining: float | None) -> float | None:
    return None if remaining is None else time.monotonic() + remaining


def _size_error(message: bytes) -> GlasstapeError | None:
    try:
        check_size(message)
    except InvalidArgument as error:
        return error
    return None
