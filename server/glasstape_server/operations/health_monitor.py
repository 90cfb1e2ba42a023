"""Health of the server and its services: why each is NOT_SERVING.

A failed device, a lost lease, a full queue, a full disk and a failing journal affect the whole server and some of its
services; stale bars affect SignalService only.
"""

import asyncio
import logging
import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Protocol

from glasstape_server.domain.bars import DataState
from glasstape_server.operations.components import Components
from glasstape_server.operations.engine_metrics import EngineMetrics

log = logging.getLogger(__name__)

POLL_INTERVAL_S = 1.0
QUEUE_FULL_HOLD_S = 5.0
"""Time after a rejection for which the queue counts as full."""

SERVER = ""
"""Name of the whole server in `grpc.health.v1`."""
_FEED = "glasstape.v1.SignalService"
_MARKET = "glasstape.v1.MarketService"


@dataclass(frozen=True, slots=True)
class Reason:
    """A problem that health reports."""

    text: str
    services: tuple[str, ...]
    """Services that do not serve because of it; empty for a warning."""


class HealthReporter(Protocol):
    """Publisher of `grpc.health.v1` states."""

    async def set_serving(self, service: str, serving: bool) -> None:
        """Set the health of one service or model."""
        ...

    def set_health_reasons(self, reasons: tuple[str, ...]) -> None:
        """Set the reasons returned with health checks."""
        ...


class HealthMonitor:
    """Polls the components and publishes their health."""

    def __init__(
        self,
        components: Components,
        engine_metrics: EngineMetrics,
        reporter: HealthReporter,
        services: tuple[str, ...],
    ) -> None:
        self._components = components
        self._engine_metrics = engine_metrics
        self._reporter = reporter
        self._services = services
        self._inference = tuple(name for name in services if "Inference" in name)
        self._reasons: tuple[Reason, ...] = ()
        """As last published."""

    async def run(self) -> None:
        """Check every `POLL_INTERVAL_S` until canceled."""
        while True:
            try:
                await self.check()
            except Exception:
                log.exception("health check failed")
                self._reporter.set_health_reasons(("the health check failed; see the server log",))
            await asyncio.sleep(POLL_INTERVAL_S)

    async def check(self) -> None:
        """Retry failed writes, read changed tokens, then publish what changed."""
        if self._components.ingest.last_error:
            await self._components.ingest.probe_disk()
        await self._components.authorizer.poll()
        if self._components.certificates is not None:
            self._components.certificates.connections.check()
        current = tuple(self._current_reasons())
        self._reporter.set_health_reasons(tuple(reason.text for reason in current))
        was_down = {name for reason in self._reasons for name in reason.services}
        is_down = {name for reason in current for name in reason.services}
        for name in sorted(is_down - was_down):
            await self._reporter.set_serving(name, False)
        for name in sorted(was_down - is_down):
            await self._reporter.set_serving(name, True)
        logged = {(), *(reason.services for reason in self._reasons)}
        for reason in current:
            if reason.services not in logged:
                log.warning("not serving %s: %s", ", ".join(filter(None, reason.services)), reason.text)
        if was_down and not is_down:
            log.info("serving again")
        self._reasons = current

    def _current_reasons(self) -> Iterator[Reason]:
        components = self._components
        if components.device_failed():
            models = {model.ref.name for model in components.repository.models()}
            yield Reason(
                "the device failed and is being restarted", (SERVER, *self._services, *sorted(models))
            )
        if time.monotonic() - self._engine_metrics.last_rejection < QUEUE_FULL_HOLD_S:
            queued = sum(components.engine.queued_windows.values())
            yield Reason(f"the engine queue is full: {queued} windows queued", (SERVER, *self._inference))
        if components.lease.last_error:
            yield Reason(components.lease.last_error, (SERVER, *self._services))
        if components.ingest.last_error:
            yield Reason(components.ingest.last_error, (SERVER, _MARKET))
        for reason in (components.pipeline.degraded_reason, components.hub.degraded_reason):
            if reason:
                yield Reason(f"signals are delayed: {reason}", (SERVER, _FEED))
        for refusal in components.repository.replaced():
            yield Reason(f"model {refusal.name}@{refusal.version}: {refusal.reason}", ())
        for warning in (components.hub.journal.degraded_reason, components.authorizer.last_error):
            if warning:
                yield Reason(warning, ())
        for warning in components.certificates.warnings() if components.certificates is not None else ():
            yield Reason(warning, ())
        yield from self._expired()
        yield from self._drift()
        if components.clock.state() is DataState.STALE:
            yield Reason("market data is stale: the last two due bars did not arrive", (_FEED,))

    def _expired(self) -> Iterator[Reason]:
        """Yield a warning if the active model has expired; it goes on publishing."""
        repository = self._components.repository
        active = repository.active if repository.models() else None
        if active is not None and active.manifest.expired(self._components.clock.now()):
            name = f"{active.ref.name}@{active.ref.version}"
            yield Reason(f"model {name} expired on {active.manifest.expires:%Y-%m-%d %H:%M} UTC", ())

    def _drift(self) -> Iterator[Reason]:
        """Yield a warning for each model whose inputs have drifted."""
        for model in self._components.repository.models():
            live = self._components.live(model.ref.digest)
            if live is not None and live.drift is not None and live.drift.drifted:
                yield Reason(f"model {model.ref.name}@{model.ref.version}: {live.drift.text}", ())
