"""What is looked at to tell how a server is doing."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Protocol

from glasstape_server.access.gate import Gate
from glasstape_server.engine.engine import Engine
from glasstape_server.market.clock import Clock
from glasstape_server.market.ingest import Ingest
from glasstape_server.models.repository import Repository
from glasstape_server.signals.delivery.hub import Hub
from glasstape_server.signals.performance.calibration import Live
from glasstape_server.signals.pipeline import Pipeline


class CertificateFiles(Protocol):
    """TLS files of the server."""

    expires: float | None
    """Unix time at which the server's own certificate expires; None: unknown."""

    def warnings(self) -> Iterable[str]:
        """Reload changed files; warnings for the operator."""
        ...


@dataclass(frozen=True, slots=True)
class Parts:
    """The parts of one server."""

    clock: Clock
    interval: str
    ingest: Ingest
    engine: Engine
    hub: Hub
    pipeline: Pipeline
    repository: Repository
    live: Callable[[str], Live | None]
    """What came of the signals of a model, by its digest."""
    device_failed: Callable[[], bool]
    gate: Gate
    certificates: CertificateFiles | None
