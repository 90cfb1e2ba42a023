import asyncio
import logging

import pytest
import torch
from engine_work import RecordingWork, hold_device, queued, windows_of
from glasstape_server.domain.calls import Call
from glasstape_server.engine.device import Device
from glasstape_server.engine.engine import Engine
from glasstape_server.engine.job import Lane
from glasstape_server.engine.work import ForecastWork
from glasstape_server.models.model import Model
from glasstape_server.models.runtime.compiled_scorer import CompiledScorer
from glasstape_server.models.runtime.graphed_scorer import GraphedScorer
from torch import nn


def test_auto_selects_the_cpu_where_no_accelerator_is_available(monkeypatch):
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 0)
    assert Device().name == "cpu"
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    assert Device().name == "cuda"


@pytest.mark.parametrize("requested", ["cuda", "cuda:1"])
def test_an_unavailable_device_is_rejected(monkeypatch, requested):
    monkeypatch.setattr(torch.cuda, "device_count", lambda: int(requested == "cuda:1"))
    with pytest.raises(ValueError, match=f"device: {requested} is not available"):
        Device(requested)


class FragileModel(Model):
    """A model that is captured on the CPU, as on an accelerator, unless there is an error to raise."""

    error = None

    def capture(self, device, heads):
        if self.error:
            raise self.error
        super().capture("cpu", heads, (8,))


class FragileNetwork(nn.Module):
    """The network of another module, unless the device is lost."""

    lost = False
    """Of all instances: the captured network is a copy."""

    def __init__(self, network):
        super().__init__()
        self.network = network

    def forward(self, x):
        if FragileNetwork.lost:
            raise torch.AcceleratorError("lost")
        return self.network(x)


@pytest.fixture
def accelerated(bundled, monkeypatch):
    """A model, and a device named cuda that is the CPU."""
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 1)
    model = FragileModel(bundled.manifest, FragileNetwork(bundled.scorer.network), bundled.statistics)
    return model, Device("cuda")


def test_a_model_too_large_for_the_device_falls_back_to_the_cpu(accelerated, caplog):
    model, device = accelerated
    model.error = torch.OutOfMemoryError("out of memory")
    with caplog.at_level(logging.WARNING):
        device.prepare(model)
    assert isinstance(model.network, CompiledScorer)
    assert device.name == "cuda"
    assert "falls back to the CPU: out of memory" in caplog.text


def test_a_failed_device_is_replaced_by_the_cpu(accelerated, caplog):
    model, device = accelerated
    device.prepare(model)
    assert isinstance(model.network, GraphedScorer)
    model.error = torch.AcceleratorError("an illegal memory access")
    with caplog.at_level(logging.ERROR):
        device.restart([model])
    assert isinstance(model.network, CompiledScorer)
    assert device.name == "cpu"
    assert "cuda failed; falling back to CPU: an illegal memory access" in caplog.text


async def test_failed_and_queued_calls_are_completed_after_a_restart(accelerated, monkeypatch):
    model, device = accelerated
    device.prepare(model)
    captured = model.network
    monkeypatch.setattr(FragileNetwork, "lost", True)
    restarts = []

    def restart():
        restarts.append(model.network)
        FragileNetwork.lost = False
        device.restart([model])

    engine = Engine(restart_device=restart)
    try:
        release, held = await hold_device(engine)
        golden = model.statistics.golden_windows.numpy()
        calls = [
            asyncio.create_task(engine.run(ForecastWork(model), golden, lane, Call()))
            for lane in (Lane.INTERACTIVE, Lane.FEED)
        ]
        await queued(engine, 2 * len(golden))
        release.set()
        for result in await asyncio.gather(*calls):
            torch.testing.assert_close(
                torch.from_numpy(result.outputs[0]), model.statistics.golden_logits, atol=1e-5, rtol=0
            )
        await held
    finally:
        engine.stop()
    assert restarts == [captured]
    assert model.network is not captured


async def test_a_device_that_fails_again_fails_the_call_and_not_the_engine():
    class Lost(RecordingWork):
        def run(self, inputs):
            raise torch.AcceleratorError("lost")

    restarts = []
    engine = Engine(restart_device=lambda: restarts.append(1))
    try:
        with pytest.raises(torch.AcceleratorError):
            await engine.run(Lost(), windows_of(1), Lane.INTERACTIVE, Call())
        assert restarts == [1]
        result = await engine.run(RecordingWork.released(), windows_of(1), Lane.INTERACTIVE, Call())
        assert result.outputs[0] == 48
    finally:
        engine.stop()
