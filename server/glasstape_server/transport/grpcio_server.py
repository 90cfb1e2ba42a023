"""The gRPC server: every service on one port of one event loop."""

from dataclasses import dataclass, field
from typing import Any, Protocol

import grpc
from glasstape.v1 import (
    inference_pb2,
    inference_pb2_grpc,
    market_pb2,
    market_pb2_grpc,
    signals_pb2,
    signals_pb2_grpc,
)
from grpc_health.v1 import health, health_pb2_grpc
from grpc_reflection.v1alpha import reflection

from glasstape_server.access.authorizer import CHECK_SECONDS, Authorizer
from glasstape_server.operations.call_observer import CallObserver, NullCallObserver
from glasstape_server.rpc.inference_servicer import InferenceServicer
from glasstape_server.rpc.market_servicer import MarketServicer
from glasstape_server.rpc.oip import open_inference_pb2, open_inference_pb2_grpc
from glasstape_server.rpc.open_inference_servicer import OpenInferenceServicer
from glasstape_server.rpc.signal_servicer import SignalServicer
from glasstape_server.transport.authentication import Guard
from glasstape_server.transport.health import Health
from glasstape_server.transport.tls import Certificates

MAX_MESSAGE_BYTES = 16 * 1024 * 1024
MAX_METADATA_BYTES = 8 * 1024
MAX_STREAMS = 1_024
"""Calls at once on one connection, which all clients of a process share."""

_OPTIONS: tuple[tuple[str, int], ...] = (
    ("grpc.max_receive_message_length", MAX_MESSAGE_BYTES),
    ("grpc.max_send_message_length", MAX_MESSAGE_BYTES),
    # Two servers must not share a port unnoticed.
    ("grpc.so_reuseport", 0),
    # Clients ping every 10 s to notice a dead link; the server must allow it and pings by itself.
    ("grpc.http2.min_ping_interval_without_data_ms", 5_000),
    ("grpc.keepalive_time_ms", 30_000),
    ("grpc.keepalive_timeout_ms", 10_000),
    ("grpc.http2.ping_timeout_ms", 10_000),
    ("grpc.keepalive_permit_without_calls", 1),
    ("grpc.http2.max_ping_strikes", 2),
    # What one connection may cost: handshakes that dawdle, streams beyond use, headers beyond reason.
    ("grpc.server_handshake_timeout_ms", 10_000),
    ("grpc.max_concurrent_streams", MAX_STREAMS),
    # Nothing compressed is taken: grpc inflates a message before it looks at its size.
    ("grpc.compression_enabled_algorithms_bitset", 1),
    ("grpc.max_metadata_size", MAX_METADATA_BYTES),
    ("grpc.absolute_max_metadata_size", 16 * 1024),
)

SERVICES: tuple[str, ...] = tuple(
    service.full_name
    for file in (inference_pb2, market_pb2, signals_pb2, open_inference_pb2)
    for service in file.DESCRIPTOR.services_by_name.values()
)
"""Full names of every service of this project."""


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
    """How often the caller of a stream is looked at again."""
    tracers: tuple[grpc.aio.ServerInterceptor, ...] = ()
    """Interceptors that trace every call."""

    @property
    def beyond_the_fast_wire(self) -> str:
        """What the fast wire cannot do of this; empty if nothing."""
        if self.tls is not None:
            return "it has no TLS"
        if self.tracers:
            return "it cannot trace calls"
        if self.authorizer.audited:
            return "it cannot note who calls"
        return "it cannot ask for tokens" if self.authorizer.requires_credentials else ""


@dataclass(frozen=True, slots=True)
class Servicers:
    """Everything that answers."""

    inference: InferenceServicer
    market: MarketServicer
    signals: SignalServicer
    open_inference: OpenInferenceServicer
    health: Health


class WireServer(Protocol):
    """A bound server, on whichever wire."""

    @property
    def port(self) -> int:
        """TCP port."""
        ...

    async def start(self) -> None:
        """Answer calls; health says NOT_SERVING."""
        ...

    async def set_ready(self, ready: bool) -> None:
        """Say SERVING or not, for the server and its services; models are told one by one."""
        ...

    async def set_serving(self, service: str, serving: bool) -> None:
        """Set the health of one service or model."""
        ...

    def explain_health(self, reasons: tuple[str, ...]) -> None:
        """Say what is wrong to whoever asks for health."""
        ...

    async def say_not_serving(self) -> None:
        """Health says NOT_SERVING from now on, whatever is set later."""
        ...

    async def stop(self, grace: float) -> None:
        """Take no new calls, give running ones `grace` seconds, end."""
        ...


class Server:
    """grpcio. Binds at once, answers from `start` on, says SERVING only after `set_ready`."""

    def __init__(
        self, servicers: Servicers, address: str, access: Access, traffic: CallObserver | None = None
    ) -> None:
        guard = Guard(access.authorizer, access.check_seconds, traffic or NullCallObserver())
        self._server = grpc.aio.server(interceptors=(*access.tracers, guard), options=_OPTIONS)
        self._add_encoded(servicers)
        inference_pb2_grpc.add_InferenceServiceServicer_to_server(servicers.inference, self._server)
        market_pb2_grpc.add_MarketServiceServicer_to_server(servicers.market, self._server)
        signals_pb2_grpc.add_SignalServiceServicer_to_server(servicers.signals, self._server)
        open_inference_pb2_grpc.add_GRPCInferenceServiceServicer_to_server(
            servicers.open_inference, self._server
        )
        self._health = servicers.health
        health_pb2_grpc.add_HealthServicer_to_server(self._health, self._server)
        if access.with_reflection:
            names = (*SERVICES, health.SERVICE_NAME, reflection.SERVICE_NAME)
            reflection.enable_server_reflection(names, self._server)
        if access.tls is None:
            self.port = self._server.add_insecure_port(address)
        else:
            self.port = self._server.add_secure_port(address, access.tls.credentials())

    async def start(self) -> None:
        """Answer calls; health says NOT_SERVING."""
        await self.set_ready(False)
        await self._server.start()

    async def set_ready(self, ready: bool) -> None:
        """See `WireServer.set_ready`."""
        for name in ("", *SERVICES):
            await self.set_serving(name, ready)

    async def set_serving(self, service: str, serving: bool) -> None:
        """Set the health of one service or model."""
        await self._health.set(service, serving)

    def explain_health(self, reasons: tuple[str, ...]) -> None:
        """Say what is wrong to whoever asks for health."""
        self._health.explain(reasons)

    async def say_not_serving(self) -> None:
        """Health says NOT_SERVING from now on, whatever is set later."""
        await self._health.leave()

    async def stop(self, grace: float) -> None:
        """Take no new calls, give running ones `grace` seconds, end."""
        await self._server.stop(grace)

    def _add_encoded(self, servicers: Servicers) -> None:
        """The methods that take or give bytes: their handlers, added first, go before the generated ones."""
        unary, stream = grpc.unary_unary_rpc_method_handler, grpc.unary_stream_rpc_method_handler
        handlers: dict[str, Any] = {
            PREDICT: unary(servicers.inference.Predict),
            EXPLAIN: unary(servicers.inference.Explain),
            SIGNALS: stream(servicers.signals.Signals),
        }
        for path, handler in handlers.items():
            _, service, method = path.split("/")
            self._server.add_generic_rpc_handlers(
                (grpc.method_handlers_generic_handler(service, {method: handler}),)
            )
