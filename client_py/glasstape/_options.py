"""How a client connects: plain values and the channel they make."""

from dataclasses import dataclass

import grpc

MAX_MESSAGE_BYTES = 16 * 1024 * 1024
MAX_ITEMS = 16_384
"""Items of one call, and bars of one batch."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Tls:
    """TLS for connections beyond loopback, usually to a proxy in front of the server."""

    root_certificates: bytes | None = None
    """PEM of the authorities to trust. Default: the system's."""
    client_key: bytes | None = None
    """PEM of the client's key, for mutual TLS."""
    client_certificates: bytes | None = None
    """PEM of the client's certificate chain."""

    def credentials(self) -> grpc.ChannelCredentials:
        """The credentials for grpc."""
        return grpc.ssl_channel_credentials(self.root_certificates, self.client_key, self.client_certificates)


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
    # After an outage the first attempts must not wait for minutes.
    ("grpc.initial_reconnect_backoff_ms", 100),
    ("grpc.max_reconnect_backoff_ms", 2_000),
]
