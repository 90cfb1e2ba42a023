"""Registry of the metrics, and its HTTP endpoint."""

import asyncio
from typing import Any

from prometheus_client import CollectorRegistry, start_http_server
from prometheus_client.gc_collector import GCCollector
from prometheus_client.process_collector import ProcessCollector

from glasstape_server.operations.components import Components
from glasstape_server.operations.probes import HealthState, Probes
from glasstape_server.operations.server_collector import ServerCollector


def create_registry() -> CollectorRegistry:
    """Return a registry with the metrics of the process: CPU, memory, descriptors, garbage collection."""
    registry = CollectorRegistry()
    ProcessCollector(registry=registry)
    GCCollector(registry=registry)
    return registry


def add_components(
    registry: CollectorRegistry, components: Components, loop: asyncio.AbstractEventLoop
) -> None:
    """Add the metrics of a server's components, which `loop` owns, to a registry."""
    registry.register(ServerCollector(components, loop))


def serve(
    registry: CollectorRegistry, host: str, port: int, health: HealthState, loop: asyncio.AbstractEventLoop
) -> tuple[int, Any]:
    """Serve /metrics and the probes on a separate thread; return the port and a server to shut down.

    Raises:
        OSError: the address is in use.
    """
    server, _ = start_http_server(port, host, registry)
    app = server.get_app()
    assert app is not None
    server.set_app(Probes(app, health, loop))
    return server.server_port, server
