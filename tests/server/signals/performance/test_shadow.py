from types import SimpleNamespace

import numpy as np
from glasstape_server.domain.errors import NotFound
from glasstape_server.domain.signals import Forecasts, ModelRef
from glasstape_server.signals.performance.shadow import Shadow

WINDOWS = np.zeros((4, 6, 8), np.float32)


class Model:
    def __init__(self, name, winners, spec="f"):
        self.ref = ModelRef(name, "1", name * 64, spec)
        self.spec = SimpleNamespace(hash=spec)
        self._winners = winners

    async def forecast(self, windows):
        stated = np.eye(3)[self._winners]
        return Forecasts(self.ref, stated.astype(np.float32), stated, np.zeros(4, bool), np.zeros(4))


async def compared(active, shadow):
    watch = Shadow(shadow if callable(shadow) else lambda: shadow)
    watch.offer(active, await active.forecast(WINDOWS), WINDOWS)
    await watch.idle()
    return watch


async def test_disagreements_are_counted():
    active, shadow = Model("a", [0, 1, 2, 2]), Model("b", [0, 1, 1, 0])
    watch = await compared(active, shadow)
    watch.offer(active, await active.forecast(WINDOWS), WINDOWS)
    await watch.idle()
    found = watch.of(shadow.ref.digest)
    assert (found.compared, found.disagreed) == (8, 4)
    assert watch.of(active.ref.digest) is None


async def test_a_model_is_not_its_own_shadow_and_needs_the_same_features(caplog):
    active = Model("a", [0, 1, 2, 2])
    assert (await compared(active, active)).of(active.ref.digest) is None
    other = Model("b", [0, 0, 0, 0], spec="g")
    assert (await compared(active, other)).of(other.ref.digest) is None
    assert "takes other features" in caplog.text


async def test_a_shadow_that_is_not_there_costs_nothing_but_a_line(caplog):
    def missing():
        raise NotFound("MODEL_NOT_FOUND", "model: 'x' is not ready here")

    await compared(Model("a", [0, 1, 2, 2]), missing)
    assert "'x' is not ready" in caplog.text


async def test_a_shadow_that_breaks_says_so_once_and_is_asked_again(caplog):
    class Broken(Model):
        async def forecast(self, windows):
            raise RuntimeError("no such operator")

    active, broken = Model("a", [0, 1, 2, 2]), Broken("b", [0, 0, 0, 0])
    watch = await compared(active, broken)
    for _ in range(3):
        watch.offer(active, await active.forecast(WINDOWS), WINDOWS)
    await watch.idle()
    assert caplog.text.count("no such operator") == 1


async def test_a_slow_shadow_uses_bounded_memory():
    active, shadow = Model("a", [0, 1, 2, 2]), Model("b", [0, 1, 2, 2])
    watch, said = Shadow(lambda: shadow, max_queued=8), await active.forecast(WINDOWS)
    for _ in range(10):
        watch.offer(active, said, WINDOWS)
    await watch.idle()
    assert watch.of(shadow.ref.digest).compared == 8
