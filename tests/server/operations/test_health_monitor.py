"""Each trouble takes down what depends on it, says why, and gives it back when it is over."""

import asyncio
import time
from types import SimpleNamespace

import pytest
from glasstape_server.domain.values import DataState
from glasstape_server.operations.health_monitor import SERVER, Watchman
from glasstape_server.transport.grpcio_server import SERVICES

PREDICT = "glasstape.v1.InferenceService"
OIP = "inference.GRPCInferenceService"
SIGNALS = "glasstape.v1.SignalService"
MARKET = "glasstape.v1.MarketService"


class Told:
    """A server that remembers what health was told."""

    def __init__(self):
        self.down = set()
        self.reasons = ()

    def set_health_reasons(self, reasons):
        self.reasons = reasons

    async def set_serving(self, service, serving):
        (self.down.discard if serving else self.down.add)(service)


class Ingest:
    last_error = ""
    tries = 0

    async def probe_disk(self):
        self.tries += 1


class Gate:
    last_error = ""
    tries = 0

    def retry_audit(self):
        self.tries += 1


class Clock:
    last_close = None
    now = DataState.LIVE

    def state(self):
        return self.now


class World:
    """Parts in which nothing is wrong."""

    def __init__(self):
        self.device_broken = False
        self.certificates = []
        self.figures = SimpleNamespace(last_refusal=float("-inf"))
        self.parts = SimpleNamespace(
            clock=Clock(),
            ingest=Ingest(),
            engine=SimpleNamespace(waiting={"interactive": 7}),
            pipeline=SimpleNamespace(degraded_reason=""),
            device_failed=lambda: self.device_broken,
            gate=Gate(),
            certificates=SimpleNamespace(warnings=lambda: iter(self.certificates)),
            hub=SimpleNamespace(degraded_reason="", journal=SimpleNamespace(degraded_reason="")),
            repository=SimpleNamespace(models=lambda: [SimpleNamespace(ref=SimpleNamespace(name="net"))]),
        )
        self.server = Told()
        self.watchman = Watchman(self.parts, self.figures, self.server, SERVICES)

    def look(self):
        asyncio.run(self.watchman.look())


def _device(world, wrong):
    world.device_broken = wrong


def _queue(world, wrong):
    world.figures.last_refusal = time.monotonic() if wrong else float("-inf")


def _bars(world, wrong):
    world.parts.ingest.last_error = "bars cannot be stored: database or disk is full" if wrong else ""


def _journal(world, wrong):
    world.parts.pipeline.degraded_reason = "the journal cannot be written" if wrong else ""


def _tail(world, wrong):
    world.parts.hub.degraded_reason = "the journal cannot be read now" if wrong else ""


def _stale(world, wrong):
    world.parts.clock.last_close = 1
    world.parts.clock.now = DataState.STALE if wrong else DataState.LIVE


def _end(world, wrong):
    world.parts.hub.journal.degraded_reason = "the journal's end cannot be noted" if wrong else ""


def _audit(world, wrong):
    world.parts.gate.last_error = "the audit log cannot be written: No space left" if wrong else ""


def _certificate(world, wrong):
    world.certificates = ["tls_certificate: expires on 2030-01-01"] if wrong else []


TROUBLES = [
    (_certificate, set(), "expires on 2030-01-01"),
    (_audit, set(), "the audit log cannot be written"),
    (_end, set(), "the journal's end cannot be noted"),
    (_device, {SERVER, PREDICT, OIP, SIGNALS, MARKET, "net"}, "the device failed"),
    (_queue, {SERVER, PREDICT, OIP}, "queue of the device is full: 7 windows wait"),
    (_bars, {SERVER, MARKET}, "bars cannot be stored"),
    (_journal, {SERVER, SIGNALS}, "signals wait: the journal cannot be written"),
    (_tail, {SERVER, SIGNALS}, "signals wait: the journal cannot be read now"),
    (_stale, {SIGNALS}, "market data is stale"),
]


@pytest.mark.parametrize(("trouble", "down", "reason"), TROUBLES)
def test_a_trouble_takes_down_what_depends_on_it_and_gives_it_back(trouble, down, reason):
    world = World()
    world.look()
    assert not world.server.down
    trouble(world, True)
    world.look()
    assert world.server.down == down
    assert len(world.server.reasons) == 1
    assert reason in world.server.reasons[0]
    trouble(world, False)
    world.look()
    assert not world.server.down
    assert world.server.reasons == ()


def test_what_two_troubles_take_down_comes_back_when_both_are_over():
    world = World()
    _bars(world, True)
    _journal(world, True)
    world.look()
    assert world.server.down == {SERVER, MARKET, SIGNALS}
    assert len(world.server.reasons) == 2
    _bars(world, False)
    world.look()
    assert world.server.down == {SERVER, SIGNALS}
    _journal(world, False)
    world.look()
    assert not world.server.down


def test_a_disk_that_was_full_is_tried_without_anybody_asking():
    world = World()
    _bars(world, True)
    world.look()
    world.look()
    assert world.parts.ingest.tries == world.parts.gate.tries == 2


async def test_a_look_that_fails_is_told_and_is_not_the_last():
    world = World()
    world.parts.clock = None
    looking = asyncio.create_task(world.watchman.run())
    await asyncio.sleep(0.05)
    assert not looking.done()
    assert world.server.reasons == ("health could not be looked at; the log says why",)
    looking.cancel()


def test_a_server_that_nobody_has_fed_is_not_stale():
    world = World()
    world.parts.clock.now = DataState.STALE
    world.look()
    assert not world.server.down
