"""Why a first connection failed, if trying again does not help: a wrong name, TLS on one side only, certificates."""

import re
import threading
from typing import TYPE_CHECKING, Any

from glasstape.errors import UnavailableError

if TYPE_CHECKING:
    import socket

    from glasstape._options import Settings
    from glasstape._plain import Place
    from glasstape.address import Endpoint

ADDRESS_UNKNOWN = "ADDRESS_UNKNOWN"
TLS_REQUIRED = "TLS_REQUIRED"
TLS_NOT_SERVED = "TLS_NOT_SERVED"
CERTIFICATE_REJECTED = "CERTIFICATE_REJECTED"
CLIENT_CERTIFICATE_REQUIRED = "CLIENT_CERTIFICATE_REQUIRED"
LASTING = frozenset(
    {ADDRESS_UNKNOWN, TLS_REQUIRED, TLS_NOT_SERVED, CERTIFICATE_REJECTED, CLIENT_CERTIFICATE_REQUIRED}
)
"""Reasons of an UnavailableError that another attempt does not change."""
PROBE_SECONDS = 1.5
"""How long a probe may take: the name, the connection and the handshake together."""

_CERTIFICATE = re.compile(r"CERTIFICATE_VERIFY_FAILED: ([\w ]+)|(Hostname Verification Check failed)")
_NAME = re.compile(r"resolv", re.IGNORECASE)
_NO_CONNECTION = re.compile(
    r"refused|unreachable|timed out|timeout|no route|no such file|permission", re.IGNORECASE
)


def lasting_cause(settings: "Settings", message: str) -> UnavailableError | None:
    """Return the error that states why a connection failed, if trying again does not help; else None.

    Takes up to `PROBE_SECONDS`.

    Args:
        settings: of the connection.
        message: what gRPC reported.
    """
    address = settings.address
    rejected = _CERTIFICATE.search(message)
    if rejected:
        cause = (rejected[1] or "it is for other host names").strip()
        return UnavailableError(
            f"{address}: the server's certificate was rejected: {cause}; set tls.root_certificates to its authority",
            reason=CERTIFICATE_REJECTED,
        )
    if settings.tls is not None and "WRONG_VERSION_NUMBER" in message:
        return UnavailableError(
            f"{address}: the server is plaintext, it does not answer TLS: connect without tls",
            reason=TLS_NOT_SERVED,
        )
    # A probe would bypass the proxy, and only gRPC's resolver sees what is behind one.
    if settings.proxy is not None or _NO_CONNECTION.search(message):
        return None
    return _probed(settings, unresolved=bool(_NAME.search(message)))


def _probed(settings: "Settings", *, unresolved: bool) -> UnavailableError | None:
    from glasstape._plain import UnixSocket, first_place

    place = first_place(settings.address)
    if place is None:
        return None
    found: list[UnavailableError | None] = []

    def probe() -> None:
        if isinstance(place, UnixSocket) or not unresolved:
            found.append(_handshake(settings, place))
        else:
            found.append(_unknown(place))

    # In a thread: a resolver takes as long as it likes.
    thread = threading.Thread(target=probe, name="glasstape-probe", daemon=True)
    thread.start()
    thread.join(PROBE_SECONDS)
    return found[0] if found else None


def _unknown(endpoint: "Endpoint") -> UnavailableError | None:
    import socket

    lasting = {socket.EAI_NONAME, getattr(socket, "EAI_NODATA", socket.EAI_NONAME)}
    try:
        socket.getaddrinfo(endpoint.host, endpoint.port, type=socket.SOCK_STREAM)
    except socket.gaierror as error:
        if error.errno in lasting:
            return UnavailableError(f"{endpoint}: the host name is unknown", reason=ADDRESS_UNKNOWN)
    return None


def _handshake(settings: "Settings", place: "Place") -> UnavailableError | None:
    """Return what a TLS handshake shows: a server that speaks TLS, or one that requires a client's certificate."""
    import ssl

    from glasstape._plain import connect

    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    context.set_alpn_protocols(["h2"])
    try:
        with connect(place, PROBE_SECONDS / 2) as connection:
            outcome = _outcome(context, connection)
    except OSError:
        return None
    if settings.tls is None and outcome is not None:
        return UnavailableError(f"{place}: the server requires TLS: connect with tls", reason=TLS_REQUIRED)
    if settings.tls is not None and settings.tls.client_key is None and outcome == "certificate required":
        return UnavailableError(
            f"{place}: the server requires a client certificate: set tls.client_key and tls.client_certificates",
            reason=CLIENT_CERTIFICATE_REQUIRED,
        )
    return None


def _outcome(context: Any, connection: "socket.socket") -> str | None:
    """Return "TLS" or "certificate required"; None if the peer does not answer TLS."""
    import ssl

    certificate = ("CERTIFICATE_REQUIRED", "HANDSHAKE_FAILURE")
    try:
        with context.wrap_socket(connection) as secured:
            try:
                secured.recv(1)
            except ssl.SSLError as error:
                return "certificate required" if any(name in str(error) for name in certificate) else "TLS"
            except OSError:
                return "TLS"  # the peer waits for a client that speaks HTTP/2
            return "TLS"
    except ssl.SSLError as error:
        return "certificate required" if any(name in str(error) for name in certificate) else None
