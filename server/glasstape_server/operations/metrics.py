"""Registry of the metrics, and its HTTP endpoint."""

from typing import Any

from prometheus_client import CollectorRegistry, start_http_server
from prometheus_client.gc_collector import GCCollector
from prometheus_client.process_collector import ProcessCollector


def create_registry() -> CollectorRegistry:
    """Return a registry with the metrics of the process: CPU, memory, descriptors, garbage collection."""
    registry = CollectorRegistry()
    ProcessCollector(registry=registry)
    GCCollector(registry=registry)
    return registry


def serve(registry: CollectorRegistry, host: str, port: int) -> tuple[int, Any]:
    """Serve GET /metrics on a separate thread; return the port and a server to shut down.

    Raises:
        OSError: the address is in use.
    """
    server, _ = start_http_server(port, host, registry)
    return server.server_port, server
