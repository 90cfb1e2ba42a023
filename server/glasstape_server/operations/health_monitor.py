"""Health that means something: it falls when bars are stale, the device fails, a queue is full or a disk is."""

import asyncio
import logging
import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Protocol

from glasstape_server.domain.values import DataState
from glasstape_server.operations.components import Parts
from glasstape_server.operations.counters import EngineFigures

log = logging.getLogger(__name__)

LOOK_SECONDS = 1.0
FULL_SECONDS = 5.0
"""How long after a refusal the queue counts as full."""

SERVER = ""
"""The server as a whole, as health names it."""
_FEED = "glasstape.v1.SignalService"
_MARKET = "glasstape.v1.MarketService"


@dataclass(frozen=True, slots=True)
class Reason:
    """Something that is wrong."""

    text: str
    services: tuple[str, ...]
    """Which do not serve because of it; none: it is told and no more."""


class HealthReporter(Protocol):
    """Publishes `grpc.health.v1` states."""

    async def set_serving(self, service: str, serving: bool) -> None:
        """Set the health of one service or model."""
        ...

    def set_health_reasons(self, reasons: tuple[str, ...]) -> None:
        """Set the reasons returned with health checks."""
        ...


class Watchman:
    """Looks every second and tells health. A server without any bar is not stale: nobody has fed it yet."""

    def __init__(
        self, parts: Parts, figures: EngineFigures, server: HealthReporter, services: tuple[str, ...]
    ) -> None:
        self._parts = parts
        self._figures = figures
        self._server = server
        self._services = services
        self._inference = tuple(name for name in services if "Inference" in name)
        self._told: tuple[Reason, ...] = ()

    async def run(self) -> None:
        """Look until cancelled."""
        while True:
            try:
                await self.look()
            except Exception:
                log.exception("health could not be looked at")
                self._server.set_health_reasons(("health could not be looked at; the log says why",))
            await asyncio.sleep(LOOK_SECONDS)

    async def look(self) -> None:
        """Tell what has changed."""
        if self._parts.ingest.last_error:
            await self._parts.ingest.probe_disk()
        self._parts.gate.retry_audit()
        found = tuple(self._reasons())
        self._server.set_health_reasons(tuple(reason.text for reason in found))
        before = {name for reason in self._told for name in reason.services}
        now = {name for reason in found for name in reason.services}
        for name in sorted(now - before):
            await self._server.set_serving(name, False)
        for name in sorted(before - now):
            await self._server.set_serving(name, True)
        known = {(), *(reason.services for reason in self._told)}
        for reason in found:
            if reason.services not in known:
                log.warning("not serving %s: %s", ", ".join(filter(None, reason.services)), reason.text)
        if before and not now:
            log.info("serving again")
        self._told = found

    def _reasons(self) -> Iterator[Reason]:
        parts = self._parts
        if parts.device_failed():
            models = {model.ref.name for model in parts.repository.models()}
            yield Reason(
                "the device failed and is being started anew", (SERVER, *self._services, *sorted(models))
            )
        if time.monotonic() - self._figures.last_refusal < FULL_SECONDS:
            waiting = sum(parts.engine.waiting.values())
            yield Reason(
                f"the queue of the device is full: {waiting} windows wait", (SERVER, *self._inference)
            )
        if parts.ingest.last_error:
            yield Reason(parts.ingest.last_error, (SERVER, _MARKET))
        for reason in (parts.pipeline.degraded_reason, parts.hub.degraded_reason):
            if reason:
                yield Reason(f"signals wait: {reason}", (SERVER, _FEED))
        for trouble in (parts.hub.journal.degraded_reason, parts.gate.last_error):
            if trouble:
                yield Reason(trouble, ())
        for warning in parts.certificates.warnings() if parts.certificates is not None else ():
            yield Reason(warning, ())
        if parts.clock.last_close is not None and parts.clock.state() is DataState.STALE:
            yield Reason("market data is stale: the last two bars that were due did not come", (_FEED,))
