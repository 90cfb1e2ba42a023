"""Asks the gate about every call of a grpcio server, before anything is made of its request."""

import asyncio
import contextlib
import logging
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping
from typing import TYPE_CHECKING, Any

import grpc
from google.protobuf.message import DecodeError

from glasstape_server.access.authorizer import Authorizer
from glasstape_server.domain.errors import GlasstapeError, InvalidArgument, Unauthenticated
from glasstape_server.domain.values import ANYBODY, Principal
from glasstape_server.operations.call_observer import CallObserver
from glasstape_server.operations.request_id import REQUEST_ID, request_id, request_id_or_new
from glasstape_server.rpc.handlers import Context, abort, caller

if TYPE_CHECKING:  # it takes no parameters when it runs
    Handler = grpc.RpcMethodHandler[Any, Any]


log = logging.getLogger(__name__)


class Guard(grpc.aio.ServerInterceptor):
    """Wraps every method: it runs for an admitted caller, and a stream only as long as he stays admitted."""

    def __init__(self, authorizer: Authorizer, check_seconds: float, traffic: CallObserver) -> None:
        self._authorizer = authorizer
        self._traffic = traffic
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
        headers: dict[str, Any] = dict(handler_call_details.invocation_metadata or ())
        given = [v for k, v in handler_call_details.invocation_metadata or () if k == "authorization"]
        authorization = str(given[0]) if given else ""

        async def admitted(context: Context) -> Principal:
            try:
                if len(given) > 1:
                    rule = f"authorization: must be given once, is given {len(given)} times"
                    raise Unauthenticated("TOKEN_MALFORMED", rule)
                names = _names(context) if self._authorizer.requires_credentials else ()
                return self._authorizer.authorize(path, authorization, names, context.peer())
            except GlasstapeError as error:
                await abort(context, error)

        return self._wrapped(handler, admitted, _Noted(self._traffic, path, headers))

    def _wrapped(
        self,
        handler: "Handler",
        admitted: Callable[[Context], Awaitable[Principal]],
        noted: "_Noted",
    ) -> "Handler":
        if not handler.response_streaming:
            return self._of_one_answer(handler, admitted, noted)
        behaviour: Any = handler.stream_stream if handler.request_streaming else handler.unary_stream

        async def stream(request: Any, context: Context) -> None:
            with noted.call(context):
                await admitted_stream(request, context)

        async def admitted_stream(request: Any, context: Context) -> None:
            principal = await admitted(context)
            caller.set(principal)
            try:
                whole = _read(handler, request)
            except GlasstapeError as error:
                await abort(context, error)
            made = behaviour(whole, context)
            work: asyncio.Future[None] = asyncio.ensure_future(
                _written(made, context) if hasattr(made, "__aiter__") else made
            )
            try:
                await self._while_admitted(work, principal, noted.path, context.peer())
            except GlasstapeError as error:
                work.cancel()
                await asyncio.wait([work])
                await abort(context, error)
            finally:
                work.cancel()

        made_of = (
            grpc.stream_stream_rpc_method_handler
            if handler.request_streaming
            else grpc.unary_stream_rpc_method_handler
        )
        return made_of(stream, None, handler.response_serializer)

    @staticmethod
    def _of_one_answer(
        handler: "Handler", admitted: Callable[[Context], Awaitable[Principal]], noted: "_Noted"
    ) -> "Handler":
        behaviour: Any = handler.stream_unary if handler.request_streaming else handler.unary_unary

        async def answer(request: Any, context: Context) -> Any:
            with noted.call(context, timed=True):
                caller.set(await admitted(context))
                try:
                    whole = _read(handler, request)
                except GlasstapeError as error:
                    await abort(context, error)
                return await behaviour(whole, context)

        made_of = (
            grpc.stream_unary_rpc_method_handler
            if handler.request_streaming
            else grpc.unary_unary_rpc_method_handler
        )
        return made_of(answer, None, handler.response_serializer)

    async def _while_admitted(
        self, work: "asyncio.Future[None]", principal: Principal, path: str, peer: str
    ) -> None:
        """Wait for a stream's end.

        Raises:
            GlasstapeError: its caller is not admitted any more.
        """
        if principal is ANYBODY:
            await work
            return
        while not work.done():
            await asyncio.wait([work], timeout=self._check_seconds)
            if not work.done():
                self._authorizer.recheck(principal, path, peer)
        await work


def _read(handler: "Handler", payload: Any) -> Any:
    """A request of its bytes, or requests as they come: grpc itself calls bytes that are none UNKNOWN.

    Raises:
        InvalidArgument: they are no such message.
    """
    if handler.request_deserializer is None:
        return payload
    if handler.request_streaming:
        return _read_each(handler, payload)
    try:
        return handler.request_deserializer(payload)
    except DecodeError:
        raise InvalidArgument.field("request", f"is {len(payload)} bytes that are no such message") from None


async def _read_each(handler: "Handler", payloads: AsyncIterator[bytes]) -> AsyncIterator[Any]:
    deserialized: Any = handler.request_deserializer
    async for payload in payloads:
        try:
            yield deserialized(payload)
        except DecodeError:
            rule = f"is {len(payload)} bytes that are no such message"
            raise InvalidArgument.field("request", rule) from None


class _Noted:
    """What is counted and logged of one call."""

    def __init__(self, traffic: CallObserver, path: str, headers: Mapping[str, Any]) -> None:
        self.path = path
        self._traffic = traffic
        self._id = request_id_or_new(str(headers.get(REQUEST_ID, "")))

    @contextlib.contextmanager
    def call(self, context: Context, *, timed: bool = False) -> Iterator[None]:
        """While it runs."""
        request_id.set(self._id)
        self._traffic.started(self.path)
        begun, given_up = time.monotonic(), False
        try:
            yield
        except asyncio.CancelledError:
            given_up = True
            raise
        finally:
            code, seconds = _given_up(context) if given_up else _code(context), time.monotonic() - begun
            self._traffic.handled(self.path, code.name)
            if timed:
                self._traffic.observe_latency(self.path, [seconds])
            log.debug("%s from %s: %s after %.4f s", self.path, context.peer(), code.name, seconds)


def _code(context: Context) -> grpc.StatusCode:
    """How a call ended; grpc.aio gives a number, a status, or nothing."""
    said: Any = context.code()
    if isinstance(said, grpc.StatusCode):
        return said
    return next((code for code in grpc.StatusCode if code.value[0] == said), grpc.StatusCode.OK)


def _given_up(context: Context) -> grpc.StatusCode:
    """How a call ended whose caller went away, or waits no longer."""
    left = context.time_remaining()
    late = left is not None and left <= 0
    return grpc.StatusCode.DEADLINE_EXCEEDED if late else grpc.StatusCode.CANCELLED


async def _written(responses: AsyncIterator[Any], context: Context) -> None:
    async for response in responses:
        await context.write(response)


def _names(context: Context) -> tuple[str, ...]:
    """Names of the client's certificate that the connection proved."""
    found = context.auth_context()
    return tuple(
        name.decode("utf-8", "replace")
        for key in ("x509_subject_alternative_name", "peer_dns", "peer_uri", "peer_email", "peer_spiffe_id")
        for name in found.get(key, ())
    )
