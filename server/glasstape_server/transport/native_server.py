"""The fast wire: HTTP/2 and gRPC in native code outside the interpreter's lock (`pygrpc-native`), plaintext only.

Predict, Explain and Signals are served by it, the first two by the batch: calls are read as they lie in its
queue, and answered from the device thread. Everything else goes through to a grpcio server behind it.
"""

import asyncio
import logging
import threading
import time
from collections.abc import Callable, Sequence
from typing import NoReturn

import grpc
from pygrpc_native import EVENT_CANCEL, NativeGrpcFront
from pygrpc_native._native import STREAM_CLOSED, STREAM_FULL

from glasstape_server.domain.errors import GlasstapeError, ResourceExhausted, Unavailable
from glasstape_server.domain.values import Call
from glasstape_server.operations.call_observer import CallObserver
from glasstape_server.rpc.answers import Answer, Incoming
from glasstape_server.rpc.batched import Batched
from glasstape_server.rpc.status import code_of, trailing_metadata
from glasstape_server.transport.grpcio_server import (
    EXPLAIN,
    MAX_MESSAGE_BYTES,
    MAX_METADATA_BYTES,
    MAX_STREAMS,
    PREDICT,
    SIGNALS,
    Access,
    Server,
    Servicers,
)
from glasstape_server.transport.socket_folder import SocketFolder

log = logging.getLogger(__name__)

EVENTS_AT_ONCE = 256
KEEPALIVE_MILLISECONDS = 30_000
KEEPALIVE_TIMEOUT_MILLISECONDS = 10_000
FIRST_RETRY, LAST_RETRY = 0.002, 0.05
"""Seconds between two tries to write to a reader that is behind."""
_PATHS = (PREDICT, EXPLAIN, SIGNALS)
"""Of the methods that the front counts."""
_PREDICT, _EXPLAIN, _SIGNALS = range(3)


class NativeServer:
    """As `Server`, on the fast wire."""

    def __init__(self, servicers: Servicers, address: str, access: Access, traffic: CallObserver) -> None:
        """Bind.

        Raises:
            RuntimeError: the address is taken.
            ValueError: there is no place for the socket between.
        """
        self._traffic = traffic
        self._folder = SocketFolder()
        try:
            self._front = NativeGrpcFront(
                address,
                [(path, path == SIGNALS) for path in _PATHS],
                call_details=True,
                keepalive_time_ms=KEEPALIVE_MILLISECONDS,
                keepalive_timeout_ms=KEEPALIVE_TIMEOUT_MILLISECONDS,
                max_concurrent_streams=MAX_STREAMS,
                max_metadata_size=MAX_METADATA_BYTES,
            )
        except OSError as error:
            self._folder.remove()
            raise RuntimeError(str(error)) from None
        self.port = self._front.bound_port
        self._behind = Server(servicers, f"unix:{self._folder.socket}", access, traffic)
        self._front.set_fallback(self._folder.socket)
        self._signals = servicers.signals
        self._loop = asyncio.get_running_loop()
        self._batched = Batched(servicers.inference.inference, self._reply)
        self._open: dict[int, Incoming | Call] = {}
        """Calls that are not answered yet, and streams, by the front's number."""
        self._streams: dict[int, asyncio.Task[None]] = {}
        self._stopping = False

    async def start(self) -> None:
        """See `Server.start`."""
        await self._behind.start()
        self._front.start()
        threading.Thread(target=self._receive, name="wire", daemon=True).start()

    async def set_ready(self, ready: bool) -> None:
        """See `WireServer.set_ready`."""
        await self._behind.set_ready(ready)

    async def set_serving(self, service: str, serving: bool) -> None:
        """See `Server.set_serving`."""
        await self._behind.set_serving(service, serving)

    def explain_health(self, reasons: tuple[str, ...]) -> None:
        """See `Server.explain_health`."""
        self._behind.explain_health(reasons)

    async def say_not_serving(self) -> None:
        """See `Server.say_not_serving`."""
        await self._behind.say_not_serving()

    async def stop(self, grace: float) -> None:
        """See `Server.stop`."""
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
        """On a thread of its own: hand on what the front has received, all that lies there at once."""
        while (events := self._front.recv_batch_details(EVENTS_AT_ONCE)) is not None:
            now = time.monotonic()
            calls: tuple[list[Incoming], list[Incoming]] = ([], [])
            counts = [0] * len(_PATHS)
            for kind, number, method, payload, _, details in events:
                if kind == EVENT_CANCEL:
                    self._cancel(number)
                    continue
                counts[method] += 1
                refused = self._refused(payload or b"")
                if refused is not None:
                    self._fail(number, _PATHS[method], refused)
                    continue
                call = Call(_deadline(details[2] if details else None))
                if method == _SIGNALS:
                    self._open[number] = call
                    self._loop.call_soon_threadsafe(self._start_stream, number, payload or b"", call)
                    continue
                incoming = self._open[number] = Incoming(payload or b"", call, (number, _PATHS[method], now))
                calls[method].append(incoming)
            for path, count in zip(_PATHS, counts, strict=True):
                if count:
                    self._traffic.started(path, count)
            if calls[_PREDICT]:
                self._batched.predict(calls[_PREDICT])
            if calls[_EXPLAIN]:
                self._batched.explain(calls[_EXPLAIN])

    def _cancel(self, number: int) -> None:
        """The caller of an open call is gone, or waits no longer; on any thread."""
        what = self._open.pop(number, None)
        if isinstance(what, Incoming):
            self._batched.cancel(what)
            _, path, came = what.tag
            now = time.monotonic()
            late = what.call.deadline is not None and now >= what.call.deadline
            self._traffic.handled(path, "DEADLINE_EXCEEDED" if late else "CANCELLED")
            self._traffic.observe_latency(path, [now - came])
        elif what is not None:
            what.cancelled = True
            self._loop.call_soon_threadsafe(self._end_stream, number)

    def _refused(self, payload: bytes) -> GlasstapeError | None:
        if self._stopping:
            return Unavailable("DRAINING", "the server is shutting down", retry_after=1.0)
        return _too_large(payload)

    def _reply(self, answers: Sequence[Answer]) -> None:
        now = time.monotonic()
        took: dict[str, list[float]] = {path: [] for path in _PATHS}
        succeeded = dict.fromkeys(_PATHS, 0)
        for incoming, answer in answers:
            number, path, came = incoming.tag
            if self._open.pop(number, None) is None:
                continue  # its caller is gone
            took[path].append(now - came)
            if isinstance(answer, bytes):
                too_large = _too_large(answer)
                if too_large is None:
                    self._front.respond(number, answer)
                    succeeded[path] += 1
                    continue
                answer = too_large
            self._fail(number, path, answer)
        for path, seconds in took.items():
            if succeeded[path]:
                self._traffic.handled(path, "OK", succeeded[path])
            if seconds:
                self._traffic.observe_latency(path, seconds)

    def _fail(self, number: int, path: str, error: GlasstapeError) -> None:
        self._traffic.handled(path, code_of(error).name)
        self._front.fail(number, code_of(error).value[0], error.message, trailing_metadata(error))

    def _start_stream(self, number: int, payload: bytes, call: Call) -> None:
        if call.cancelled:
            self._traffic.handled(SIGNALS, "CANCELLED")
            return
        task = self._streams[number] = self._loop.create_task(self._stream(number, payload, call))
        task.add_done_callback(lambda task: self._forget_stream(number, task))

    def _forget_stream(self, number: int, task: "asyncio.Task[None]") -> None:
        self._streams.pop(number, None)
        if task.cancelled():
            self._traffic.handled(SIGNALS, "CANCELLED")

    def _end_stream(self, number: int) -> None:
        if number in self._streams:
            self._streams[number].cancel()

    async def _stream(self, number: int, payload: bytes, call: Call) -> None:
        context = _Stream(self._front, number, call, lambda code: self._traffic.handled(SIGNALS, code))
        try:
            await self._signals.Signals(payload, context)  # type: ignore[arg-type]
            self._front.stream_end(number)
            self._traffic.handled(SIGNALS, "OK")
        except GlasstapeError as error:
            self._fail(number, SIGNALS, error)
        except grpc.aio.AbortError:
            pass  # the context has told the caller
        finally:
            self._open.pop(number, None)


class _Stream:
    """What a streaming servicer needs of a grpc.aio context."""

    def __init__(
        self, front: NativeGrpcFront, number: int, call: Call, failed: Callable[[str], None]
    ) -> None:
        self._front = front
        self._number = number
        self._call = call
        self._failed = failed

    async def write(self, message: bytes) -> None:
        """Send a message once the reader has room for it; ends the task of a reader that is gone."""
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
        """Seconds until the caller gives up; None: never."""
        return None if self._call.deadline is None else max(0.0, self._call.deadline - time.monotonic())


def _deadline(remaining: float | None) -> float | None:
    return None if remaining is None else time.monotonic() + remaining


def _too_large(message: bytes) -> GlasstapeError | None:
    if len(message) <= MAX_MESSAGE_BYTES:
        return None
    return ResourceExhausted(
        "MESSAGE_TOO_LARGE",
        f"a message of {len(message)} bytes is larger than {MAX_MESSAGE_BYTES}, the most allowed",
        metadata={"limit": str(MAX_MESSAGE_BYTES), "size": str(len(message))},
    )
