"""Asks the gate about every call of a grpcio server, before anything reads its request."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import TYPE_CHECKING, Any

import grpc

from glasstape_server.access.gate import CHECK_SECONDS, Gate
from glasstape_server.domain import ANYBODY, Principal
from glasstape_server.errors import GlasstapeError
from glasstape_server.rpc.handlers import Context, abort, caller

if TYPE_CHECKING:  # it takes no parameters when it runs
    Handler = grpc.RpcMethodHandler[Any, Any]


class Guard(grpc.aio.ServerInterceptor):
    """Wraps every method: it runs for an admitted caller, and a stream only as long as he stays admitted."""

    def __init__(self, gate: Gate, check_seconds: float = CHECK_SECONDS) -> None:
        self._gate = gate
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
        headers = dict(handler_call_details.invocation_metadata or ())
        authorization = str(headers.get("authorization", ""))

        async def admitted(context: Context) -> Principal:
            try:
                names = _names(context) if self._gate.closed else ()
                return self._gate.admit(path, authorization, names, context.peer())
            except GlasstapeError as error:
                await abort(context, error)

        return self._wrapped(handler, admitted)

    def _wrapped(
        self,
        handler: "Handler",
        admitted: Callable[[Context], Awaitable[Principal]],
    ) -> "Handler":
        if not handler.response_streaming:
            return self._of_one_answer(handler, admitted)
        behaviour: Any = handler.stream_stream if handler.request_streaming else handler.unary_stream

        async def stream(request: Any, context: Context) -> None:
            principal = await admitted(context)
            caller.set(principal)
            made = behaviour(request, context)
            work: asyncio.Future[None] = asyncio.ensure_future(
                _written(made, context) if hasattr(made, "__aiter__") else made
            )
            try:
                await self._while_admitted(work, principal)
            except GlasstapeError as error:
                work.cancel()
                await asyncio.wait([work])
                await abort(context, error)
            except asyncio.CancelledError:
                work.cancel()
                raise

        made_of = (
            grpc.stream_stream_rpc_method_handler
            if handler.request_streaming
            else grpc.unary_stream_rpc_method_handler
        )
        return made_of(stream, handler.request_deserializer, handler.response_serializer)

    @staticmethod
    def _of_one_answer(handler: "Handler", admitted: Callable[[Context], Awaitable[Principal]]) -> "Handler":
        behaviour: Any = handler.stream_unary if handler.request_streaming else handler.unary_unary

        async def answer(request: Any, context: Context) -> Any:
            caller.set(await admitted(context))
            return await behaviour(request, context)

        made_of = (
            grpc.stream_unary_rpc_method_handler
            if handler.request_streaming
            else grpc.unary_unary_rpc_method_handler
        )
        return made_of(answer, handler.request_deserializer, handler.response_serializer)

    async def _while_admitted(self, work: "asyncio.Future[None]", principal: Principal) -> None:
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
                self._gate.check(principal)
        await work


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
