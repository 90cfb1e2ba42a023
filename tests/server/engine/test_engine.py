import asyncio
import threading
import time
from dataclasses import dataclass, field

import numpy as np
import pytest
from glasstape_server.domain.errors import DeadlineExceeded, ResourceExhausted, Unavailable
from glasstape_server.domain.values import Call
from glasstape_server.engine.engine import Engine
from glasstape_server.engine.job import Lane
from glasstape_server.engine.work import Forecast, forecasts
from glasstape_server.explain.method import PASSES_AT_ONCE


@dataclass(eq=False)
class Recorder:
    """Work that tells what reached the device, and can hold it."""

    passes: int = 1
    batches: list = field(default_factory=list)
    gate: threading.Event = field(default_factory=threading.Event)
    fail: bool = False

    def run(self, rows):
        (windows,) = rows
        self.gate.wait(5)
        self.batches.append(windows[:, 0, 0].tolist())
        if self.fail:
            raise ValueError("broken")
        return (windows.sum((1, 2)),)


def rows(*values):
    return np.stack([np.full((6, 8), value, np.float32) for value in values])


@pytest.fixture
def engine():
    made = Engine(queue_windows=5000)
    yield made
    made.stop()


async def busy(engine, lane=Lane.INTERACTIVE):
    """Hold the device; returns the event that lets it go on."""
    holder = Recorder()
    task = asyncio.create_task(engine.run(holder, rows(0), lane, Call()))
    await asyncio.sleep(0.05)
    return holder.gate, task


async def test_calls_that_waited_are_one_batch_and_each_gets_its_rows(engine):
    gate, held = await busy(engine)
    work = Recorder()
    work.gate.set()
    calls = [
        asyncio.create_task(engine.run(work, rows(i, i + 0.5), Lane.INTERACTIVE, Call())) for i in range(5)
    ]
    await asyncio.sleep(0.05)
    gate.set()
    results = await asyncio.gather(*calls)
    assert len(work.batches) == 1
    for i, result in enumerate(results):
        np.testing.assert_allclose(result.columns[0], [48 * i, 48 * (i + 0.5)])
        assert result.queue_seconds > 0.03
    await held


async def test_columns_of_a_call_stay_together():
    engine = Engine()

    class Pair(Recorder):
        def run(self, rows):
            self.batches.append(len(rows[0]))
            return (rows[0].sum((1, 2)) - rows[1],)

    gate, held = await busy(engine)
    work = Pair(passes=PASSES_AT_ONCE // 2)
    calls = [
        asyncio.create_task(
            engine.run(work, (rows(i, i + 1, i + 2), np.array([48.0 * i] * 3)), Lane.BULK, Call())
        )
        for i in range(2)
    ]
    await asyncio.sleep(0.05)
    gate.set()
    for result in await asyncio.gather(*calls):
        assert result.columns[0].tolist() == [0, 48, 96]
    assert work.batches == [2, 2, 2]
    await held
    engine.stop()


async def test_urgent_lanes_go_first(engine):
    gate, held = await busy(engine)
    order = []
    works = {lane: Recorder() for lane in Lane}
    tasks = []
    for lane in reversed(Lane):
        works[lane].gate.set()
        task = asyncio.create_task(engine.run(works[lane], rows(1), lane, Call()))
        task.add_done_callback(lambda _, lane=lane: order.append(lane))
        tasks.append(task)
    await asyncio.sleep(0.05)
    gate.set()
    await asyncio.gather(*tasks, held)
    assert order == list(Lane)


async def test_a_long_job_is_cut_so_that_urgent_work_goes_between(engine):
    bulk = Recorder(passes=PASSES_AT_ONCE // 2)
    urgent = Recorder(batches=bulk.batches)
    urgent.gate.set()
    long = asyncio.create_task(engine.run(bulk, rows(*range(6)), Lane.BULK, Call()))
    await asyncio.sleep(0.05)
    quick = asyncio.create_task(engine.run(urgent, rows(9), Lane.INTERACTIVE, Call()))
    await asyncio.sleep(0.05)
    bulk.gate.set()
    result, _ = await asyncio.gather(long, quick)
    assert bulk.batches == [[0, 1], [9], [2, 3], [4, 5]]
    assert len(result.columns[0]) == 6


async def test_cancelled_and_expired_work_never_reaches_the_device(engine):
    gate, held = await busy(engine)
    work = Recorder()
    work.gate.set()
    gone = asyncio.create_task(engine.run(work, rows(1), Lane.INTERACTIVE, Call()))
    late = asyncio.create_task(
        engine.run(work, rows(2), Lane.INTERACTIVE, Call(deadline=time.monotonic() + 0.05))
    )
    stays = asyncio.create_task(engine.run(work, rows(3), Lane.INTERACTIVE, Call()))
    await asyncio.sleep(0.1)
    gone.cancel()
    await asyncio.sleep(0.01)
    gate.set()
    await stays
    with pytest.raises(DeadlineExceeded):
        await late
    with pytest.raises(asyncio.CancelledError):
        await gone
    assert work.batches == [[3.0]]
    await held


async def test_a_full_queue_says_when_to_come_back_and_sheds_explain_first(engine):
    gate, held = await busy(engine)
    work = Recorder(passes=100)
    work.gate.set()
    waiting = [asyncio.create_task(engine.run(work, rows(*range(20)), Lane.EXPLAIN, Call()))]
    await asyncio.sleep(0.01)
    with pytest.raises(ResourceExhausted) as caught:
        await engine.run(work, rows(*range(10)), Lane.EXPLAIN, Call())
    assert caught.value.retry_after > 0
    for size in (30, 15):
        call = engine.run(work, rows(*range(size)), Lane.INTERACTIVE, Call())
        waiting += [asyncio.create_task(call)]
    await asyncio.sleep(0.01)
    with pytest.raises(ResourceExhausted):
        await engine.run(work, rows(*range(10)), Lane.INTERACTIVE, Call())
    gate.set()
    await asyncio.gather(*waiting, held)


async def test_a_failing_batch_fails_its_calls_and_no_others(engine):
    broken, fine = Recorder(fail=True), Recorder()
    broken.gate.set()
    fine.gate.set()
    with pytest.raises(ValueError, match="broken"):
        await engine.run(broken, rows(1), Lane.INTERACTIVE, Call())
    assert (await engine.run(fine, rows(1), Lane.INTERACTIVE, Call())).columns[0][0] == 48


async def test_cancelling_often_leaves_nothing_waiting(engine):
    gate, held = await busy(engine)
    work = Recorder()
    work.gate.set()
    tasks = [asyncio.create_task(engine.run(work, rows(i), Lane.INTERACTIVE, Call())) for i in range(500)]
    await asyncio.sleep(0.05)
    for task in tasks:
        task.cancel()
    await asyncio.sleep(0.01)
    gate.set()
    await held
    await engine.run(work, rows(7), Lane.INTERACTIVE, Call())
    assert work.batches == [[7.0]]
    assert not any(engine._waiting)


async def test_a_stopped_engine_answers_unavailable():
    engine = Engine()
    engine.stop()
    with pytest.raises(Unavailable):
        await engine.run(Recorder(), rows(1), Lane.INTERACTIVE, Call())


async def test_forecasts_are_calibrated_and_sum_to_one(engine, bundled):
    windows = bundled.statistics.golden_windows.numpy()
    result = await engine.run(Forecast(bundled), windows, Lane.INTERACTIVE, Call())
    made = forecasts(bundled, windows, result.columns[0])
    np.testing.assert_allclose(made.probabilities.sum(axis=1), 1, atol=1e-12)
    assert (made.probabilities.argmax(1) == result.columns[0].argmax(1)).all()
    expected = np.exp(result.columns[0].astype(float) / bundled.manifest.temperature)
    np.testing.assert_allclose(made.probabilities, expected / expected.sum(1, keepdims=True))
