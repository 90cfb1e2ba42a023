"""An HTTP/2 connection below gRPC: what a client library hides, such as frames, pings and headers."""

import socket
from dataclasses import dataclass, field

from h2.config import H2Configuration
from h2.connection import H2Connection
from h2.events import (
    ConnectionTerminated,
    DataReceived,
    Event,
    PingAckReceived,
    RemoteSettingsChanged,
    ResponseReceived,
    StreamEnded,
    StreamReset,
    TrailersReceived,
)

EMPTY_MESSAGE = bytes(5)
"""A gRPC frame: not compressed, 0 bytes."""


@dataclass
class Answer:
    """What a call returned."""

    headers: dict[str, str] = field(default_factory=dict)
    data: bytes = b""
    reset: bool = False


class Http2:
    """One connection to a server on this machine."""

    def __init__(self, address: str) -> None:
        host, _, port = address.rpartition(":")
        self._socket = socket.create_connection((host, int(port)), timeout=10)
        settings = H2Configuration(
            validate_outbound_headers=False, normalize_outbound_headers=False, header_encoding=None
        )
        self._connection = H2Connection(settings)
        self._connection.initiate_connection()
        self.settings: dict[int, int] = {}
        """The server's, by number."""
        self.goaway: ConnectionTerminated | None = None
        self._send()

    def __enter__(self) -> "Http2":
        return self

    def __exit__(self, *error: object) -> None:
        self._socket.close()

    def call(
        self,
        path: str,
        message: bytes = EMPTY_MESSAGE,
        headers: tuple[tuple[str, str | bytes], ...] = (),
        content_type: str | None = "application/grpc",
        method: str = "POST",
        without: str = "",
    ) -> Answer:
        """Send one message to a method and return its answer; `without` names a header to leave out."""
        stream = self._connection.get_next_available_stream_id()
        sent: list[tuple[str, str | bytes]] = [
            (":method", method), (":scheme", "http"), (":path", path), (":authority", "localhost"), ("te", "trailers"),
        ]  # fmt: skip
        if content_type is not None:
            sent.append(("content-type", content_type))
        self._connection.send_headers(stream, [*(pair for pair in sent if pair[0] != without), *headers])
        self._connection.send_data(stream, message, end_stream=True)
        answer = Answer()
        for event in self._events():
            if isinstance(event, ResponseReceived | TrailersReceived):
                answer.headers.update({k.decode(): v.decode("latin1") for k, v in event.headers})
            elif isinstance(event, DataReceived):
                answer.data += event.data
            elif isinstance(event, StreamEnded | StreamReset) and event.stream_id == stream:
                answer.reset = isinstance(event, StreamReset)
                return answer
        raise AssertionError("the connection closed")

    def ping(self, times: int) -> int:
        """Ping as often as that without a pause; return the number of answers."""
        for number in range(times):
            self._connection.ping(number.to_bytes(8, "big"))
        acknowledged = 0
        for event in self._events():
            acknowledged += isinstance(event, PingAckReceived)
            if acknowledged == times:
                break
        return acknowledged

    def _events(self):
        """Yield events until the server closes the connection."""
        self._send()
        while data := self._socket.recv(65536):
            events: list[Event] = self._connection.receive_data(data)
            self._send()
            for event in events:
                if isinstance(event, ConnectionTerminated):
                    self.goaway = event
                elif isinstance(event, RemoteSettingsChanged):
                    changed = event.changed_settings.items()
                    self.settings.update({int(code): setting.new_value for code, setting in changed})
                yield event

    def _send(self) -> None:
        self._socket.sendall(self._connection.data_to_send())
