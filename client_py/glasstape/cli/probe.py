"""Probe of a connection, step by step: name, TCP, what the peer speaks, TLS. It needs neither grpc nor protobuf."""

import socket
import ssl
from collections.abc import Iterator
from enum import Enum
from typing import Any

from glasstape._plain import Place, UnixSocket, connect, first_place
from glasstape._proxy import Proxy
from glasstape.address import Address, Endpoint
from glasstape.cli.installation import Finding
from glasstape.cli.tls_files import TlsFiles, verifying_context

TIMEOUT_S = 3.0
"""Limit of each step."""
_PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + b"\x00\x00\x00\x04\x00\x00\x00\x00\x00"
"""What an HTTP/2 client sends first, with an empty SETTINGS frame."""
_SETTINGS = 4
"""Type of the frame that an HTTP/2 server sends first."""
_NOT_TRUSTED = (18, 19, 20, 21)
"""OpenSSL's codes of certificates that no trusted authority signed."""
_EXPIRED, _OTHER_NAME = 10, (62, 64)


class Speaks(Enum):
    """What a peer speaks."""

    HTTP2 = "plaintext gRPC"
    TLS = "TLS"
    HTTP1 = "HTTP/1"
    SILENT = "nothing"
    OTHER = "another protocol"


def place_of(text: str) -> Place | None:
    """Return the place of an address; None for several, and for the forms that only gRPC connects to."""
    try:
        address = Address.parse(text)
    except ValueError:
        return None  # the client says why
    return None if len(address.endpoints) > 1 else first_place(address)


def probe_proxy(proxy: Proxy) -> Finding:
    """Return whether the proxy of a connection can be reached."""
    endpoint = place_of(proxy.location)
    try:
        if endpoint is not None:
            _connected(endpoint).close()
    except OSError as error:
        return "problem", f"{proxy}: unreachable: {error.strerror or error}: check {proxy.variable}"
    return "ok", f"connections go through the {proxy}"


def probe(endpoint: Place, tls: TlsFiles | None) -> Iterator[Finding]:
    """Yield what each step finds, up to the first problem.

    Args:
        endpoint: the server.
        tls: files of a TLS connection; None: plaintext.
    """
    for kind, text in _reached(endpoint):
        yield kind, text
        if kind == "problem":
            return
    spoken = spoken_at(endpoint)
    if tls is None:
        yield _plaintext(endpoint, spoken)
    elif spoken is not Speaks.TLS:
        yield (
            "problem",
            f"{endpoint}: speaks {spoken.value}, not TLS: leave out --tls and the certificate options",
        )
    else:
        yield _verified(endpoint, tls)


def _reached(endpoint: Place) -> Iterator[Finding]:
    """Yield what each step finds until the peer accepts a connection."""
    if isinstance(endpoint, Endpoint):
        yield _name(endpoint)
        yield _port(endpoint)
    else:
        yield _socket(endpoint)


def spoken_at(endpoint: Place) -> Speaks:
    """Return what the peer speaks: first in plaintext, then by a TLS handshake."""
    answer = b""
    try:
        with _connected(endpoint) as connection:
            connection.sendall(_PREFACE)
            answer = connection.recv(9)
    except OSError:
        answer = b""  # TLS servers close or reset the connection, or wait
    if len(answer) >= 4 and answer[3] == _SETTINGS:
        return Speaks.HTTP2
    if answer.startswith(b"HTTP/1"):
        return Speaks.HTTP1
    try:
        with _connected(endpoint) as connection, _unverified().wrap_socket(connection):
            return Speaks.TLS
    except ssl.SSLError as error:
        if "ALERT" in (error.reason or ""):
            return Speaks.TLS
    except OSError:
        pass
    return Speaks.OTHER if answer else Speaks.SILENT


def _name(endpoint: Endpoint) -> Finding:
    try:
        found = socket.getaddrinfo(endpoint.host, endpoint.port, type=socket.SOCK_STREAM)
    except (socket.gaierror, UnicodeError) as error:
        reason = getattr(error, "strerror", None) or error
        return "problem", f"{endpoint.host}: the name is not found ({reason}): check --server and the DNS"
    addresses = dict.fromkeys(str(entry[4][0]) for entry in found)
    return "ok", f"{endpoint.host}: resolves to {', '.join(addresses)}"


def _port(endpoint: Endpoint) -> Finding:
    try:
        _connected(endpoint).close()
    except ConnectionRefusedError:
        return (
            "problem",
            f"{endpoint}: unreachable: the port is closed; start `glasstape serve`, or check --server",
        )
    except TimeoutError:
        return (
            "problem",
            f"{endpoint}: unreachable: no answer within {TIMEOUT_S:g} s; check firewall and --server",
        )
    except OSError as error:
        return "problem", f"{endpoint}: unreachable: {error.strerror or error}"
    return "ok", f"{endpoint}: the port is open"


def _socket(endpoint: UnixSocket) -> Finding:
    try:
        connect(endpoint, TIMEOUT_S).close()
    except FileNotFoundError:
        return "problem", f"{endpoint}: there is no such socket; start `glasstape serve --host {endpoint}`"
    except ConnectionRefusedError:
        return "problem", f"{endpoint}: the server that made this socket has ended; start it again"
    except PermissionError:
        return (
            "problem",
            f"{endpoint}: this user may not connect: only the server's user may, with tokens its group, too",
        )
    except OSError as error:
        return "problem", f"{endpoint}: unreachable: {error.strerror or error}"
    return "ok", f"{endpoint}: accepts connections"


def _plaintext(endpoint: Place, spoken: Speaks) -> Finding:
    match spoken:
        case Speaks.HTTP2:
            return "ok", f"{endpoint}: speaks plaintext gRPC (HTTP/2)"
        case Speaks.TLS:
            rule = "--tls, or --root-certificates FILE for an authority of your own"
            return "problem", f"{endpoint}: speaks TLS: use {rule}"
        case Speaks.HTTP1:
            return "problem", f"{endpoint}: speaks HTTP/1, not gRPC: is it the metrics port or a web server?"
        case Speaks.SILENT:
            return "problem", f"{endpoint}: accepts connections and answers neither gRPC nor TLS"
        case _:
            return "problem", f"{endpoint}: speaks neither gRPC nor TLS: another service listens there"


def _verified(endpoint: Place, files: TlsFiles) -> Finding:
    """Return what a handshake with verification finds, as gRPC makes it."""
    try:
        context = verifying_context(files)
    except (OSError, ValueError) as error:
        return "problem", str(error)
    context.set_alpn_protocols(["h2"])
    try:
        with (
            _connected(endpoint) as connection,
            context.wrap_socket(connection, server_hostname=endpoint.host) as secured,
        ):
            return _spoken_over(secured, endpoint, has_certificate=files.chain is not None)
    except ssl.SSLCertVerificationError as error:
        return "problem", f"{endpoint}: {_rejection(error, endpoint)}"
    except ssl.SSLError as error:
        if "CERTIFICATE_REQUIRED" in (error.reason or "") or "HANDSHAKE_FAILURE" in (error.reason or ""):
            return "problem", f"{endpoint}: {_required(files.chain is not None)}"
        return "problem", f"{endpoint}: the TLS handshake failed: {error.reason or error}"
    except OSError as error:
        return "problem", f"{endpoint}: the TLS handshake failed: {error.strerror or error}"


def _spoken_over(secured: ssl.SSLSocket, endpoint: Place, *, has_certificate: bool) -> Finding:
    """Return what the peer speaks over TLS.

    Raises:
        OSError: it reported an error; with TLS 1.3, servers reject client certificates after the handshake.
    """
    secured.sendall(_PREFACE)
    answer = secured.recv(9)
    if len(answer) >= 4 and answer[3] == _SETTINGS:
        return "ok", f"{endpoint}: speaks gRPC over {secured.version()}, the certificate is trusted"
    if not answer:  # gRPC closes the connection without an alert
        return "problem", f"{endpoint}: {_required(has_certificate)}"
    return "problem", f"{endpoint}: speaks TLS, but not gRPC (HTTP/2): does a web server or proxy answer?"


def _required(has_certificate: bool) -> str:
    if has_certificate:
        return "does not trust the client certificate: use one of an authority in tls_client_authorities"
    return "requires a client certificate: --client-certificate and --client-key"


def _rejection(error: ssl.SSLCertVerificationError, endpoint: Place) -> str:
    """Return why a certificate was rejected, and what to do."""
    certificate = _certificate_of(endpoint)
    if error.verify_code in _NOT_TRUSTED:
        issuer = _name_in(certificate.get("issuer", ())) or "an unknown authority"
        return f"the certificate is signed by {issuer}, which is not trusted here: --root-certificates FILE"
    if error.verify_code in _OTHER_NAME:
        names = ", ".join(value for _, value in certificate.get("subjectAltName", ())) or "no name"
        return f"the certificate is for {names}: use one of these in --server"
    if error.verify_code == _EXPIRED:
        return "the certificate has expired: renew it on the server; check the clock of this machine"
    return f"the certificate is rejected: {error.verify_message}"


def _certificate_of(endpoint: Place) -> dict[str, Any]:
    """Return the peer's certificate, decoded as by `ssl.SSLSocket.getpeercert`; empty if it cannot be read.

    The module `ssl` decodes verified certificates only, so the certificate is trusted by itself.
    """
    try:
        with _connected(endpoint) as connection, _unverified().wrap_socket(connection) as secured:
            encoded = secured.getpeercert(binary_form=True)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname = False
        context.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN
        context.load_verify_locations(cadata=encoded or b"")
        with _connected(endpoint) as connection, context.wrap_socket(connection) as secured:
            return dict(secured.getpeercert() or {})
    except (OSError, ValueError):
        return {}


def _name_in(parts: Any) -> str:
    """Return the common name, or else the organization, of a decoded distinguished name."""
    fields = {key: value for part in parts for key, value in part}
    return str(fields.get("commonName") or fields.get("organizationName") or "")


def _connected(endpoint: Place) -> socket.socket:
    return connect(endpoint, TIMEOUT_S)


def _unverified() -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    context.set_alpn_protocols(["h2"])
    return context
