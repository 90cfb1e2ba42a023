"""Authentication of every call of the grpcio server, before its request is decoded."""

import asyncio
import contextlib
import logging
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping
from typing import TYPE_CHECKING, Any

import grpc

from glasstape_server.access.authorizer import Authorizer
from glasstape_server.domain.calls import ANONYMOUS, Principal
from glasstape_server.domain.errors import GlasstapeError, Unauthenticated
from glasstape_server.operations.call_observer import CallObserver
from glasstape_server.operations.request_id import REQUEST_ID, request_id, request_id_or_new
from glasstape_server.rpc.handlers import Context, abort, caller, check_size, parsed
from glasstape_server.transport.request_rules import GZIP, WireError, check_metadata, inflate
from glasstape_server.transport.tls_connections import TlsConnections

if TYPE_CHECKING:  # not generic at run time
    Handler = grpc.RpcMethodHandler[Any, Any]


log = logging.getLogger(__name__)


MISSING_MESSAGE = "Missing request message."
"""Of a call that ends without the message that its method requires; the native wire's words."""


class AuthenticationInterceptor(grpc.aio.ServerInterceptor):
    """Wraps every method: it runs for admitted callers, and a stream as long as its caller stays admitted."""

    def __init__(
        self,
        authorizer: Authorizer,
        check_seconds: float,
        observer: CallObserver,
        connections: TlsConnections | None = None,
    ) -> None:
        self._authorizer = authorizer
        self._connections = connections
        self._observer = observer
        self._check_seconds = check_seconds

    async def intercept_service(
        self,
        continuation: "Callable[[grpc.HandlerCallDetails], Awaitable[Handler | None]]",
        handler_call_details: grpc.HandlerCallDetails,
    ) -> "Handler | None":
        """See grpc.aio.ServerInterceptor."""
        handler = await continuation(handler_call_details)
        path = str(handler_call_details.method)
        if handler is None:
            return None
        metadata = tuple(handler_call_details.invocation_metadata or ())
        headers: dict[str, Any] = dict(metadata)
        values = [value for key, value in metadata if key == "authorization"]
        authorization = str(values[0]) if values else ""

        async def admitted(context: Context) -> Principal:
            if self._connections is not None:
                self._connections.called(context.peer())
            try:
                check_metadata(metadata)
                if len(values) > 1:
                    rule = f"authorization: must be sent once, is sent {len(values)} times"
                    raise Unauthenticated("TOKEN_MALFORMED", rule)
                names = _names(context) if self._authorizer.requires_credentials else ()
                await self._authorizer.refresh(path, authorization, names)
                peer = context.peer() if self._authorizer.audited else ""
                return self._authorizer.authorize(path, authorization, names, peer)
            except GlasstapeError as error:
                await abort(context, error)

        return self._wrapped(handler, admitted, _CallRecord(self._observer, path, headers))

    def _wrapped(
        self,
        handler: "Handler",
        admitted: Callable[[Context], Awaitable[Principal]],
        record: "_CallRecord",
    ) -> "Handler":
        if not handler.response_streaming:
            return self._unary_response(handler, admitted, record)
        behavior: Any = handler.stream_stream if handler.request_streaming else handler.unary_stream

        async def stream(requests: Any, context: Context) -> None:
            with record.running(context):
                await admitted_stream(requests, context)

        async def admitted_stream(requests: Any, context: Context) -> None:
            principal = await admitted(context)
            caller.set(principal)
            try:
                message = await _decode(handler, requests, context)
            except GlasstapeError as error:
                await abort(context, error)
            response = behavior(message, context)
            work: asyncio.Future[None] = asyncio.ensure_future(
                _write_all(response, context) if hasattr(response, "__aiter__") else response
            )
            try:
                await self._while_admitted(work, principal, record.path, context.peer())
            except GlasstapeError as error:
                work.cancel()
                await asyncio.wait([work])
                await abort(context, error)
            finally:
                work.cancel()

        return grpc.stream_stream_rpc_method_handler(stream, None, handler.response_serializer)

    @staticmethod
    def _unary_response(
        handler: "Handler", admitted: Callable[[Context], Awaitable[Principal]], record: "_CallRecord"
    ) -> "Handler":
        behavior: Any = handler.stream_unary if handler.request_streaming else handler.unary_unary

        async def answer(requests: Any, context: Context) -> Any:
            with record.running(context, timed=True):
                caller.set(await admitted(context))
                try:
                    message = await _decode(handler, requests, context)
                except GlasstapeError as error:
                    await abort(context, error)
                return await behavior(message, context)

        return grpc.stream_unary_rpc_method_handler(answer, None, handler.response_serializer)

    async def _while_admitted(
        self, work: "asyncio.Future[None]", principal: Principal, path: str, peer: str
    ) -> None:
        """Wait until a stream ends.

        Raises:
            GlasstapeError: its caller is no longer admitted.
        """
        if principal is ANONYMOUS:
            await work
            return
        while not work.done():
            await asyncio.wait([work], timeout=self._check_seconds)
            if not work.done():
                self._authorizer.recheck(principal, path, peer)
        await work


async def _decode(handler: "Handler", payloads: AsyncIterator[bytes], context: Context) -> Any:
    """Return the decoded request, or an iterator of them; grpc itself would return UNKNOWN for bad bytes.

    Every handler reads a stream: of a unary call without a message, grpc would never send a status.

    Raises:
        InvalidArgument: the bytes are no such message, or too many.
    """
    if handler.request_streaming:
        return _decode_each(handler, payloads, context)
    payload: Any = await context.read()  # cheaper than the iterator
    if not isinstance(payload, bytes):
        await context.abort(grpc.StatusCode.INTERNAL, MISSING_MESSAGE)
    return await _decode_one(handler, payload, context)


async def _decode_each(
    handler: "Handler", payloads: AsyncIterator[bytes], context: Context
) -> AsyncIterator[Any]:
    async for payload in payloads:
        yield await _decode_one(handler, payload, context)


async def _decode_one(handler: "Handler", payload: bytes, context: Context) -> Any:
    """Return a decoded message; without a deserializer, its bytes.

    Raises:
        InvalidArgument: the bytes are no such message, or too many.
    """
    if payload.startswith(GZIP):
        try:
            payload = await asyncio.to_thread(inflate, payload)
        except WireError as error:
            await context.abort(error.code, error.details)
    decode: Any = handler.request_deserializer
    if decode is None:
        check_size(payload)
        return payload
    return parsed(decode.__self__, payload)


class _CallRecord:
    """Counts and logs one call."""

    def __init__(self, observer: CallObserver, path: str, headers: Mapping[str, Any]) -> None:
        self.path = path
        self._observer = observer
        self._id = request_id_or_new(str(headers.get(REQUEST_ID, "")))

    @contextlib.contextmanager
    def running(self, context: Context, *, timed: bool = False) -> Iterator[None]:
        """Record the call in whose body it runs."""
        request_id.set(self._id)
        self._observer.started(self.path)
        start, canceled = time.monotonic(), False
        try:
            yield
        except asyncio.CancelledError:
            canceled = True
            raise
        finally:
            code, seconds = _cancel_code(context) if canceled else _code(context), time.monotonic() - start
            self._observer.handled(self.path, code.name)
            if timed:
                self._observer.observe_latency(self.path, [seconds])
            if log.isEnabledFor(logging.DEBUG):
                log.debug("%s from %s: %s after %.4f s", self.path, context.peer(), code.name, seconds)


def _code(context: Context) -> grpc.StatusCode:
    """Return the code of a finished call; grpc.aio keeps a number, a status, or nothing."""
    status: Any = context.code()
    if isinstance(status, grpc.StatusCode):
        return status
    return next((code for code in grpc.StatusCode if code.value[0] == status), grpc.StatusCode.OK)


def _cancel_code(context: Context) -> grpc.StatusCode:
    """Return the code of a call whose caller went away, or whose deadline passed."""
    left = context.time_remaining()
    late = left is not None and left <= 0
    return grpc.StatusCode.DEADLINE_EXCEEDED if late else grpc.StatusCode.CANCELLED


async def _write_all(responses: AsyncIterator[Any], context: Context) -> None:
    async for response in responses:
        await context.write(response)


def _names(context: Context) -> tuple[str, ...]:
    """Return the verified names of the client's certificate."""
    properties = context.auth_context()
    return tuple(
        name.decode("utf-8", "replace")
        for key in ("x509_subject_alternative_name", "peer_dns", "peer_uri", "peer_email", "peer_spiffe_id")
        for name in properties.get(key, ())
    )
