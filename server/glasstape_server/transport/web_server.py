"""The web wire: Connect, gRPC-Web and JSON over HTTP/1.1 on a port of its own, for browsers and `curl`.

Every unary and server-streaming method is served by the handlers of the grpcio server, behind the same authentication,
quotas, metrics and size rules. Streams of requests are not: HTTP/1.1 carries none.
"""

import asyncio
import contextlib
import logging
import socket
from collections.abc import AsyncGenerator, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import grpc
import uvicorn
from connectrpc.method import IdempotencyLevel, MethodInfo, StreamType
from connectrpc.request import RequestContext
from connectrpc.server import ConnectASGIApplication, Endpoint
from google.protobuf.descriptor import MethodDescriptor
from google.protobuf.message_factory import GetMessageClass

from glasstape_server.domain.limits import MAX_HEADER_BYTES, MAX_RECEIVED_BYTES
from glasstape_server.operations.call_observer import CallObserver
from glasstape_server.transport.authentication import AuthenticationInterceptor
from glasstape_server.transport.grpcio_server import METHODS, Access, Servicers, encoded_handlers, handlers_of
from glasstape_server.transport.web_codecs import CODECS, WebMessage
from glasstape_server.transport.web_context import WebContext
from glasstape_server.transport.web_origins import with_origins

if TYPE_CHECKING:  # not generic at run time
    Handler = grpc.RpcMethodHandler[Any, Any]
    Web = RequestContext[Any, Any]

log = logging.getLogger(__name__)

IDLE_SECONDS = 75
"""Seconds after which a connection without a request is closed."""


class WebServer:
    """Binds at once, and answers calls after `start`.

    Args:
        servicers: every service.
        host: to listen on.
        port: TCP port; 0: a free one.
        access: who may connect and call.
        origins: of pages that browsers may call from, such as https://desk.example.com.
        observer: counts calls.

    Raises:
        RuntimeError: the address is in use.
    """

    def __init__(
        self,
        servicers: Servicers,
        host: str,
        port: int,
        access: Access,
        origins: Sequence[str],
        observer: CallObserver,
    ) -> None:
        authentication = AuthenticationInterceptor(access.authorizer, access.check_seconds, observer)
        application = _Application(authentication, {**handlers_of(servicers), **encoded_handlers(servicers)})
        self._socket = _listening(host, port)
        self.port = int(self._socket.getsockname()[1])
        config = uvicorn.Config(
            with_origins(application, origins),
            http="h11",
            ws="none",
            lifespan="off",
            log_config=None,
            access_log=False,
            server_header=False,
            proxy_headers=False,
            timeout_keep_alive=IDLE_SECONDS,
            h11_max_incomplete_event_size=MAX_HEADER_BYTES,
        )
        config.load()
        config.ssl = None if access.tls is None else access.tls.context()
        self._server = _Server(config)
        self._running: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Answer calls."""
        logging.getLogger("uvicorn.error").setLevel(logging.WARNING)  # it announces start and end
        self._running = asyncio.create_task(self._server.serve([self._socket]))
        await self._server.listening.wait()

    async def stop(self, grace: float) -> None:
        """Accept no new calls, wait `grace` seconds for running ones, and stop."""
        self._server.config.timeout_graceful_shutdown = max(1, round(grace))
        self._server.should_exit = True
        if self._running is not None:
            await self._running
        self._socket.close()


class _Server(uvicorn.Server):
    """A server whose process handles signals itself."""

    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self.listening = asyncio.Event()

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self.listening.set()

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


class _Application(ConnectASGIApplication[None]):
    """Every method that HTTP/1.1 can carry."""

    def __init__(self, authentication: AuthenticationInterceptor, handlers: "Mapping[str, Handler]") -> None:
        endpoints: Mapping[str, Any] = {
            path: _endpoint(authentication, METHODS[path], handler)
            for path, handler in handlers.items()
            if path in METHODS and not METHODS[path].client_streaming
        }
        super().__init__(
            service=None,
            endpoints=lambda _: endpoints,
            codecs=CODECS,
            read_max_bytes=MAX_RECEIVED_BYTES,
        )

    @property
    def path(self) -> str:
        """See ConnectASGIApplication."""
        return "/"


def _endpoint(
    authentication: AuthenticationInterceptor, method: MethodDescriptor, handler: "Handler"
) -> "Endpoint[Any, Any]":
    """Return the endpoint of one method."""
    streams = method.server_streaming
    info = MethodInfo(
        name=method.name,
        service_name=method.containing_service.full_name,
        input=GetMessageClass(method.input_type),
        output=GetMessageClass(method.output_type),
        idempotency_level=IdempotencyLevel.UNKNOWN,
        stream_type=StreamType.SERVER_STREAM if streams else StreamType.UNARY,
    )

    async def found(_: object) -> "Handler":
        return handler

    async def admitted(details: Any) -> Any:
        """Return the handler behind the authentication of one call."""
        return await authentication.intercept_service(found, details)

    async def unary(request: bytes, web: "Web") -> WebMessage:
        context = WebContext(web, request)
        wrapped = await admitted(context.details)
        response = await context.run(wrapped.stream_unary(None, context))
        encode = wrapped.response_serializer
        return WebMessage(response if encode is None else encode(response), info.output)

    async def stream(request: bytes, web: "Web") -> AsyncGenerator[WebMessage]:
        context = WebContext(web, request)
        wrapped = await admitted(context.details)
        encode = wrapped.response_serializer
        async with contextlib.aclosing(context.written(wrapped.stream_stream(None, context))) as messages:
            async for message in messages:
                yield WebMessage(message if encode is None else encode(message), info.output)

    return Endpoint.server_stream(info, stream) if streams else Endpoint.unary(info, unary)


def _listening(host: str, port: int) -> socket.socket:
    """Return a listening socket.

    Raises:
        RuntimeError: the address is in use, or no address of this machine.
    """
    try:
        family, *_, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        return socket.create_server(address[:2], family=family)
    except OSError as error:
        raise RuntimeError(str(error)) from None
