"""HTTP probes say what grpc.health.v1 says; liveness is that of the event loop."""

import asyncio
import urllib.error
import urllib.request
from types import SimpleNamespace

import pytest
from glasstape_server.app import App
from glasstape_server.operations import probes
from glasstape_server.settings import Settings


def _get(port, path):
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}") as response:
            return response.status, response.read().decode()
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.read().decode()


@pytest.fixture
async def app(tmp_path):
    served = App(Settings(data_dir=tmp_path, port=0, metrics_port=0))
    await served.start()
    yield served
    await served.stop()


async def test_the_probes_follow_the_servers_health(app):
    async def get(path):
        return await asyncio.to_thread(_get, app.metrics_port, path)

    for path in ("/healthz", "/readyz"):
        assert await get(path) == (200, "SERVING\n")
    assert await get("/livez") == (200, "ok\n")
    assert "glasstape_feed_subscribers" in (await get("/metrics"))[1]
    assert (await get("/nothing"))[0] == 404
    app.server.set_health_reasons(("the device failed",))
    await app.server.set_serving("", False)
    for path in ("/healthz", "/readyz"):
        assert await get(path) == (503, "NOT_SERVING\nthe device failed\n")
    assert await get("/livez") == (200, "ok\n")
    await app.server.set_not_serving()  # draining
    assert (await get("/readyz"))[0] == 503


def test_a_blocked_event_loop_is_not_live(monkeypatch):
    monkeypatch.setattr(probes, "LIVE_TIMEOUT_S", 0.05)
    idle = asyncio.new_event_loop()  # runs nothing
    answers = []
    probe = probes.Probes(lambda *_: [], SimpleNamespace(serves=lambda _: True, reasons=()), idle)
    (text,) = probe({"PATH_INFO": "/livez"}, lambda status, headers: answers.append(status))
    idle.run_until_complete(asyncio.sleep(0))
    idle.close()
    assert (answers, text) == (["503 Service Unavailable"], b"not responding\n")
