"""Plain connections to a server, to find out what it speaks; they need neither grpc nor protobuf."""

import socket
from dataclasses import dataclass

from glasstape.address import Address, Endpoint


@dataclass(frozen=True, slots=True)
class UnixSocket:
    """A socket of this machine."""

    path: str

    @property
    def host(self) -> str:
        """Return the name that gRPC expects in the certificate of a server on a socket."""
        return "localhost"

    def __str__(self) -> str:
        return f"unix:{self.path}"


Place = Endpoint | UnixSocket


def first_place(address: Address) -> Place | None:
    """Return the first place of an address; None for the forms that only gRPC connects to."""
    if address.socket_path:
        return UnixSocket(address.socket_path)
    return address.endpoints[0] if address.endpoints else None


def connect(place: Place, seconds: float) -> socket.socket:
    """Return a connection; no step takes longer than `seconds`.

    Raises:
        OSError: there is none.
    """
    if isinstance(place, Endpoint):
        return socket.create_connection((place.host, place.port), seconds)
    connection = socket.socket(socket.AF_UNIX)
    try:
        connection.settimeout(seconds)
        connection.connect(place.path)
    except BaseException:
        connection.close()
        raise
    return connection
