"""The grpcio server: every service on one port of one event loop."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol

import grpc
from glasstape.v1 import (
    inference_pb2,
    inference_pb2_grpc,
    market_pb2,
    market_pb2_grpc,
    signals_pb2,
    signals_pb2_grpc,
)
from google.protobuf.descriptor import MethodDescriptor, ServiceDescriptor
from grpc_health.v1 import health, health_pb2, health_pb2_grpc

from glasstape_server.access.authorizer import CHECK_SECONDS, Authorizer
from glasstape_server.domain.limits import MAX_HEADER_BYTES, MAX_RECEIVED_BYTES, MAX_STREAMS
from glasstape_server.operations.call_observer import CallObserver, NullCallObserver
from glasstape_server.rpc.inference_servicer import InferenceServicer
from glasstape_server.rpc.market_servicer import MarketServicer
from glasstape_server.rpc.oip import open_inference_pb2, open_inference_pb2_grpc
from glasstape_server.rpc.open_inference_servicer import OpenInferenceServicer
from glasstape_server.rpc.signal_servicer import SignalServicer
from glasstape_server.serving.inference import Inference
from glasstape_server.transport.authentication import AuthenticationInterceptor
from glasstape_server.transport.health import Health
from glasstape_server.transport.reflection import enable_reflection
from glasstape_server.transport.tls import Certificates

if TYPE_CHECKING:  # not generic at run time
    Handler = grpc.RpcMethodHandler[Any, Any]

KEEPALIVE_MILLISECONDS = 30_000
"""Silence of a connection after which either wire pings it."""
KEEPALIVE_TIMEOUT_MILLISECONDS = 10_000
"""Time for an answer to that ping; then the connection is closed."""

_OPTIONS: tuple[tuple[str, int], ...] = (
    ("grpc.max_receive_message_length", MAX_RECEIVED_BYTES),
    ("grpc.max_send_message_length", MAX_RECEIVED_BYTES),
    # A second server must fail to bind instead of sharing the port.
    ("grpc.so_reuseport", 0),
    # Clients ping to detect a dead link, as often as they like: the native wire does not count pings either.
    ("grpc.http2.max_ping_strikes", 0),
    ("grpc.keepalive_time_ms", KEEPALIVE_MILLISECONDS),
    ("grpc.keepalive_timeout_ms", KEEPALIVE_TIMEOUT_MILLISECONDS),
    ("grpc.http2.ping_timeout_ms", KEEPALIVE_TIMEOUT_MILLISECONDS),
    ("grpc.keepalive_permit_without_calls", 1),
    # Limits of one connection: slow handshakes, concurrent streams, metadata.
    ("grpc.server_handshake_timeout_ms", 10_000),
    ("grpc.max_concurrent_streams", MAX_STREAMS),
    # Identity (bit 0) and gzip (bit 2). `request_rules` inflates: grpc would do so before it checks the size.
    ("grpc.compression_enabled_algorithms_bitset", 0b101),
    ("grpc.per_message_decompression", 0),
    ("grpc.max_metadata_size", MAX_HEADER_BYTES),
    ("grpc.absolute_max_metadata_size", MAX_HEADER_BYTES),
)

_SERVICES: tuple[ServiceDescriptor, ...] = tuple(
    service
    for file in (inference_pb2, market_pb2, signals_pb2, open_inference_pb2)
    for service in file.DESCRIPTOR.services_by_name.values()
)
SERVICES: tuple[str, ...] = tuple(service.full_name for service in _SERVICES)
"""Full names of every service of this project."""
METHODS: dict[str, MethodDescriptor] = {
    f"/{service.full_name}/{method.name}": method
    for service in (*_SERVICES, *health_pb2.DESCRIPTOR.services_by_name.values())
    for method in service.methods
}
"""Every method by path, those of the health service included."""

PREDICT = "/glasstape.v1.InferenceService/Predict"
EXPLAIN = "/glasstape.v1.InferenceService/Explain"
SIGNALS = "/glasstape.v1.SignalService/Signals"


@dataclass(frozen=True, slots=True)
class Access:
    """Who may connect and call."""

    authorizer: Authorizer = field(default_factory=lambda: Authorizer(None))
    tls: Certificates | None = None
    """None: plaintext."""
    with_reflection: bool = True
    """Whether callers may list services."""
    check_seconds: float = CHECK_SECONDS
    """Seconds between two checks of a stream's caller."""
    tracers: tuple[grpc.aio.ServerInterceptor, ...] = ()
    """Interceptors that trace every call."""

    @property
    def native_wire_obstacle(self) -> str:
        """Why the native wire cannot serve this; empty if it can."""
        if self.tls is not None:
            return "it has no TLS"
        if self.tracers:
            return "it cannot trace calls"
        if self.authorizer.audited:
            return "it has no audit log"
        return "it has no authentication" if self.authorizer.requires_credentials else ""


@dataclass(frozen=True, slots=True)
class Servicers:
    """Every service, and what the wires call by the batch."""

    application: Inference
    inference: InferenceServicer
    market: MarketServicer
    signals: SignalServicer
    open_inference: OpenInferenceServicer
    health: Health


class WireServer(Protocol):
    """A bound server on one of the wires."""

    wires: tuple[str, ...]
    """Names of the wires that it serves."""

    @property
    def port(self) -> int:
        """TCP port."""
        ...

    async def start(self) -> None:
        """Answer calls; health is NOT_SERVING."""
        ...

    async def set_ready(self, ready: bool) -> None:
        """Set the health of the server and its services; that of models is set one by one."""
        ...

    async def set_serving(self, service: str, serving: bool) -> None:
        """Set the health of one service or model."""
        ...

    def set_health_reasons(self, reasons: tuple[str, ...]) -> None:
        """Set the reasons that health checks return."""
        ...

    async def set_not_serving(self) -> None:
        """Set health to NOT_SERVING for good."""
        ...

    async def stop(self, grace: float) -> None:
        """Accept no new calls, wait `grace` seconds for running ones, and stop."""
        ...


class GrpcioServer:
    """Binds at once, answers calls after `start`, and is SERVING only after `set_ready`."""

    wires: tuple[str, ...] = ("grpcio",)

    def __init__(
        self, servicers: Servicers, address: str, access: Access, observer: CallObserver | None = None
    ) -> None:
        authentication = AuthenticationInterceptor(
            access.authorizer,
            access.check_seconds,
            observer or NullCallObserver(),
            None if access.tls is None else access.tls.connections,
        )
        self._server = grpc.aio.server(interceptors=(*access.tracers, authentication), options=_OPTIONS)
        for path, encoded in encoded_handlers(
            servicers
        ).items():  # the first handler of a method takes precedence
            _, service, method = path.split("/")
            generic = grpc.method_handlers_generic_handler(service, {method: encoded})
            self._server.add_generic_rpc_handlers((generic,))
        add_services(servicers, self._server)
        self._health = servicers.health
        if access.with_reflection:
            enable_reflection((*SERVICES, health.SERVICE_NAME), self._server)
        if access.tls is None:
            self.port = self._server.add_insecure_port(address)
        else:
            self.port = self._server.add_secure_port(address, access.tls.credentials())

    async def start(self) -> None:
        """Answer calls; health is NOT_SERVING."""
        await self.set_ready(False)
        await self._server.start()

    async def set_ready(self, ready: bool) -> None:
        """See `WireServer.set_ready`."""
        for name in ("", *SERVICES):
            await self.set_serving(name, ready)

    async def set_serving(self, service: str, serving: bool) -> None:
        """Set the health of one service or model."""
        await self._health.set(service, serving)

    def set_health_reasons(self, reasons: tuple[str, ...]) -> None:
        """Set the reasons that health checks return."""
        self._health.set_reasons(reasons)

    async def set_not_serving(self) -> None:
        """Set health to NOT_SERVING for good."""
        await self._health.stop()

    async def stop(self, grace: float) -> None:
        """Accept no new calls, wait `grace` seconds for running ones, and stop."""
        await self._server.stop(grace)


def add_services(servicers: Servicers, server: Any) -> None:
    """Add every service to a server, or to what collects handlers as a server does."""
    inference_pb2_grpc.add_InferenceServiceServicer_to_server(servicers.inference, server)
    market_pb2_grpc.add_MarketServiceServicer_to_server(servicers.market, server)
    signals_pb2_grpc.add_SignalServiceServicer_to_server(servicers.signals, server)
    open_inference_pb2_grpc.add_GRPCInferenceServiceServicer_to_server(servicers.open_inference, server)
    health_pb2_grpc.add_HealthServicer_to_server(servicers.health, server)


class _Handlers:
    """Collects the handlers of services, as a server does."""

    def __init__(self) -> None:
        self.by_path: dict[str, Handler] = {}

    def add_registered_method_handlers(self, service: str, handlers: "Mapping[str, Handler]") -> None:
        self.by_path.update({f"/{service}/{method}": handler for method, handler in handlers.items()})

    def add_generic_rpc_handlers(self, handlers: object) -> None:
        """See grpc.aio.Server; they are the same ones."""


def handlers_of(servicers: Servicers) -> "dict[str, Handler]":
    """Return the handler of every method, by path."""
    collected = _Handlers()
    add_services(servicers, collected)
    return collected.by_path


def encoded_handlers(servicers: Servicers) -> "dict[str, Handler]":
    """Return the handlers of the methods that take or return bytes, by path."""
    unary, stream = grpc.unary_unary_rpc_method_handler, grpc.unary_stream_rpc_method_handler
    behaviors: Any = servicers.inference, servicers.signals
    return {
        PREDICT: unary(behaviors[0].Predict),
        EXPLAIN: unary(behaviors[0].Explain),
        SIGNALS: stream(behaviors[1].Signals),
    }
