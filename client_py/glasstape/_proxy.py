"""The HTTP proxy that gRPC uses for an address, by its rules for environment variables."""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from ipaddress import ip_network
from urllib.parse import urlsplit

from glasstape.address import Address, ip_of

VARIABLES = ("grpc_proxy", "https_proxy", "http_proxy")
"""In gRPC's order: the first that is set applies, to plaintext and TLS alike. Upper-case names do not."""
EXCEPTIONS = ("no_grpc_proxy", "no_proxy")
ADDRESS_VARIABLE = "GRPC_ADDRESS_HTTP_PROXY"
"""Proxy for the addresses of GRPC_ADDRESS_HTTP_PROXY_ENABLED_ADDRESSES, after names are resolved."""


@dataclass(frozen=True, slots=True)
class Proxy:
    """A proxy and the variable that names it."""

    variable: str
    location: str
    """host:port, without user and password."""

    def __str__(self) -> str:
        return f"proxy {self.location} of {self.variable}"


def proxy_for(address: Address, environment: Mapping[str, str] | None = None) -> Proxy | None:
    """Return the proxy of connections to an address; None: they are direct, as those to this machine always are."""
    variables = os.environ if environment is None else environment
    if address.loopback:
        return None
    if variables.get(ADDRESS_VARIABLE):
        return Proxy(ADDRESS_VARIABLE, variables[ADDRESS_VARIABLE])
    if any(_is_excepted(endpoint.host, variables) for endpoint in address.endpoints):
        return None
    name = next((name for name in VARIABLES if variables.get(name)), None)
    return Proxy(name, _location(variables[name])) if name else None


def _location(url: str) -> str:
    try:
        parts = urlsplit(url if "://" in url else f"http://{url}")
        return parts.netloc.rpartition("@")[2] or "(unreadable)"
    except ValueError:
        return "(unreadable)"


def _is_excepted(host: str, variables: Mapping[str, str]) -> bool:
    entries = next((variables[name] for name in EXCEPTIONS if variables.get(name)), "")
    return any(_matches(host, entry.strip()) for entry in entries.split(",") if entry.strip())


def _matches(host: str, entry: str) -> bool:
    ip = ip_of(host)
    if ip is not None and "/" in entry:
        try:
            return ip in ip_network(entry, strict=False)
        except ValueError:
            return False
    return host.lower().endswith(entry.lower())
