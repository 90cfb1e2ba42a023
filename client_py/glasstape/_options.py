"""Connection settings of a client."""

from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

import grpc

from glasstape import _pem
from glasstape._proxy import Proxy, proxy_for
from glasstape._scalars import positive_seconds, shown
from glasstape.address import Address
from glasstape.errors import InvalidRequestError

MAX_MESSAGE_BYTES = 16 * 1024 * 1024
MAX_METADATA_BYTES = 8_192
"""Metadata of one call by the contract: keys, values and 32 bytes an entry."""
MAX_TOKEN_LENGTH = MAX_METADATA_BYTES - 32 - len("authorization") - len("Bearer ")
"""Longest bearer token that leaves the metadata of a call within its limit."""
MAX_ITEMS = 16_384
"""Items of one call, and bars of one batch, by the contract."""
SOCKET_AUTHORITY = "localhost"
"""Name that the certificate of a server on a socket must have: the path is no host name."""
MAX_TIMEOUT_S = 1e8
"""Longest timeout that is passed to gRPC, whose clocks overflow beyond; three years."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Tls:
    """TLS settings of a connection: the bytes of PEM files in UTF-8 or UTF-16, with a byte order mark or without.

    Raises:
        InvalidRequestError: a field is not the bytes of a PEM file or is damaged, the client's key is encrypted or
            belongs to another certificate, or only one of key and certificates is set.
    """

    root_certificates: bytes | None = None
    """PEM of the certificate authorities to trust; None: gRPC's own list, or the file that the environment
    variable GRPC_DEFAULT_SSL_ROOTS_FILE_PATH names."""
    client_key: bytes | None = field(default=None, repr=False)
    """PEM of the client's key, for mutual TLS."""
    client_certificates: bytes | None = None
    """PEM of the client's certificate chain."""

    def __post_init__(self) -> None:
        if (self.client_key is None) != (self.client_certificates is None):
            raise InvalidRequestError.field("tls", "client_key and client_certificates must be set together")
        for name, read in (
            ("root_certificates", _pem.certificates),
            ("client_key", _pem.private_key),
            ("client_certificates", _pem.certificates),
        ):
            value = getattr(self, name)
            if value is not None:
                object.__setattr__(self, name, read(value, f"tls.{name}"))
        if self.client_certificates is not None and self.client_key is not None:
            _pem.check_pair(self.client_certificates, self.client_key)

    def credentials(self) -> grpc.ChannelCredentials:
        """Return the channel credentials."""
        return grpc.ssl_channel_credentials(self.root_certificates, self.client_key, self.client_certificates)


@dataclass(frozen=True, slots=True)
class Settings:
    """Where a client connects, and how."""

    address: Address
    timeout: float
    """Seconds that a call may take."""
    tls: Tls | None
    metadata: tuple[tuple[str, str], ...] = field(repr=False)
    """Sent with every call."""

    @classmethod
    def of(
        cls,
        address: str | Address,
        timeout: timedelta | float = 10.0,
        tls: Tls | None = None,
        token: str | None = None,
    ) -> "Settings":
        """Return checked settings.

        Raises:
            InvalidRequestError: an argument breaks a rule, or the token would be sent in plaintext beyond this machine.
        """
        try:
            where = Address.parse(str(address) if isinstance(address, Address) else address)
        except ValueError as error:
            raise InvalidRequestError.field("address", str(error)) from None
        if tls is not None and not isinstance(tls, Tls):
            raise InvalidRequestError.field("tls", f"must be a Tls or None, is {shown(tls)}")
        return cls(where, timeout_of(timeout), tls, _token_metadata(token, tls, where))

    @property
    def proxy(self) -> Proxy | None:
        """Return the proxy that a channel opened now uses."""
        return proxy_for(self.address)

    def channel_options(self, *extra: tuple[str, Any]) -> list[tuple[str, Any]]:
        """Return the options of a channel."""
        options = [*CHANNEL_OPTIONS, *extra]
        if self.address.loopback:
            options += _DIRECT
        if len(self.address.endpoints) > 1:
            options.append(("grpc.default_authority", str(self.address.endpoints[0])))
        if self.address.socket:
            options.append(("grpc.default_authority", SOCKET_AUTHORITY))
        return options


def timeout_of(value: timedelta | float, field: str = "timeout") -> float:
    """Return a timeout in seconds.

    Raises:
        InvalidRequestError: it is not a finite number above 0.
    """
    return min(positive_seconds(value, field), MAX_TIMEOUT_S)


def _token_metadata(token: str | None, tls: Tls | None, address: Address) -> tuple[tuple[str, str], ...]:
    """Return the metadata that carries a bearer token."""
    if token is None:
        return ()
    if (
        not isinstance(token, str)
        or not token.isascii()
        or not token.isprintable()
        or " " in token
        or not token
    ):
        raise InvalidRequestError.field("token", "must be printable ASCII without spaces")
    if len(token) > MAX_TOKEN_LENGTH:
        raise InvalidRequestError.field(
            "token", f"must have at most {MAX_TOKEN_LENGTH:,} characters, has {len(token):,}"
        )
    if tls is None and not address.loopback:
        proxy = proxy_for(address)
        through = f", and the {proxy} would read it" if proxy else ""
        raise InvalidRequestError.field(
            "token", f"requires tls beyond loopback, the address is {str(address)!r}{through}"
        )
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

# gRPC applies proxy variables to this machine's own addresses, too; a token would pass the proxy in plaintext.
_DIRECT: list[tuple[str, Any]] = [
    ("grpc.enable_http_proxy", 0),
    ("grpc.address_http_proxy_enabled_addresses", ""),
]
