import asyncio
import time

import numpy as np
import pytest
from engine_work import RecordingWork, hold_device, queued, windows_of
from glasstape_server.domain.calls import Call
from glasstape_server.domain.errors import DeadlineExceeded, ResourceExhausted, Unavailable
from glasstape_server.engine.engine import Engine
from glasstape_server.engine.job import Lane
from glasstape_server.engine.work import ForecastWork, forecasts
from glasstape_server.explain.method import PASSES_AT_ONCE


@pytest.fixture
def engine():
    engine = Engine(queue_windows=5000)
    yield engine
    engine.stop()


async def test_queued_calls_share_a_batch_and_get_their_own_rows(engine):
    release, held = await hold_device(engine)
    work = RecordingWork.released()
    calls = [
        asyncio.create_task(engine.run(work, windows_of(i, i + 0.5), Lane.INTERACTIVE, Call()))
        for i in range(5)
    ]
    await queued(engine, 10)
    started = time.monotonic()
    await asyncio.sleep(0.02)  # time in the queue, which the results must report
    waited = time.monotonic() - started
    release.set()
    results = await asyncio.gather(*calls)
    assert len(work.batches) == 1
    for i, result in enumerate(results):
        np.testing.assert_allclose(result.outputs[0], [48 * i, 48 * (i + 0.5)])
        assert result.queue_seconds >= waited
    await held


async def test_columns_of_a_call_stay_together():
    engine = Engine()

    class Difference(RecordingWork):
        def run(self, inputs):
            self.batches.append(len(inputs[0]))
            return (inputs[0].sum((1, 2)) - inputs[1],)

    release, held = await hold_device(engine)
    work = Difference(passes=PASSES_AT_ONCE // 2)
    calls = [
        asyncio.create_task(
            engine.run(work, (windows_of(i, i + 1, i + 2), np.array([48.0 * i] * 3)), Lane.BULK, Call())
        )
        for i in range(2)
    ]
    await queued(engine, 6 * work.passes)
    release.set()
    for result in await asyncio.gather(*calls):
        assert result.outputs[0].tolist() == [0, 48, 96]
    assert work.batches == [2, 2, 2]
    await held
    engine.stop()


async def test_urgent_lanes_run_first(engine):
    release, held = await hold_device(engine, Lane.FEED)
    order = []
    tasks = []
    for lane in reversed(Lane):
        task = asyncio.create_task(engine.run(RecordingWork.released(), windows_of(1), lane, Call()))
        task.add_done_callback(lambda _, lane=lane: order.append(lane))
        tasks.append(task)
    await queued(engine, len(Lane))
    release.set()
    await asyncio.gather(*tasks, held)
    assert order == list(Lane)


async def test_a_long_job_is_split_so_that_urgent_work_runs_between(engine):
    bulk = RecordingWork(passes=PASSES_AT_ONCE // 2)
    urgent = RecordingWork.released(batches=bulk.batches)
    long = asyncio.create_task(engine.run(bulk, windows_of(*range(6)), Lane.BULK, Call()))
    assert await asyncio.to_thread(bulk.started.wait, 30)
    quick = asyncio.create_task(engine.run(urgent, windows_of(9), Lane.INTERACTIVE, Call()))
    await queued(engine, 4 * bulk.passes + 1)
    bulk.release.set()
    result, _ = await asyncio.gather(long, quick)
    assert bulk.batches == [[0, 1], [9], [2, 3], [4, 5]]
    assert len(result.outputs[0]) == 6


async def test_canceled_and_expired_jobs_never_reach_the_device(engine):
    release, held = await hold_device(engine)
    work = RecordingWork.released()
    expired = Call(deadline=time.monotonic() + 0.05)
    calls = [Call(), expired, Call()]
    canceled, late, kept = (
        asyncio.create_task(engine.run(work, windows_of(value), Lane.INTERACTIVE, call))
        for value, call in enumerate(calls, 1)
    )
    await queued(engine, 3)
    canceled.cancel()
    with pytest.raises(asyncio.CancelledError):
        await canceled
    await asyncio.sleep(max(0.0, expired.deadline - time.monotonic()))
    release.set()
    await kept
    with pytest.raises(DeadlineExceeded):
        await late
    assert work.batches == [[3.0]]
    await held


async def test_a_full_queue_rejects_with_a_retry_delay_and_sheds_explanations_first(engine):
    release, held = await hold_device(engine)
    work = RecordingWork.released(passes=100)
    waiting = [asyncio.create_task(engine.run(work, windows_of(*range(20)), Lane.EXPLAIN, Call()))]
    await queued(engine, 2000)
    with pytest.raises(ResourceExhausted) as rejection:
        await engine.run(work, windows_of(*range(10)), Lane.EXPLAIN, Call())
    assert rejection.value.retry_after > 0
    for size in (30, 15):
        call = engine.run(work, windows_of(*range(size)), Lane.INTERACTIVE, Call())
        waiting.append(asyncio.create_task(call))
    await queued(engine, 6500)
    with pytest.raises(ResourceExhausted):
        await engine.run(work, windows_of(*range(10)), Lane.INTERACTIVE, Call())
    release.set()
    await asyncio.gather(*waiting, held)


async def test_a_failing_batch_fails_only_its_own_calls(engine):
    with pytest.raises(ValueError, match="broken"):
        await engine.run(RecordingWork.released(fail=True), windows_of(1), Lane.INTERACTIVE, Call())
    result = await engine.run(RecordingWork.released(), windows_of(1), Lane.INTERACTIVE, Call())
    assert result.outputs[0][0] == 48


async def test_canceled_jobs_leave_the_queue(engine):
    release, held = await hold_device(engine)
    work = RecordingWork.released()
    tasks = [
        asyncio.create_task(engine.run(work, windows_of(i), Lane.INTERACTIVE, Call())) for i in range(500)
    ]
    await queued(engine, 500)
    for task in tasks:
        task.cancel()
    await asyncio.wait(tasks)
    release.set()
    await held
    await engine.run(work, windows_of(7), Lane.INTERACTIVE, Call())
    assert work.batches == [[7.0]]
    assert not any(engine.queued_windows.values())


async def test_a_stopped_engine_rejects_calls_as_unavailable():
    engine = Engine()
    engine.stop()
    with pytest.raises(Unavailable):
        await engine.run(RecordingWork(), windows_of(1), Lane.INTERACTIVE, Call())


async def test_forecasts_are_calibrated_and_sum_to_one(engine, bundled):
    windows = bundled.statistics.golden_windows.numpy()
    result = await engine.run(ForecastWork(bundled), windows, Lane.INTERACTIVE, Call())
    calibrated = forecasts(bundled, windows, result.outputs[0])
    np.testing.assert_allclose(calibrated.probabilities.sum(axis=1), 1, atol=1e-12)
    assert (calibrated.probabilities.argmax(1) == result.outputs[0].argmax(1)).all()
    expected = np.exp(result.outputs[0].astype(float) / bundled.manifest.temperature)
    np.testing.assert_allclose(calibrated.probabilities, expected / expected.sum(1, keepdims=True))
