"""Which pages a browser may call the web wire from.

A request that names an origin is a page's. It is answered for the origins that the operator lists, and for pages that
were loaded from this server under an address, not under a name that another site's DNS could point here.
"""

import ipaddress
import json
from collections.abc import Awaitable, Callable, MutableMapping, Sequence
from typing import Any
from urllib.parse import urlsplit

from starlette.middleware.cors import CORSMiddleware

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
Application = Callable[[Scope, Receive, Send], Awaitable[None]]

ALLOWED_HEADERS = (
    "authorization", "connect-protocol-version", "connect-timeout-ms", "content-type", "grpc-timeout",
    "x-grpc-web", "x-request-id", "x-user-agent",
)  # fmt: skip
EXPOSED_HEADERS = ("grpc-message", "grpc-status", "grpc-status-details-bin")
PREFLIGHT_SECONDS = 7200
"""Seconds for which a browser may remember the answer to a preflight request."""


def with_origins(application: Application, origins: Sequence[str]) -> Application:
    """Return an application that answers pages of some origins, and requests that are no page's.

    Args:
        application: answers them.
        origins: allowed beside pages of this server, as `setting_values.parse_origin` returns them.
    """
    shared = CORSMiddleware(
        application,
        allow_origins=origins,
        allow_methods=["POST"],
        allow_headers=ALLOWED_HEADERS,
        expose_headers=EXPOSED_HEADERS,
        max_age=PREFLIGHT_SECONDS,
    )

    async def checked(scope: Scope, receive: Receive, send: Send) -> None:
        headers = {
            name.decode("latin-1"): value.decode("latin-1") for name, value in scope.get("headers", ())
        }
        origin = headers.get("origin")
        if origin is None or origin in origins or _is_own(origin, headers.get("host", "")):
            await shared(scope, receive, send)
        else:
            await _refuse(origin, send)

    return checked


def _is_own(origin: str, host: str) -> bool:
    """Whether a page was loaded from this server, under an address or as localhost."""
    parts = urlsplit(origin)
    if parts.netloc.lower() != host.lower():
        return False
    name = parts.hostname or ""
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return name == "localhost"
    return True


async def _refuse(origin: str, send: Send) -> None:
    message = f"origin: must be allowed with --web-origins, is {origin}"
    body = json.dumps({"code": "permission_denied", "message": message}).encode()
    headers = [(b"content-type", b"application/json"), (b"content-length", str(len(body)).encode())]
    await send({"type": "http.response.start", "status": 403, "headers": headers})
    await send({"type": "http.response.body", "body": body})
