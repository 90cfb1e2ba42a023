"""The native wire: HTTP/2 and gRPC in native code outside the interpreter's lock (`pygrpc-native`), plaintext only.

It serves Predict and Explain in batches: all calls in its queue are read at once, and answered from the device thread.
Signals and other unary methods are tasks of the event loop. The rest, streams of requests, Watch and reflection, is
forwarded to a grpcio server behind it.
"""

import asyncio
import inspect
import logging
import threading
import time
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import grpc
from pygrpc_native import EVENT_CANCEL, NativeGrpcFront

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
    encoded_handlers,
    handlers_of,
)
from glasstape_server.transport.native_tasks import NativeTasks
from glasstape_server.transport.request_rules import check_metadata, received_too_large
from glasstape_server.transport.socket_folder import SocketFolder

if TYPE_CHECKING:  # not generic at run time
    Handler = grpc.RpcMethodHandler[Any, Any]

log = logging.getLogger(__name__)

EVENTS_AT_ONCE = 256
_BATCHED = (PREDICT, EXPLAIN)
"""Methods whose calls are batched: the first ones of the front."""


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
        handlers = _task_handlers(servicers)
        self._paths = (*_BATCHED, *handlers)
        """Paths of the methods that the front serves, by number."""
        try:
            self._front = NativeGrpcFront(
                address,
                [(path, path == SIGNALS) for path in self._paths],
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
        self._tasks = NativeTasks(self._front, handlers, observer)
        self._loop = asyncio.get_running_loop()
        self._batched = BatchedInference(servicers.application, self._reply)
        self._open: dict[int, PendingCall] = {}
        """Unanswered batched calls, by their number on the wire."""
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
        self._tasks.cancel_all()
        await behind
        await self._loop.run_in_executor(None, self._front.close)
        self._folder.remove()

    def _await_calls(self, longest: float) -> None:
        end = time.monotonic() + longest
        while (self._open or len(self._tasks)) and time.monotonic() < end:
            time.sleep(0.01)

    def _receive(self) -> None:
        """Pass received calls on, all that are queued at once. Runs on its own thread."""
        while (events := self._front.recv_batch_details(EVENTS_AT_ONCE)) is not None:
            now = time.monotonic()
            calls: tuple[list[PendingCall], list[PendingCall]] = ([], [])
            counts = [0] * len(self._paths)
            for kind, number, method, payload, _, details in events:
                if kind == EVENT_CANCEL:
                    self._cancel(number)
                    continue
                counts[method] += 1
                path = self._paths[method]
                if len(payload or b"") > MAX_RECEIVED_BYTES:
                    self._fail_oversized(number, path, len(payload or b""))
                    continue
                metadata = details[0] if details else ()
                refused = self._refused(payload or b"", metadata)
                if refused is not None:
                    self._fail(number, path, refused)
                    continue
                call = Call(_deadline(details[2] if details else None))
                if method >= len(_BATCHED):
                    self._tasks.start(number, path, payload or b"", call, metadata)
                    continue
                incoming = self._open[number] = PendingCall(payload or b"", call, (number, path, now))
                calls[method].append(incoming)
            for path, count in zip(self._paths, counts, strict=True):
                if count:
                    self._observer.started(path, count)
            predicts, explains = calls
            if predicts:
                self._batched.predict(predicts)
            if explains:
                self._batched.explain(explains)

    def _cancel(self, number: int) -> None:
        """Cancel a call whose caller went away, or whose deadline passed; on any thread."""
        pending = self._open.pop(number, None)
        if pending is None:
            self._tasks.cancel(number)
            return
        self._batched.cancel(pending)
        _, path, came = pending.tag
        now = time.monotonic()
        late = pending.call.deadline is not None and now >= pending.call.deadline
        self._observer.handled(path, "DEADLINE_EXCEEDED" if late else "CANCELLED")
        self._observer.observe_latency(path, [now - came])

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
        took: dict[str, list[float]] = {path: [] for path in _BATCHED}
        succeeded = dict.fromkeys(_BATCHED, 0)
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


def _task_handlers(servicers: Servicers) -> "dict[str, Handler]":
    """Return the handlers that run as tasks, by path: Signals, and the coroutines of unary methods."""
    handlers = {
        path: handler
        for path, handler in handlers_of(servicers).items()
        if path not in _BATCHED and inspect.iscoroutinefunction(handler.unary_unary)
    }
    return {**handlers, SIGNALS: encoded_handlers(servicers)[SIGNALS]}


def _deadline(remaining: float | None) -> float | None:
    return None if remaining is None else time.monotonic() + remaining


def _size_error(message: bytes) -> GlasstapeError | None:
    try:
        check_size(message)
    except InvalidArgument as error:
        return error
    return None
