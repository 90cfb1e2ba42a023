"""Each failure makes the services that depend on it NOT_SERVING, with a reason, until it is over."""

import asyncio
import time
from datetime import UTC, datetime
from types import SimpleNamespace

import pytest
from glasstape_server.domain.bars import DataState
from glasstape_server.operations.health_monitor import SERVER, HealthMonitor
from glasstape_server.transport.grpcio_server import SERVICES

PREDICT = "glasstape.v1.InferenceService"
OIP = "inference.GRPCInferenceService"
SIGNALS = "glasstape.v1.SignalService"
MARKET = "glasstape.v1.MarketService"


class Reporter:
    """Reporter that keeps the last published health."""

    def __init__(self):
        self.down = set()
        self.reasons = ()
        self.explained = asyncio.Event()

    def set_health_reasons(self, reasons):
        self.reasons = reasons
        self.explained.set()

    async def set_serving(self, service, serving):
        (self.down.discard if serving else self.down.add)(service)


class Ingest:
    last_error = ""
    retries = 0

    async def probe_disk(self):
        self.retries += 1


class Authorizer:
    last_error = ""
    retries = 0

    async def poll(self):
        self.retries += 1


class Clock:
    last_close = None

    def now(self):
        return 7

    current = DataState.LIVE

    def state(self):
        return self.current


class Server:
    """Components without any problem, and their monitor."""

    def __init__(self):
        self.device_failed = False
        self.certificate_warnings = []
        self.replaced = []
        self.expired = False
        self.engine_metrics = SimpleNamespace(last_rejection=float("-inf"))
        self.components = SimpleNamespace(
            clock=Clock(),
            ingest=Ingest(),
            engine=SimpleNamespace(queued_windows={"interactive": 7}),
            pipeline=SimpleNamespace(degraded_reason=""),
            device_failed=lambda: self.device_failed,
            authorizer=Authorizer(),
            lease=SimpleNamespace(last_error=""),
            live=lambda digest: None,
            certificates=SimpleNamespace(
                warnings=lambda: iter(self.certificate_warnings),
                connections=SimpleNamespace(check=lambda: None),
            ),
            hub=SimpleNamespace(degraded_reason="", journal=SimpleNamespace(degraded_reason="")),
            repository=SimpleNamespace(
                models=lambda: [SimpleNamespace(ref=SimpleNamespace(name="net", version="1", digest="d"))],
                replaced=lambda: self.replaced,
                active=SimpleNamespace(
                    ref=SimpleNamespace(name="net", version="1"),
                    manifest=SimpleNamespace(
                        expired=lambda now: self.expired and now == 7,
                        expires=datetime(2026, 11, 30, 21, tzinfo=UTC),
                    ),
                ),
            ),
        )
        self.reporter = Reporter()
        self.monitor = HealthMonitor(self.components, self.engine_metrics, self.reporter, SERVICES)

    def check(self):
        asyncio.run(self.monitor.check())


def _device(server, failing):
    server.device_failed = failing


def _queue(server, failing):
    server.engine_metrics.last_rejection = time.monotonic() if failing else float("-inf")


def _bars(server, failing):
    error = "bars cannot be stored: database or disk is full"
    server.components.ingest.last_error = error if failing else ""


def _lease(server, failing):
    server.components.lease.last_error = "the lease cannot be renewed" if failing else ""


def _journal(server, failing):
    server.components.pipeline.degraded_reason = "the journal cannot be written" if failing else ""


def _follower(server, failing):
    server.components.hub.degraded_reason = "the journal cannot be followed" if failing else ""


def _stale(server, failing):
    server.components.clock.last_close = 1
    server.components.clock.current = DataState.STALE if failing else DataState.LIVE


def _high_water(server, failing):
    error = "the journal's end cannot be noted"
    server.components.hub.journal.degraded_reason = error if failing else ""


def _audit(server, failing):
    error = "the audit log cannot be written: No space left"
    server.components.authorizer.last_error = error if failing else ""


def _certificate(server, failing):
    server.certificate_warnings = ["tls_certificate: expires on 2030-01-01"] if failing else []


def _replaced(server, failing):
    refusal = SimpleNamespace(name="net", version="1", reason="the files of net@1 changed")
    server.replaced = [refusal] if failing else []


def _expired(server, failing):
    server.expired = failing


def _drift(server, failing):
    drift = SimpleNamespace(drifted=failing, text="too many windows are novel")
    server.components.live = lambda digest: SimpleNamespace(drift=drift)


FAILURES = [
    (_drift, set(), "model net@1: too many windows are novel"),
    (_expired, set(), "model net@1 expired on 2026-11-30 21:00 UTC"),
    (_replaced, set(), "model net@1: the files of net@1 changed"),
    (_certificate, set(), "expires on 2030-01-01"),
    (_audit, set(), "the audit log cannot be written"),
    (_high_water, set(), "the journal's end cannot be noted"),
    (_device, {SERVER, PREDICT, OIP, SIGNALS, MARKET, "net"}, "the device failed"),
    (_queue, {SERVER, PREDICT, OIP}, "the engine queue is full: 7 windows queued"),
    (_bars, {SERVER, MARKET}, "bars cannot be stored"),
    (_lease, {SERVER, *SERVICES}, "the lease cannot be renewed"),
    (_journal, {SERVER, SIGNALS}, "signals are delayed: the journal cannot be written"),
    (_follower, {SERVER, SIGNALS}, "signals are delayed: the journal cannot be followed"),
    (_stale, {SIGNALS}, "market data is stale"),
]


@pytest.mark.parametrize(("fail", "down", "reason"), FAILURES)
def test_a_failure_stops_its_services_until_it_is_over(fail, down, reason):
    server = Server()
    server.check()
    assert not server.reporter.down
    fail(server, True)
    server.check()
    assert server.reporter.down == down
    assert len(server.reporter.reasons) == 1
    assert reason in server.reporter.reasons[0]
    fail(server, False)
    server.check()
    assert not server.reporter.down
    assert server.reporter.reasons == ()


def test_a_service_with_two_failures_serves_again_after_both():
    server = Server()
    _bars(server, True)
    _journal(server, True)
    server.check()
    assert server.reporter.down == {SERVER, MARKET, SIGNALS}
    assert len(server.reporter.reasons) == 2
    _bars(server, False)
    server.check()
    assert server.reporter.down == {SERVER, SIGNALS}
    _journal(server, False)
    server.check()
    assert not server.reporter.down


def test_failed_writes_are_retried_at_every_check():
    server = Server()
    _bars(server, True)
    server.check()
    server.check()
    assert server.components.ingest.retries == server.components.authorizer.retries == 2


async def test_a_failing_check_is_reported_and_does_not_end_the_monitor():
    server = Server()
    server.components.clock = None
    task = asyncio.create_task(server.monitor.run())
    while server.reporter.reasons != ("the health check failed; see the server log",):
        server.reporter.explained.clear()
        await asyncio.wait_for(server.reporter.explained.wait(), 5)
    await asyncio.sleep(0)
    assert not task.done()
    task.cancel()


def test_a_server_without_bars_is_healthy():
    server = Server()
    server.components.clock.current = DataState.EMPTY
    server.check()
    assert not server.reporter.down
