"""Choice of the wire: grpcio, which serves everything, or native, which is faster and plaintext only."""

import contextlib
import importlib.util
import logging
from pathlib import Path

from glasstape.address import Address

from glasstape_server.operations.call_observer import CallObserver, NullCallObserver
from glasstape_server.storage import files
from glasstape_server.transport.grpcio_server import Access, GrpcioServer, Servicers, WireServer
from glasstape_server.transport.socket_file import SocketFile

log = logging.getLogger(__name__)


def open_server(
    servicers: Servicers,
    address: str,
    access: Access,
    *,
    wire: str,
    end: contextlib.ExitStack,
    observer: CallObserver | None = None,
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

    Raises:
        RuntimeError: the address is in use, or a socket cannot be made there.
        ValueError: the requested wire cannot serve.
    """
    observer = observer or NullCallObserver()
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
