"""Calls of the native wire that are tasks of the event loop: Signals, and every unary method that is not batched."""

import asyncio
import time
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, NoReturn

import grpc
from pygrpc_native import NativeGrpcFront
from pygrpc_native._native import STREAM_CLOSED, STREAM_FULL

from glasstape_server.domain.calls import Call
from glasstape_server.domain.errors import GlasstapeError
from glasstape_server.operations.call_observer import CallObserver
from glasstape_server.operations.request_id import REQUEST_ID, request_id, request_id_or_new
from glasstape_server.rpc.handlers import check_size, internal_error, parsed
from glasstape_server.rpc.status import code_of, trailing_metadata

if TYPE_CHECKING:  # not generic at run time
    Handler = grpc.RpcMethodHandler[Any, Any]

FIRST_RETRY, LAST_RETRY = 0.002, 0.05
"""Seconds between two attempts to write to a slow subscriber."""

Metadata = Sequence[tuple[str, str | bytes]]


class NativeTasks:
    """Runs handlers. To be made on the event loop; `start`, `cancel` and `len` may be called on any thread."""

    def __init__(
        self, front: NativeGrpcFront, handlers: "Mapping[str, Handler]", observer: CallObserver
    ) -> None:
        self._front = front
        self._handlers = handlers
        self._observer = observer
        self._loop = asyncio.get_running_loop()
        self._calls: dict[int, Call] = {}
        """Calls in progress, by their number on the wire."""
        self._tasks: dict[int, asyncio.Task[None]] = {}

    def __len__(self) -> int:
        """Return the number of calls in progress."""
        return len(self._calls)

    def start(self, number: int, path: str, payload: bytes, call: Call, metadata: Metadata) -> None:
        """Run the handler of a received call."""
        self._calls[number] = call
        self._loop.call_soon_threadsafe(self._start, number, path, payload, call, metadata)

    def cancel(self, number: int) -> None:
        """Cancel a call, if it is one of these: its caller went away, or its deadline passed."""
        call = self._calls.get(number)
        if call is not None:
            call.canceled = True
            self._loop.call_soon_threadsafe(self._cancel, number)

    def cancel_all(self) -> None:
        """Cancel every call in progress."""
        for number in list(self._calls):
            self.cancel(number)

    def _cancel(self, number: int) -> None:
        if number in self._tasks:
            self._tasks[number].cancel()

    def _start(self, number: int, path: str, payload: bytes, call: Call, metadata: Metadata) -> None:
        context = NativeContext(self._front, number, call)
        work = self._run(self._handlers[path], payload, context, metadata)
        task = self._tasks[number] = self._loop.create_task(work)
        begun = time.monotonic()
        task.add_done_callback(lambda task: self._forget(number, path, context, begun, task))
        if call.canceled:
            task.cancel()

    def _forget(
        self, number: int, path: str, context: "NativeContext", begun: float, task: "asyncio.Task[None]"
    ) -> None:
        self._tasks.pop(number, None)
        self._calls.pop(number, None)
        if task.cancelled():
            code = "DEADLINE_EXCEEDED" if context.time_remaining() == 0 else "CANCELLED"
        else:
            task.result()
            code = context.sent.name
        self._observer.handled(path, code)
        if not self._handlers[path].response_streaming:
            self._observer.observe_latency(path, [time.monotonic() - begun])

    async def _run(
        self, handler: "Handler", payload: bytes, context: "NativeContext", metadata: Metadata
    ) -> None:
        request_id.set(request_id_or_new(str(dict(metadata).get(REQUEST_ID, ""))))
        behavior: Any = handler.unary_stream if handler.response_streaming else handler.unary_unary
        try:
            decode: Any = handler.request_deserializer
            message = payload if decode is None else parsed(decode.__self__, payload)
            response = await behavior(message, context)
            if handler.response_streaming:
                context.end()
                return
            encode: Any = handler.response_serializer
            content = encode(response)
            check_size(content)
            context.respond(content)
        except grpc.aio.AbortError:
            pass  # the context has sent the status
        except GlasstapeError as error:
            context.fail(code_of(error), error.message, trailing_metadata(error))
        except Exception as error:
            internal = internal_error(error, behavior.__qualname__)
            context.fail(code_of(internal), internal.message, trailing_metadata(internal))


class NativeContext:
    """The part of a grpc.aio context that the servicers use."""

    def __init__(self, front: NativeGrpcFront, number: int, call: Call) -> None:
        self._front = front
        self._number = number
        self._call = call
        self._trailing: Metadata = ()
        self.sent = grpc.StatusCode.OK
        """Status that ended the call."""

    def set_trailing_metadata(self, metadata: Metadata) -> None:
        """Set what the status is sent with."""
        self._trailing = metadata

    def time_remaining(self) -> float | None:
        """Return the seconds until the deadline; None: there is none."""
        return None if self._call.deadline is None else max(0.0, self._call.deadline - time.monotonic())

    async def write(self, message: bytes) -> None:
        """Send a message as soon as the subscriber can take it.

        Raises:
            CancelledError: the subscriber disconnected.
        """
        pause = FIRST_RETRY
        while (state := self._front.stream_try_send(self._number, message)) == STREAM_FULL:
            await asyncio.sleep(pause)
            pause = min(2 * pause, LAST_RETRY)
        if state == STREAM_CLOSED:
            raise asyncio.CancelledError

    async def abort(
        self, code: grpc.StatusCode, details: str = "", trailing_metadata: Metadata = ()
    ) -> NoReturn:
        """End the call with a status.

        Raises:
            AbortError: always.
        """
        self.fail(code, details, trailing_metadata or self._trailing)
        raise grpc.aio.AbortError

    def fail(self, code: grpc.StatusCode, details: str, metadata: Metadata) -> None:
        """Send a status other than OK."""
        self.sent = code
        self._front.fail(self._number, code.value[0], details, metadata)

    def respond(self, message: bytes) -> None:
        """Send the response of a unary call."""
        self._front.respond(self._number, message, trailing_metadata=self._trailing)

    def end(self) -> None:
        """Send the status OK of a stream."""
        self._front.stream_end(self._number)
