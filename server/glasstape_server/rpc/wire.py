"""Which of the two wires serves: grpcio, which can do everything, or the fast one, where it may."""

import importlib.util
import logging

from glasstape_server.rpc.server import Server, Servicers, WireServer

log = logging.getLogger(__name__)


def open_server(
    servicers: Servicers, address: str, *, wire: str, plaintext: bool, with_reflection: bool
) -> WireServer:
    """Bind a server.

    Args:
        servicers: who answers.
        address: host:port.
        wire: "grpcio", "native", or "auto": native where it is installed and nothing is asked that it cannot do.
        plaintext: whether connections are not encrypted, which is all that the fast wire can do.
        with_reflection: whether callers may list services.

    Raises:
        RuntimeError: the address is taken, or the wire that was asked for cannot serve.
    """
    missing = _missing(plaintext)
    if wire == "native" and missing:
        raise RuntimeError(f"--wire native: {missing}")
    if wire == "grpcio" or missing:
        log.info("wire: grpcio%s", f" ({missing})" if wire == "auto" else "")
        return Server(servicers, address, with_reflection=with_reflection)
    from glasstape_server.rpc.native import NativeServer

    server = NativeServer(servicers, address, with_reflection=with_reflection)
    log.info("wire: native")
    return server


def _missing(plaintext: bool) -> str:
    """Why the fast wire cannot serve; empty if it can."""
    if importlib.util.find_spec("pygrpc_native") is None:
        return "pygrpc-native is not installed: pip install 'glasstape[fast]'"
    return "" if plaintext else "it has no TLS"
