"""Who has the device: threads that find it idle, and queued jobs, whatever is queued, canceled or stopped."""

import threading
import time

import numpy as np
import pytest
from engine_work import RecordingWork, windows_of
from glasstape_server.domain.calls import Call
from glasstape_server.domain.errors import DeadlineExceeded, Unavailable
from glasstape_server.engine.engine import Engine
from glasstape_server.engine.job import Job, Lane
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule


class Answers:
    """Callback that records the results of jobs, and in which order they came."""

    def __init__(self):
        self.by_tag = {}
        self.order = []
        self._changed = threading.Condition()

    def finished(self, jobs, inputs, outputs):
        self._note(jobs, "done")
        assert np.array_equal(inputs[0].sum((1, 2)), outputs[0])

    def failed(self, jobs, error):
        self._note(jobs, type(error))

    def _note(self, jobs, result):
        with self._changed:
            for job in jobs:
                self.by_tag.setdefault(job.tag, []).append(result)
                self.order.append(job.tag)
            self._changed.notify_all()

    def wait(self, tags):
        with self._changed:
            assert self._changed.wait_for(lambda: set(tags) <= set(self.by_tag), 30)


class DeviceTurns(RuleBasedStateMachine):
    """One thread at most has the device; every job is answered once, in the order of the lanes."""

    def __init__(self):
        super().__init__()
        self.engine = Engine()
        self.answers = Answers()
        self.calls = {}
        self.queued = []
        """(lane, tag) in the order of submission."""
        self.dropped = set()
        self.holder = None
        self.last_lane = Lane.FEED

    @precondition(lambda self: self.holder is None)
    @rule(lane=st.sampled_from(list(Lane)))
    def take_and_hold(self, lane):
        """A thread takes the idle device, and keeps it."""
        work = RecordingWork()
        thread = threading.Thread(target=self.engine.run_if_idle, args=(work, (windows_of(0),), lane, 0.0))
        thread.start()
        assert work.started.wait(30)
        self.holder, self.last_lane = (work, thread), lane

    @precondition(lambda self: self.holder is None)
    @rule(lane=st.sampled_from(list(Lane)), values=st.lists(st.integers(0, 9), min_size=1, max_size=4))
    def take_and_compute(self, lane, values):
        outputs, seconds = self.engine.run_if_idle(
            RecordingWork.released(), (windows_of(*values),), lane, 0.0
        )
        assert outputs[0].tolist() == [48.0 * value for value in values]
        assert seconds >= 0
        self.last_lane = lane

    @precondition(lambda self: self.holder is not None)
    @rule()
    def take_in_vain(self):
        work = RecordingWork.released()
        assert self.engine.run_if_idle(work, (windows_of(1),), Lane.INTERACTIVE, 0.0) is None
        assert not work.batches

    @precondition(lambda self: self.holder is None)
    @rule()
    def fail(self):
        with pytest.raises(ValueError, match="broken"):
            self.engine.run_if_idle(
                RecordingWork.released(fail=True), (windows_of(1),), Lane.INTERACTIVE, 0.0
            )
        self.last_lane = Lane.INTERACTIVE

    @precondition(lambda self: self.holder is not None)
    @rule(lane=st.sampled_from(list(Lane)), expired=st.booleans())
    def queue(self, lane, expired):
        tag = len(self.calls)
        call = self.calls[tag] = Call(deadline=time.monotonic() if expired else None)
        job = Job(RecordingWork.released(), (windows_of(tag),), lane, call, self.answers, tag)
        assert not self.engine.submit([job])
        self.queued.append((lane, tag))

    @precondition(lambda self: self.queued)
    @rule(data=st.data())
    def cancel(self, data):
        tag = data.draw(st.sampled_from([tag for _, tag in self.queued]))
        self.calls[tag].canceled = True
        self.dropped.add(tag)

    @precondition(lambda self: self.holder is not None)
    @rule()
    def give_back(self):
        """The queued jobs run."""
        work, thread = self.holder
        waiting, done = self.queued, len(self.answers.order)
        work.release.set()
        thread.join()
        self.holder, self.queued = None, []
        self.answers.wait([tag for _, tag in waiting if tag not in self.dropped])
        self._wait_until_idle()
        expected = [tag for tag in self._in_turn(waiting) if tag not in self.dropped]
        assert self.answers.order[done:] == expected

    def _in_turn(self, waiting):
        """Order of jobs: by lane and submission, but the feed's after an interactive one."""
        lanes = {lane: [tag for its, tag in waiting if its is lane] for lane in Lane}
        while any(lanes.values()):
            after_a_call = self.last_lane is Lane.INTERACTIVE and lanes[Lane.FEED]
            lane = Lane.FEED if after_a_call else next(lane for lane in Lane if lanes[lane])
            tag = lanes[lane].pop(0)
            if not self.calls[tag].is_over(time.monotonic()):  # what is dropped takes no turn
                self.last_lane = lane
            yield tag

    def _wait_until_idle(self):
        """Wait until the device thread has let go of the device."""
        end = time.monotonic() + 30
        while (
            self.engine.run_if_idle(RecordingWork.released(), (windows_of(1),), self.last_lane, 0.0) is None
        ):
            assert time.monotonic() < end
            time.sleep(0)

    @invariant()
    def every_answer_came_once_and_none_to_the_canceled(self):
        for tag, results in self.answers.by_tag.items():
            assert len(results) == 1
            assert tag not in self.dropped
            assert results == [DeadlineExceeded if self.calls[tag].deadline else "done"]

    def teardown(self):
        stopping = threading.Thread(target=self.engine.stop)
        stopping.start()
        if self.holder is not None:
            work, thread = self.holder
            with pytest.raises(Unavailable):  # noqa: PT012  # refused once stopping has begun
                while not (rejected := self._submit_late()):
                    time.sleep(0)
                raise rejected[0][1]
            assert thread.is_alive()
            work.release.set()
            thread.join()
        stopping.join()
        assert self.engine.run_if_idle(RecordingWork.released(), (windows_of(1),), Lane.FEED, 0.0) is None
        for _, tag in self.queued:
            assert self.answers.by_tag.get(tag) == [Unavailable]

    def _submit_late(self):
        call = Call(canceled=True)
        job = Job(RecordingWork.released(), (windows_of(1),), Lane.FEED, call, Answers(), "late")
        return self.engine.submit([job])


DeviceTurns.TestCase.settings = settings(max_examples=40, stateful_step_count=20, deadline=None)
TestDeviceTurns = DeviceTurns.TestCase


def test_a_flood_of_calls_delays_a_burst_by_one_batch_at_most():
    engine, order = Engine(), []
    bursts = Answers()

    class Flood:
        """Submits another call whenever one is answered, until the engine stops."""

        def finished(self, jobs, inputs, outputs):
            order.append(Lane.INTERACTIVE)
            self.submit()

        def failed(self, jobs, error):
            assert isinstance(error, Unavailable)

        def submit(self):
            engine.submit(
                [Job(RecordingWork.released(), (windows_of(1),), Lane.INTERACTIVE, Call(), self, None)]
            )

    class Burst(Answers):
        def finished(self, jobs, inputs, outputs):
            order.append(Lane.FEED)
            bursts.finished(jobs, inputs, outputs)

    flood, held = Flood(), RecordingWork()
    holder = threading.Thread(target=engine.run_if_idle, args=(held, (windows_of(0),), Lane.INTERACTIVE, 0.0))
    holder.start()
    assert held.started.wait(30)
    for _ in range(5):
        flood.submit()
    jobs = [
        Job(RecordingWork.released(), (windows_of(tag),), Lane.FEED, Call(), Burst(), tag) for tag in range(4)
    ]
    assert not engine.submit(jobs)
    held.release.set()
    bursts.wait(range(4))
    holder.join()
    engine.stop()
    assert order[:7] == [Lane.FEED, *[Lane.INTERACTIVE, Lane.FEED] * 3]
