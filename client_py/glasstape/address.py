"""Addresses of servers: one value that clients, commands, the desktop and `serve` read and print alike.

localhost:50551                      a name and a port
127.0.0.1:50551, [::1]:50551         an IP address and a port; IPv6 in brackets
10.0.0.1:50551,10.0.0.2:50551        several IP addresses: the first that answers is used
dns:name:50551, ipv4:…, ipv6:…       the same, as gRPC writes them
unix:/run/glasstape.sock             a socket of this machine
"""

import re
import sys
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address, ip_address
from urllib.parse import quote

MAX_PORT = 65_535
MAX_SOCKET_BYTES = 107 if sys.platform == "linux" else 103
"""Longest path of a socket."""
_FORM = "must be host:port, such as localhost:50551 or [::1]:50551"
_LABEL = re.compile(r"(?!-)[A-Za-z0-9_-]{1,63}(?<!-)")
_SCHEME = re.compile(r"([A-Za-z][A-Za-z0-9+.-]*):(//)?")
_SOCKETS = ("unix", "unix-abstract")
_NETWORKS = ("dns", "ipv4", "ipv6")


@dataclass(frozen=True, slots=True)
class Endpoint:
    """One host with a port."""

    host: str
    """A name, or an IP address without brackets."""
    port: int

    def __str__(self) -> str:
        return f"{bracketed(self.host)}:{self.port}"


@dataclass(frozen=True, slots=True)
class Address:
    """Where a server listens: one host and port, several IP addresses, or a socket of this machine."""

    endpoints: tuple[Endpoint, ...]
    """Hosts and ports, in order of preference; empty for a socket."""
    socket: str = ""
    """"unix:PATH" or "unix-abstract:NAME"; empty otherwise."""

    @classmethod
    def parse(cls, text: "str | Address") -> "Address":
        """Return the address that a text describes.

        Raises:
            ValueError: it describes none; the message states the rule and the text.
        """
        if isinstance(text, Address):
            return text
        if not isinstance(text, str) or not text:
            raise ValueError(f"{_FORM}, is {text!r}")
        kind, rest = _scheme(text)
        if kind in _SOCKETS:
            return cls((), _socket(kind, rest, text))
        if text != "".join(text.split()) or not text.isprintable():
            raise ValueError(f"{_FORM}, without blanks, is {text!r}")
        if not text.isascii():
            raise ValueError(f"{_FORM}, in ASCII (other names begin with xn--), is {text!r}")
        return cls(_endpoints(kind, rest, text))

    def __str__(self) -> str:
        return self.socket or ",".join(map(str, self.endpoints))

    @property
    def target(self) -> str:
        """Return the address in the form that gRPC connects to."""
        if self.socket:
            kind, _, path = self.socket.partition(":")
            return f"{kind}:{quote(path)}"
        if len(self.endpoints) == 1:
            return f"dns:///{self}".replace("%", "%25")
        if all(isinstance(ip_of(endpoint.host), IPv4Address) for endpoint in self.endpoints):
            return f"ipv4:{self}"
        return f"ipv6:{','.join(map(_as_ipv6, self.endpoints))}".replace("%", "%25")

    @property
    def socket_path(self) -> str:
        """Return the path of the socket; empty if it has none."""
        return self.socket.removeprefix("unix:") if self.socket.startswith("unix:") else ""

    @property
    def loopback(self) -> bool:
        """Return whether every connection stays on this machine."""
        return all(is_loopback(endpoint.host) for endpoint in self.endpoints)


def parse_host(text: str) -> str:
    """Return a host to listen on, without brackets.

    Raises:
        ValueError: it is no name and no IP address, or has a port.
    """
    rule = "must be a name or an IP address without a port, such as 127.0.0.1, ::1 or localhost"
    bare = text[1:-1] if text.startswith("[") and text.endswith("]") else text
    ip = ip_of(bare)
    known = isinstance(ip, IPv6Address) if bare != text else ip is not None or _is_name(bare)
    if not known:
        raise ValueError(f"{rule}, is {text!r}")
    return bare


def bracketed(host: str) -> str:
    """Return a host as it precedes a port: IPv6 addresses in brackets."""
    return f"[{host}]" if ":" in host else host


def is_loopback(host: str) -> bool:
    """Return whether a host is this machine: 127.0.0.0/8, ::1 or localhost."""
    ip = ip_of(host)
    if ip is None:
        return host.lower().rstrip(".") == "localhost"
    mapped = ip.ipv4_mapped if isinstance(ip, IPv6Address) else None
    return (mapped or ip).is_loopback


def ip_of(host: str) -> IPv4Address | IPv6Address | None:
    """Return the IP address that a host is written as; None for a name."""
    try:
        return ip_address(host)
    except ValueError:
        return None


def _scheme(text: str) -> tuple[str, str]:
    """Split "dns:///name:1" into ("dns", "name:1"); the scheme of a plain "name:1" is empty.

    Raises:
        ValueError: the scheme is not supported.
    """
    found = _SCHEME.match(text)
    if found is None:
        return "", text
    kind, slashes = found[1].lower(), found[2]
    if kind in _SOCKETS:
        return kind, text[len(kind) + 1 :]
    if kind in _NETWORKS and not re.fullmatch(rf"{kind}:[0-9]+", text, re.IGNORECASE):
        rest = text[len(kind) + 1 :]
        if rest.startswith("//") and not rest.startswith("///"):
            raise ValueError(f"{_FORM}; {kind}://SERVER/ is not supported, is {text!r}")
        return kind, rest.removeprefix("///")
    if slashes:
        raise ValueError(f"{_FORM}, without {kind}://, is {text!r}")
    return "", text


def _socket(kind: str, rest: str, text: str) -> str:
    if rest.startswith("//"):
        rest = rest[2:]
        if not rest.startswith("/"):
            raise ValueError(f"must be {kind}:PATH or {kind}:///PATH, is {text!r}")
    if kind == "unix" and rest.startswith("//"):
        rest = "/" + rest.lstrip("/")  # gRPC reads //NAME/ as a host
    if not rest or (kind == "unix" and rest.endswith("/")):
        raise ValueError(f"must have a path, such as unix:/run/glasstape.sock, is {text!r}")
    if "," in rest or not rest.isprintable():
        raise ValueError(f"must be one {kind}:PATH of printable characters without a comma, is {text!r}")
    if (size := len(rest.encode())) > MAX_SOCKET_BYTES:
        raise ValueError(f"must have a path of up to {MAX_SOCKET_BYTES} bytes, has {size}, is {text!r}")
    return f"{kind}:{rest}"


def _endpoints(kind: str, rest: str, text: str) -> tuple[Endpoint, ...]:
    endpoints = tuple(_endpoint(part, text) for part in rest.split(","))
    families = {type(ip_of(endpoint.host)) for endpoint in endpoints}
    if len(endpoints) > 1 and type(None) in families:
        raise ValueError(f"several addresses must be IP addresses (a name may have several), is {text!r}")
    wanted = {"ipv4": IPv4Address, "ipv6": IPv6Address}.get(kind)
    if wanted is not None and families != {wanted}:
        raise ValueError(f"must have {kind.replace('ip', 'IP')} addresses after {kind}:, is {text!r}")
    return endpoints


def _as_ipv6(endpoint: Endpoint) -> str:
    """Return an endpoint for gRPC's list of IPv6 addresses, in which mapped ones connect to IPv4 hosts."""
    if isinstance(ip_of(endpoint.host), IPv4Address):
        return str(Endpoint(f"::ffff:{endpoint.host}", endpoint.port))
    return str(endpoint)


def _endpoint(part: str, text: str) -> Endpoint:
    if ip_of(part) is not None and ":" in part:
        raise ValueError(f"{_FORM}: IPv6 in brackets and with a port, is {text!r}")
    host, colon, port = part.rpartition(":")
    if not colon or part.endswith("]"):
        raise ValueError(f"{_FORM}: the port is missing, is {text!r}")
    if not re.fullmatch(r"[0-9]{1,5}", port) or not 1 <= int(port) <= MAX_PORT:
        raise ValueError(f"{_FORM}, with a port of 1-{MAX_PORT}, is {text!r}")
    if host.startswith("[") and host.endswith("]"):
        host = host[1:-1]
        if not isinstance(ip_of(host), IPv6Address):
            raise ValueError(f"{_FORM}: brackets hold an IPv6 address, is {text!r}")
    elif ":" in host:
        raise ValueError(f"{_FORM}: IPv6 in brackets and with a port, is {text!r}")
    elif ip_of(host) is None and not _is_name(host):
        raise ValueError(f"{_FORM}: {host!r} is no host name and no IP address, is {text!r}")
    return Endpoint(host, int(port))


def _is_name(host: str) -> bool:
    """Return whether a host is a DNS name. One whose last label is a number would be read as an IPv4 address."""
    labels = host.removesuffix(".").split(".")
    return (
        len(host) <= 253
        and all(_LABEL.fullmatch(label) for label in labels)
        and not re.fullmatch(r"[0-9]+|0[xX][0-9A-Fa-f]*", labels[-1])
    )
