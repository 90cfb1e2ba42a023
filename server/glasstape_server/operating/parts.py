"""What is looked at to tell how a server is doing."""

from collections.abc import Callable
from dataclasses import dataclass

from glasstape_server.access.gate import Gate
from glasstape_server.engine.engine import Engine
from glasstape_server.feed.calibration import Live
from glasstape_server.feed.hub import Hub
from glasstape_server.feed.pipeline import Pipeline
from glasstape_server.market.clock import Clock
from glasstape_server.market.ingest import Ingest
from glasstape_server.models.repository import Repository
from glasstape_server.rpc.certificates import Certificates


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
    certificates: Certificates | None
