import asyncio
import logging

import pytest
import torch
from glasstape_server.domain.values import Call
from glasstape_server.engine.device import Device
from glasstape_server.engine.engine import Engine
from glasstape_server.engine.job import Lane
from glasstape_server.engine.work import Forecast
from glasstape_server.models.model import Model
from glasstape_server.models.runtime.compiled import Compiled
from glasstape_server.models.runtime.cuda_graph import Graphed

from tests.server.engine.test_engine import Recorder, busy, rows


def test_auto_is_the_cpu_where_there_is_nothing_else(monkeypatch):
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 0)
    assert Device().name == "cpu"
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    assert Device().name == "cuda"


@pytest.mark.parametrize("wanted", ["cuda", "cuda:1"])
def test_a_device_that_is_not_here_is_refused(monkeypatch, wanted):
    monkeypatch.setattr(torch.cuda, "device_count", lambda: int(wanted == "cuda:1"))
    with pytest.raises(ValueError, match=f"device: {wanted} is not here"):
        Device(wanted)


@pytest.fixture
def accelerated(bundled, monkeypatch):
    """A model on a device that is called cuda and is the CPU, and that device."""
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 1)
    state = {"error": None}

    def capture(model, device, heads):
        if state["error"]:
            raise state["error"]
        model._fast = Graphed(model.scorer, *model.window_shape, "cpu", heads, (8,))

    monkeypatch.setattr(Model, "capture", capture)
    model = Model(bundled.manifest, bundled.scorer.network, bundled.statistics)
    return model, Device("cuda"), state


def test_a_model_without_room_on_the_device_runs_on_the_cpu(accelerated, caplog):
    model, device, state = accelerated
    state["error"] = torch.OutOfMemoryError("no room")
    with caplog.at_level(logging.WARNING):
        device.prepare(model)
    assert isinstance(model.network, Compiled)
    assert device.name == "cuda"
    assert "runs on the CPU: no room" in caplog.text


def test_a_lost_device_is_left_for_the_cpu(accelerated, caplog):
    model, device, state = accelerated
    device.prepare(model)
    assert isinstance(model.network, Graphed)
    state["error"] = torch.AcceleratorError("an illegal memory access")
    with caplog.at_level(logging.ERROR):
        device.restart([model])
    assert isinstance(model.network, Compiled)
    assert device.name == "cpu"
    assert "cuda is out of order, computing on the CPU: an illegal memory access" in caplog.text


async def test_what_failed_with_the_device_and_what_waited_is_answered_after_its_restart(accelerated):
    model, device, _ = accelerated
    device.prepare(model)
    broken = model.network
    broken._blocks = lambda *_: (_ for _ in ()).throw(torch.AcceleratorError("lost"))
    restarts = []

    def restart():
        restarts.append(model.network)
        device.restart([model])

    engine = Engine(restart=restart)
    try:
        gate, held = await busy(engine)
        golden = model.statistics.golden_windows.numpy()
        calls = [
            asyncio.create_task(engine.run(Forecast(model), golden, lane, Call()))
            for lane in (Lane.INTERACTIVE, Lane.FEED)
        ]
        await asyncio.sleep(0.05)
        gate.set()
        for result in await asyncio.gather(*calls):
            torch.testing.assert_close(
                torch.from_numpy(result.columns[0]), model.statistics.golden_logits, atol=1e-5, rtol=0
            )
        await held
    finally:
        engine.stop()
    assert restarts == [broken]
    assert model.network is not broken


async def test_a_device_that_fails_again_fails_the_call_and_not_the_engine():
    class Lost(Recorder):
        def run(self, rows):
            raise torch.AcceleratorError("lost")

    engine, restarts = Engine(restart=lambda: restarts.append(1)), []
    try:
        with pytest.raises(torch.AcceleratorError):
            await engine.run(Lost(), rows(1), Lane.INTERACTIVE, Call())
        assert restarts == [1]
        fine = Recorder()
        fine.gate.set()
        assert (await engine.run(fine, rows(1), Lane.INTERACTIVE, Call())).columns[0] == 48
    finally:
        engine.stop()
