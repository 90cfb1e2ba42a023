"""The HTTP proxy that gRPC uses for an address, by its rules for environment variables.

Source: `http_proxy_mapper.cc` of gRPC's core.
"""

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from ipaddress import IPv6Address, ip_network

from glasstape.address import Address, Endpoint, ip_of

VARIABLES = ("grpc_proxy", "https_proxy", "http_proxy")
"""In gRPC's order: the first that is set applies, to plaintext and TLS alike; an empty one means no proxy.
Upper-case names do not apply."""
EXCEPTIONS = ("no_grpc_proxy", "no_proxy")
"""In gRPC's order: the first that is set applies, also if it is empty."""
ADDRESS_VARIABLE = "GRPC_ADDRESS_HTTP_PROXY"
"""Proxy, an IP address and a port, for the IP addresses that `ENABLED_VARIABLE` lists."""
ENABLED_VARIABLE = "GRPC_ADDRESS_HTTP_PROXY_ENABLED_ADDRESSES"

_URL = re.compile(
    r"(?i:http)://(?:[\w\-.~!$&'()*+,;=:%]*@)?([\w\-.~!$&'()*+,;=:%\[\]]+)(?:[/?#].*)?", re.ASCII
)
"""What gRPC accepts as a proxy; other schemes, and values without one, are ignored: connections are direct."""


@dataclass(frozen=True, slots=True)
class Proxy:
    """A proxy and the variable that names it."""

    variable: str
    location: str
    """host:port, without user and password."""

    def __str__(self) -> str:
        return f"proxy {self.location} of {self.variable}"


def proxy_for(address: Address, environment: Mapping[str, str] | None = None) -> Proxy | None:
    """Return the proxy of connections to an address; None: they are direct, as those to this machine always are.

    `GRPC_ADDRESS_HTTP_PROXY` is considered for addresses that are IP addresses; names would have to be resolved.
    """
    variables = os.environ if environment is None else environment
    if address.loopback:
        return None
    return _named(address, variables) or _of_ip(address, variables)


def _named(address: Address, variables: Mapping[str, str]) -> Proxy | None:
    """Return the proxy that gRPC resolves instead of the address."""
    variable = next((name for name in VARIABLES if name in variables), None)
    if variable is None:
        return None
    url = _URL.fullmatch(variables[variable])
    excepted = next((variables[name] for name in EXCEPTIONS if name in variables), "")
    if url is None or _includes(excepted, _host_of(address)):
        return None
    return Proxy(variable, url[1])


def _of_ip(address: Address, variables: Mapping[str, str]) -> Proxy | None:
    """Return the proxy that gRPC connects to instead of an IP address."""
    location = variables.get(ADDRESS_VARIABLE, "")
    host, _, port = location.rpartition(":")
    if ip_of(host.strip("[]")) is None or not port.isdecimal():
        return None
    enabled = variables.get(ENABLED_VARIABLE, "")
    used = any(_is_ip(endpoint) and _includes(enabled, endpoint.host) for endpoint in address.endpoints)
    return Proxy(ADDRESS_VARIABLE, location) if used else None


def _host_of(address: Address) -> str:
    """Return what gRPC compares with exceptions: of several IPv4 addresses, their whole text with the ports."""
    first = address.endpoints[0]
    if len(address.endpoints) == 1 or isinstance(ip_of(first.host), IPv6Address):
        return first.host
    return str(address)


def _is_ip(endpoint: Endpoint) -> bool:
    return ip_of(endpoint.host) is not None


def _includes(entries: str, host: str) -> bool:
    """Return whether a comma-separated list has a suffix of a host, or a network that holds it."""
    return any(_matches(host, entry.strip()) for entry in entries.split(",") if entry)


def _matches(host: str, entry: str) -> bool:
    ip = ip_of(host)
    if ip is not None and "/" in entry:
        try:
            return ip in ip_network(entry, strict=False)
        except ValueError:
            return False
    return host.lower().endswith(entry.lower())
