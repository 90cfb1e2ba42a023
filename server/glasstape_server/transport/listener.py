"""Choice of the wire: grpcio, which serves everything, or native, which is faster and plaintext only."""

import importlib.util
import logging

from glasstape_server.operations.call_observer import CallObserver, NullCallObserver
from glasstape_server.transport.grpcio_server import Access, GrpcioServer, Servicers, WireServer

log = logging.getLogger(__name__)


def open_server(
    servicers: Servicers, address: str, access: Access, *, wire: str, observer: CallObserver | None = None
) -> WireServer:
    """Bind a server.

    Args:
        servicers: the services.
        address: host:port.
        access: who may connect and call.
        wire: "grpcio", "native", or "auto": native where it is installed and supports what `access` requires.
        observer: counts calls.

    Raises:
        RuntimeError: the address is in use.
        ValueError: the requested wire cannot serve.
    """
    obstacle = _native_obstacle(access)
    observer = observer or NullCallObserver()
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
    return GrpcioServer(servicers, address, access, observer)


def _native_obstacle(access: Access) -> str:
    """Return why the native wire cannot serve; empty if it can."""
    if importlib.util.find_spec("pygrpc_native") is None:
        return "pygrpc-native is not installed: pip install 'glasstape[fast]'"
    return access.native_wire_obstacle
