"""Components of a server that the metrics and the health monitor read."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Protocol

from glasstape_server.access.authorizer import Authorizer
from glasstape_server.domain.backlog import Backlog
from glasstape_server.engine.engine import Engine
from glasstape_server.market.clock import Clock
from glasstape_server.market.ingest import Ingest
from glasstape_server.models.repository import Repository
from glasstape_server.signals.delivery.hub import Hub
from glasstape_server.signals.gather import BarClose
from glasstape_server.signals.performance.live import Live


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


class BurstPipeline(Protocol):
    """The pipeline of this server, or its part in that of a cluster."""

    @property
    def degraded_reason(self) -> str:
        """Why bursts cannot be signaled; empty: they can."""
        ...

    def backlog(self) -> Backlog:
        """Return how many stored bars are not signaled, and how many signals have no outcome yet."""
        ...

    def notify(self, closed: Sequence[BarClose]) -> None:
        """Take bars that are durable."""
        ...

    async def start(self) -> None:
        """Signal what was acknowledged before, then follow the market."""
        ...

    async def stop(self, timeout_s: float) -> None:
        """Finish what is pending, at most for so many seconds."""
        ...


@dataclass(frozen=True, slots=True)
class StreamProgress:
    """A stream of a cluster, and how far this server has applied it."""

    name: str
    """bars or events."""
    last: int
    """Sequence of its newest message, as last reported by the brokers."""
    applied: int
    """Sequence of the newest message that this server has applied."""
    size: int
    """Bytes that it holds on each of its brokers."""
    lagging: int
    """Brokers whose copy is offline or behind."""


class ClusterMember(Protocol):
    """This server as a member of a cluster."""

    @property
    def leads(self) -> bool:
        """Whether this server signals."""
        ...

    @property
    def broker_error(self) -> str:
        """Why bars are refused now; empty: they are taken."""
        ...

    @property
    def alarms(self) -> Iterable[str]:
        """Why a stream cannot be followed without a gap, for each that cannot."""
        ...

    @property
    def progress(self) -> Sequence[StreamProgress]:
        """The streams."""
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
    pipeline: BurstPipeline
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
    cluster: ClusterMember | None = None
    """None: this server is none."""
