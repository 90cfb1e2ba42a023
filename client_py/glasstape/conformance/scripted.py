"""A server that plays a script: one for each stream, and answers of its own for unary calls."""

import socket
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any, NoReturn

import grpc
from google.protobuf.any_pb2 import Any as Packed
from google.protobuf.duration_pb2 import Duration
from google.protobuf.message import Message
from google.rpc import error_details_pb2, status_pb2

from glasstape.conformance.messages import heartbeat, opened
from glasstape.v1 import inference_pb2, market_pb2, signals_pb2

STREAMS_AT_ONCE = 32
POLL_S = 0.02
BEAT_S = 0.3
"""Seconds between two heartbeats after the last script."""


@dataclass(frozen=True)
class Failure:
    """A status that ends a call."""

    code: grpc.StatusCode
    reason: str
    metadata: dict[str, str] = field(default_factory=dict)
    retry_s: float | None = None


Step = Message | bytes | float | Failure
"""A message, an encoded message, seconds of silence, or the end of the call."""
Script = Sequence[Step]


@dataclass(frozen=True, slots=True)
class Received:
    """A request, and when it came."""

    at: float
    request: Any


class ScriptedServer:
    """Plays the next script for each stream; after the last one, every stream is resumed and only beats.

    Args:
        scripts: of the streams, in their order.
        unary: answers of unary methods, by name, in their order; the last one is repeated.
        port: to listen on; 0: a free one.
    """

    def __init__(
        self,
        *scripts: Script,
        unary: "Mapping[str, Sequence[Message | Failure]] | None" = None,
        port: int = 0,
    ) -> None:
        self._scripts = scripts
        self._unary = unary or {}
        self._lock = threading.Lock()
        self._stopping = threading.Event()
        self._received: dict[str, list[Received]] = {}
        self._server = grpc.server(
            ThreadPoolExecutor(STREAMS_AT_ONCE),
            options=[("grpc.so_reuseport", 0), ("grpc.max_send_message_length", 32 << 20)],
        )
        self._server.add_generic_rpc_handlers(_handlers(self))
        self.port = self._server.add_insecure_port(f"127.0.0.1:{port}")
        self._server.start()

    @property
    def address(self) -> str:
        """host:port."""
        return f"127.0.0.1:{self.port}"

    def stop(self) -> None:
        """Cut every connection."""
        self._stopping.set()
        self._server.stop(None).wait()

    def received(self, method: str = "Signals") -> list[Received]:
        """Return the requests of a method so far."""
        with self._lock:
            return list(self._received.get(method, ()))

    def wait_for(self, number: int, seconds: float, method: str = "Signals") -> Received | None:
        """Return a request by its number, from 0; None: it did not come in time."""
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            received = self.received(method)
            if len(received) > number:
                return received[number]
            time.sleep(POLL_S)
        return None

    def _note(self, method: str, request: Any) -> int:
        """Return the number of a request."""
        with self._lock:
            received = self._received.setdefault(method, [])
            received.append(Received(time.monotonic(), request))
            return len(received) - 1

    def stream(self, request: Any, context: grpc.ServicerContext) -> Iterator[bytes]:
        """Play a script."""
        number = self._note("Signals", request)
        script = self._scripts[number] if number < len(self._scripts) else self._resumed()
        for step in script:
            if isinstance(step, Failure):
                _abort(context, step)
            elif isinstance(step, int | float):
                self._silence(step, context)
            else:
                yield step if isinstance(step, bytes) else step.SerializeToString()
            if self._stopping.is_set() or not context.is_active():
                return

    def answer(self, method: str) -> Callable[[Any, grpc.ServicerContext], bytes]:
        """Return the handler of a unary method."""

        def handler(request: Any, context: grpc.ServicerContext) -> bytes:
            number = self._note(method, request)
            answers = self._unary.get(method)
            if not answers:
                _abort(context, Failure(grpc.StatusCode.UNIMPLEMENTED, "UNIMPLEMENTED"))
            answer = answers[min(number, len(answers) - 1)]
            if isinstance(answer, Failure):
                _abort(context, answer)
            return answer.SerializeToString()

        return handler

    def _resumed(self) -> Iterator[Step]:
        yield opened(signals_pb2.OPEN_RESULT_RESUMED)
        while True:
            yield BEAT_S
            yield heartbeat()

    def _silence(self, seconds: float, context: grpc.ServicerContext) -> None:
        end = time.monotonic() + seconds
        while time.monotonic() < end and context.is_active() and not self._stopping.is_set():
            time.sleep(POLL_S)


def free_port() -> int:
    """Return a port that nothing listens on."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        return int(listening.getsockname()[1])


def _handlers(server: ScriptedServer) -> list[grpc.GenericRpcHandler]:
    signals = grpc.unary_stream_rpc_method_handler(
        server.stream, signals_pb2.SignalsRequest.FromString, lambda raw: raw
    )
    unary: dict[tuple[str, str], Any] = {
        ("InferenceService", "Predict"): inference_pb2.PredictRequest,
        ("InferenceService", "GetServerInfo"): inference_pb2.GetServerInfoRequest,
        ("MarketService", "PublishBars"): market_pb2.PublishBarsRequest,
    }
    found = [("SignalService", {"Signals": signals})]
    for (service, method), kind in unary.items():
        handler = grpc.unary_unary_rpc_method_handler(server.answer(method), kind.FromString, lambda raw: raw)
        found.append((service, {method: handler}))
    return [
        grpc.method_handlers_generic_handler(f"glasstape.v1.{service}", methods) for service, methods in found
    ]


def _abort(context: grpc.ServicerContext, failure: Failure) -> NoReturn:
    details: list[Message] = [
        error_details_pb2.ErrorInfo(reason=failure.reason, domain="glasstape", metadata=failure.metadata)
    ]
    if failure.retry_s is not None:
        delay = Duration()
        delay.FromMilliseconds(round(1000 * failure.retry_s))
        details.append(error_details_pb2.RetryInfo(retry_delay=delay))
    status = status_pb2.Status(code=failure.code.value[0], message=failure.reason)
    for detail in details:
        packed = Packed()
        packed.Pack(detail)
        status.details.append(packed)
    context.set_trailing_metadata((("grpc-status-details-bin", status.SerializeToString()),))
    context.abort(failure.code, failure.reason)
    raise AssertionError("abort raises")
