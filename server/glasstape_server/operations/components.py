"""Components of a server that the metrics and the health monitor read."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Protocol

from glasstape_server.access.authorizer import Authorizer
from glasstape_server.engine.engine import Engine
from glasstape_server.market.clock import Clock
from glasstape_server.market.ingest import Ingest
from glasstape_server.models.repository import Repository
from glasstape_server.signals.delivery.hub import Hub
from glasstape_server.signals.performance.live import Live
from glasstape_server.signals.pipeline import Pipeline


class Connections(Protocol):
    """Counts of TLS connections."""

    begun: int
    """Connections whose handshake began."""
    used: int
    """Connections that sent a call."""

    def check(self) -> None:
        """Log how many connections sent no call, if there are new ones."""
        ...


class CertificateFiles(Protocol):
    """TLS files of a server."""

    expires: float | None
    """Unix time at which the server's own certificate expires; None if it is unknown."""

    @property
    def connections(self) -> Connections:
        """Counts of the connections that use them."""
        ...

    def warnings(self) -> Iterable[str]:
        """Reload changed files and return warnings for the operator."""
        ...


class FolderLease(Protocol):
    """The lease of a data folder."""

    last_error: str
    """Why it is not valid or not renewed; empty: it is."""


@dataclass(frozen=True, slots=True)
class Components:
    """Components of one server."""

    clock: Clock
    ingest: Ingest
    engine: Engine
    hub: Hub
    pipeline: Pipeline
    repository: Repository
    live: Callable[[str], Live | None]
    """Return the live calibration of a model, by its digest."""
    device_failed: Callable[[], bool]
    """Return whether the device is being restarted."""
    authorizer: Authorizer
    certificates: CertificateFiles | None
    """None without TLS."""
    lease: FolderLease
    """The lease of the data folder."""
