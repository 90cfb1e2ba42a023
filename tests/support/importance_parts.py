"""What `ImportanceService` works with, without a server: stored bars, a model, and a device that notes its jobs."""

from dataclasses import dataclass, field
from types import SimpleNamespace

from glasstape_server.access.quotas import Limits, Quotas
from glasstape_server.engine.engine import Engine
from glasstape_server.market.ingest import Ingest
from glasstape_server.serving.importance import ImportanceService

FIRST_DAY, DAYS = 15_000, 260
SYMBOLS = ("AAA", "BBB", "CCC")


@dataclass
class RecordingEngine:
    """Passes jobs to an engine and notes their lanes and passes."""

    engine: Engine
    jobs: list = field(default_factory=list)
    """Lane, work and rows of each job."""

    async def run(self, work, inputs, lane, call):
        self.jobs.append((lane, work, len(inputs)))
        return await self.engine.run(work, inputs, lane, call)


@dataclass
class Parts:
    """What a service works with."""

    ingest: Ingest
    engine: RecordingEngine
    model: object

    def service(self, limits=None):
        inputs = SimpleNamespace(model=lambda name: self.model, ingest=self.ingest)
        return ImportanceService(inputs, self.engine, Quotas(limits or Limits()))
