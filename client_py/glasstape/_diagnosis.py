"""Why a first connection failed, if trying again does not help: a wrong name, TLS on one side only, certificates."""

import re
import threading
from typing import TYPE_CHECKING

from glasstape.errors import UnavailableError

if TYPE_CHECKING:
    import ssl

    from glasstape._options import Settings, Tls
    from glasstape._plain import Place
    from glasstape.address import Endpoint

ADDRESS_UNKNOWN = "ADDRESS_UNKNOWN"
TLS_REQUIRED = "TLS_REQUIRED"
TLS_NOT_SERVED = "TLS_NOT_SERVED"
CERTIFICATE_REJECTED = "CERTIFICATE_REJECTED"
CLIENT_CERTIFICATE_REQUIRED = "CLIENT_CERTIFICATE_REQUIRED"
CLIENT_CERTIFICATE_REJECTED = "CLIENT_CERTIFICATE_REJECTED"
LASTING = frozenset(
    {
        ADDRESS_UNKNOWN,
        TLS_REQUIRED,
        TLS_NOT_SERVED,
        CERTIFICATE_REJECTED,
        CLIENT_CERTIFICATE_REQUIRED,
        CLIENT_CERTIFICATE_REJECTED,
    }
)
"""Reasons of an UnavailableError that another attempt does not change."""
PROBE_SECONDS = 1.5
"""How long a probe may take: the name, the connection and the handshake together."""

_CERTIFICATE = re.compile(r"CERTIFICATE_VERIFY_FAILED: ([\w -]+)|(Hostname Verification Check failed)")
_REMEDIES = (
    ("expired", "renew it on the server, and check the clock of this machine"),
    ("not yet valid", "check the clocks of the server and of this machine"),
    ("other host names", "connect by a name that the certificate has"),
    ("issuer", "set tls.root_certificates to its authority"),
    ("self.?signed", "set tls.root_certificates to its authority"),
    ("unable to", "set tls.root_certificates to its authority"),
)
"""What to do about a rejected certificate, by a pattern of the cause."""
_CERTIFICATE_ALERTS = ("CERTIFICATE", "UNKNOWN_CA", "ACCESS_DENIED", "HANDSHAKE_FAILURE")
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
        remedies = [f"; {remedy}" for pattern, remedy in _REMEDIES if re.search(pattern, cause)]
        return UnavailableError(
            f"{address}: the server's certificate was rejected: {cause}{''.join(remedies[:1])}",
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
    """Return what TLS handshakes show: a server that speaks TLS, or one that rejects the client for its certificate."""
    if settings.tls is None:
        if _tls_is_answered(place):
            return UnavailableError(
                f"{place}: the server requires TLS: connect with tls", reason=TLS_REQUIRED
            )
        return None
    if not _client_is_rejected(place, settings.tls):
        return None
    if settings.tls.client_key is None:
        return UnavailableError(
            f"{place}: the server requires a client certificate: set tls.client_key and tls.client_certificates",
            reason=CLIENT_CERTIFICATE_REQUIRED,
        )
    return UnavailableError(
        f"{place}: the server rejects the client certificate: set tls.client_key and tls.client_certificates to "
        "valid ones of an authority that it trusts",
        reason=CLIENT_CERTIFICATE_REJECTED,
    )


def _tls_is_answered(place: "Place") -> bool:
    """Return whether a peer answers TLS, with an alert or a handshake."""
    import ssl

    try:
        _shake_hands(place, _context())
    except ssl.SSLError as error:
        return _is_alert_about_certificate(error)
    except OSError:
        return False
    return True


def _client_is_rejected(place: "Place", tls: "Tls") -> bool:
    """Return whether a peer ends handshakes because of the client's certificate, or because there is none.

    gRPC closes the connection without an alert: with TLS 1.2 within the handshake, with TLS 1.3 after it. A peer that
    closes both, or accepts both, has another reason.
    """
    import ssl

    older = _context(tls)
    older.maximum_version = ssl.TLSVersion.TLSv1_2
    try:
        _shake_hands(place, older)
    except ssl.SSLEOFError:
        pass
    except ssl.SSLError as error:
        return _is_alert_about_certificate(error)
    except ConnectionResetError:
        pass
    except OSError:
        return False
    else:
        return False
    try:
        _shake_hands(place, _context(tls))
    except OSError:
        return False
    return True


def _shake_hands(place: "Place", context: "ssl.SSLContext") -> None:
    """Connect and shake hands.

    Raises:
        OSError: there is no connection, or the peer ended the handshake.
    """
    from glasstape._plain import connect

    with connect(place, PROBE_SECONDS / 2) as connection, context.wrap_socket(connection):
        return


def _context(tls: "Tls | None" = None) -> "ssl.SSLContext":
    """Return a context that trusts every server, and presents a client's certificate."""
    import ssl

    from glasstape._pem import load_pair

    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    context.set_alpn_protocols(["h2"])
    if tls is not None and tls.client_key is not None and tls.client_certificates is not None:
        load_pair(context, tls.client_certificates, tls.client_key)
    return context


def _is_alert_about_certificate(error: "ssl.SSLError") -> bool:
    """Return whether a peer ended a handshake with an alert about the client's certificate."""
    reason = error.reason or ""
    return "ALERT" in reason and any(name in reason for name in _CERTIFICATE_ALERTS)
