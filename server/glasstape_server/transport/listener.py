"""Choice of the wire: grpcio, which serves everything, or native, which is faster and plaintext only; web beside it."""

import contextlib
import importlib.util
import logging
from pathlib import Path
from typing import TYPE_CHECKING

from glasstape.address import Address, bracketed

from glasstape_server.operations.call_observer import CallObserver, NullCallObserver
from glasstape_server.storage import files
from glasstape_server.transport.grpcio_server import Access, GrpcioServer, Servicers, WireServer
from glasstape_server.transport.server_with_web import ServerWithWeb, WebError, WebOptions
from glasstape_server.transport.socket_file import SocketFile

if TYPE_CHECKING:
    from glasstape_server.transport.web_server import WebServer

log = logging.getLogger(__name__)


def open_server(
    servicers: Servicers,
    address: str,
    access: Access,
    *,
    wire: str,
    end: contextlib.ExitStack,
    observer: CallObserver | None = None,
    web: WebOptions | None = None,
) -> WireServer:
    """Bind a server.

    Only the user of the server may connect to a socket `unix:PATH`; with tokens, its group may, too.

    Args:
        servicers: the services.
        address: host:port, unix:PATH or unix-abstract:NAME.
        access: who may connect and call.
        wire: "grpcio", "native", or "auto": native where it is installed and supports what `access` requires.
        end: closed when the server has stopped.
        observer: counts calls.
        web: where to serve browsers, too.

    Raises:
        RuntimeError: the address is in use, or a socket cannot be made there.
        ValueError: the requested wire cannot serve.
        WebError: browsers cannot be served.
    """
    observer = observer or NullCallObserver()
    if web is not None:
        server = open_server(servicers, address, access, wire=wire, end=end, observer=observer)
        return ServerWithWeb(server, _open_web(servicers, access, observer, web))
    if not address.startswith("unix:"):
        return _open(servicers, address, access, wire, observer)
    file = SocketFile(Path(Address.parse(address).socket_path))
    end.callback(file.remove)
    server = _open(servicers, address, access, wire, observer)
    file.set_mode(files.GROUP if access.authorizer.requires_credentials else files.PRIVATE)
    return server


def _open(
    servicers: Servicers, address: str, access: Access, wire: str, observer: CallObserver
) -> WireServer:
    obstacle = _native_obstacle(access, address)
    if wire == "native" and obstacle:
        raise ValueError(f"must be grpcio or auto here, is native: {obstacle}")
    if wire != "grpcio" and not obstacle:
        from glasstape_server.transport.native_server import NativeServer

        try:
            server = NativeServer(servicers, address, access, observer)
        except ValueError as error:
            if wire == "native":
                raise
            obstacle = str(error)
        else:
            log.info("wire: native")
            return server
    log.info("wire: grpcio%s", f" (native: {obstacle})" if wire == "auto" else "")
    return GrpcioServer(servicers, _target(address), access, observer)


def _open_web(servicers: Servicers, access: Access, observer: CallObserver, web: WebOptions) -> "WebServer":
    """Bind the web wire.

    Raises:
        WebError: it cannot serve.
    """
    if access.tls is not None and access.tls.requires_client:
        raise WebError(
            "cannot check certificates of clients: unset tls_client_authorities, or use a proxy that does"
        )
    if missing := [
        name for name in ("connectrpc", "starlette", "uvicorn") if importlib.util.find_spec(name) is None
    ]:
        raise WebError(f"{' and '.join(missing)} must be installed: pip install 'glasstape[web]'")
    from glasstape_server.transport.web_server import WebServer

    try:
        return WebServer(servicers, web.host, web.port, access, web.origins, observer)
    except RuntimeError as error:
        raise WebError(f"cannot listen on {bracketed(web.host)}:{web.port}: {error}") from None


def _target(address: str) -> str:
    """Return an address as grpcio binds it: the path of a socket percent-encoded."""
    return Address.parse(address).target if address.startswith("unix") else address


def _native_obstacle(access: Access, address: str) -> str:
    """Return why the native wire cannot serve; empty if it can."""
    if importlib.util.find_spec("pygrpc_native") is None:
        return "pygrpc-native is not installed: pip install 'glasstape[fast]'"
    if address.startswith("unix-abstract:"):
        return "it has no abstract sockets"
    return access.native_wire_obstacle
