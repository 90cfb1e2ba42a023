"""Which of the two wires serves: grpcio, which can do everything, or the fast one, where it may."""

import importlib.util
import logging

from glasstape_server.operations.call_observer import CallObserver, NullCallObserver
from glasstape_server.transport.grpcio_server import Access, Server, Servicers, WireServer

log = logging.getLogger(__name__)


def open_server(
    servicers: Servicers, address: str, access: Access, *, wire: str, traffic: CallObserver | None = None
) -> WireServer:
    """Bind a server.

    Args:
        servicers: who answers.
        address: host:port.
        access: who may connect and call.
        wire: "grpcio", "native", or "auto": native where it is installed and nothing is asked that it cannot do.
        traffic: counts calls.

    Raises:
        RuntimeError: the address is taken.
        ValueError: the wire that was asked for cannot serve.
    """
    missing = _missing(access)
    traffic = traffic or NullCallObserver()
    if wire == "native" and missing:
        raise ValueError(f"must be grpcio or auto here, is native: {missing}")
    if wire != "grpcio" and not missing:
        from glasstape_server.transport.native_server import NativeServer

        try:
            server = NativeServer(servicers, address, access, traffic)
        except ValueError as error:
            if wire == "native":
                raise
            missing = str(error)
        else:
            log.info("wire: native")
            return server
    log.info("wire: grpcio%s", f" (the native one: {missing})" if wire == "auto" else "")
    return Server(servicers, address, access, traffic)


def _missing(access: Access) -> str:
    """Why the fast wire cannot serve; empty if it can."""
    if importlib.util.find_spec("pygrpc_native") is None:
        return "pygrpc-native is not installed: pip install 'glasstape[fast]'"
    return access.beyond_the_fast_wire
