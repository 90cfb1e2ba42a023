"""Connection settings of a client."""

from dataclasses import dataclass
from ipaddress import ip_address

import grpc

from glasstape.errors import InvalidRequestError

MAX_MESSAGE_BYTES = 16 * 1024 * 1024
MAX_ITEMS = 16_384
"""Items of one call, and bars of one batch, by the contract."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Tls:
    """TLS settings of a connection."""

    root_certificates: bytes | None = None
    """PEM of the certificate authorities to trust; None: those of the system."""
    client_key: bytes | None = None
    """PEM of the client's key, for mutual TLS."""
    client_certificates: bytes | None = None
    """PEM of the client's certificate chain."""

    def credentials(self) -> grpc.ChannelCredentials:
        """Return the channel credentials."""
        return grpc.ssl_channel_credentials(self.root_certificates, self.client_key, self.client_certificates)


def is_loopback(address: str) -> bool:
    """Return whether a "host:port" is a loopback address."""
    host = address.rpartition(":")[0].strip("[]")
    try:
        return host == "localhost" or ip_address(host).is_loopback
    except ValueError:
        return False


def credentials_metadata(token: str | None, tls: Tls | None, address: str) -> tuple[tuple[str, str], ...]:
    """Return the metadata that carries a bearer token in every call.

    Raises:
        InvalidRequestError: the token would be sent in plaintext beyond loopback, or cannot be a header.
    """
    if token is None:
        return ()
    if tls is None and not is_loopback(address):
        raise InvalidRequestError.field("token", f"requires tls beyond loopback, the address is {address!r}")
    if not token or not token.isascii() or not token.isprintable() or " " in token:
        raise InvalidRequestError.field("token", "must be printable ASCII without spaces")
    return (("authorization", f"Bearer {token}"),)


# No "grpc.service_config" with a retryPolicy here: on grpcio 1.80, beside the keepalive options, a bidirectional
# call whose server was killed never returned, not even at its deadline. See `_retry.py` instead.
CHANNEL_OPTIONS: list[tuple[str, str | int]] = [
    ("grpc.max_receive_message_length", MAX_MESSAGE_BYTES),
    ("grpc.max_send_message_length", MAX_MESSAGE_BYTES),
    # A frozen peer is noticed only with ping_timeout_ms beside the keepalive settings.
    ("grpc.keepalive_time_ms", 10_000),
    ("grpc.keepalive_timeout_ms", 5_000),
    ("grpc.http2.ping_timeout_ms", 5_000),
    ("grpc.keepalive_permit_without_calls", 1),
    # A server that is back must be found within two seconds, a stream's own delay (`_resume.py`) included.
    ("grpc.initial_reconnect_backoff_ms", 100),
    ("grpc.max_reconnect_backoff_ms", 800),
]
