"""Calls of the web wire by clients that the project did not write: connectrpc's, and HTTP with JSON."""

import json
import ssl
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping
from typing import Any

from connectrpc.client import ConnectClientSync
from connectrpc.compat import google_protobuf_binary_codec
from connectrpc.method import IdempotencyLevel, MethodInfo, StreamType
from connectrpc.protocol import ProtocolType
from glasstape_server.transport.grpcio_server import METHODS
from google.protobuf.message import Message
from google.protobuf.message_factory import GetMessageClass


def _method(path: str) -> MethodInfo[Any, Any]:
    method = METHODS[path]
    return MethodInfo(
        name=method.name,
        service_name=method.containing_service.full_name,
        input=GetMessageClass(method.input_type),
        output=GetMessageClass(method.output_type),
        idempotency_level=IdempotencyLevel.UNKNOWN,
        stream_type=StreamType.SERVER_STREAM if method.server_streaming else StreamType.UNARY,
    )


def _path(name: str) -> str:
    return next(path for path in METHODS if path.startswith("/glasstape") and path.endswith(f"/{name}"))


class WebClient:
    """A client of one of the binary protocols of browsers."""

    def __init__(self, url: str, protocol: str = "CONNECT", headers: Mapping[str, str] | None = None) -> None:
        self._headers = dict(headers or {})
        self._client = ConnectClientSync(
            url, codec=google_protobuf_binary_codec(), protocol=ProtocolType[protocol]
        )

    def call(self, name: str, request: Message, timeout_ms: int = 10_000) -> Any:
        return self._client.execute_unary(
            request=request, method=_method(_path(name)), headers=self._headers, timeout_ms=timeout_ms
        )

    def stream(self, name: str, request: Message) -> Iterator[Any]:
        return self._client.execute_server_stream(
            request=request, method=_method(_path(name)), headers=self._headers, timeout_ms=30_000
        )


def post(
    url: str,
    name: str,
    body: object,
    *,
    headers: Mapping[str, str] | None = None,
    authority: str = "",
    method: str = "POST",
) -> tuple[int, Any, dict[str, str]]:
    """Send JSON, and return status, decoded answer and headers."""
    data = body if isinstance(body, bytes) else json.dumps(body).encode()
    request = urllib.request.Request(
        f"{url}{_path(name)}",
        data if method == "POST" else None,
        {"content-type": "application/json", **(headers or {})},
        method=method,
    )
    context = ssl.create_default_context(cafile=authority) if authority else None
    try:
        with urllib.request.urlopen(request, timeout=20, context=context) as response:
            text, status, found = response.read(), response.status, response.headers
    except urllib.error.HTTPError as error:
        text, status, found = error.read(), error.code, error.headers
    lowered = {name.lower(): value for name, value in found.items()}
    return status, json.loads(text) if text.startswith(b"{") else text, lowered
