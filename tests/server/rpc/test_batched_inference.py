"""Where calls of ready windows are computed, and what becomes of them if they cannot be."""

import threading
import time

import numpy as np
import pytest
from engine_work import hold_device, queued
from glasstape.v1 import inference_pb2 as pb
from glasstape_server.access.quotas import Limits, Quotas
from glasstape_server.domain.errors import DeadlineExceeded, Internal, InvalidArgument
from glasstape_server.engine.engine import Engine
from glasstape_server.models.model import Model
from glasstape_server.rpc.batched_inference import INLINE_PASSES, BatchedInference
from glasstape_server.rpc.calls import PendingCall
from glasstape_server.serving.inference import Inference


class OneModel:
    """Inputs of a server with one model and no market."""

    ingest = None

    def __init__(self, model):
        self._model = model

    def model(self, name):
        return self._model


class Wire:
    """Collects answers, and the threads that sent them."""

    def __init__(self):
        self.answers = {}
        self.threads = set()
        self._changed = threading.Condition()

    def __call__(self, answers):
        with self._changed:
            self.threads.add(threading.current_thread().name)
            for pending, answer in answers:
                assert pending.tag not in self.answers
                self.answers[pending.tag] = answer
            self._changed.notify_all()

    def wait(self, count):
        with self._changed:
            assert self._changed.wait_for(lambda: len(self.answers) == count, 30)


@pytest.fixture
def engine():
    engine = Engine()
    yield engine
    engine.stop()


def windows_message(count, first=0.0):
    data = np.full((count, 6, 8), first, "<f4")
    return pb.PredictionInput(windows=pb.Windows(count=count, data=data.tobytes()))


def pending(tag, message, **options):
    return PendingCall(payload=message.SerializeToString(), received=time.monotonic(), tag=tag, **options)


def batched(model, engine, wire):
    inference = Inference(OneModel(model), engine, Quotas(Limits()))
    return BatchedInference(inference, wire, computes=True)


METHODS = {
    "predict": (pb.PredictRequest, pb.PredictResponse, "predictions"),
    "explain": (pb.ExplainRequest, pb.ExplainResponse, "results"),
}


@pytest.mark.parametrize("method", METHODS)
async def test_an_idle_device_is_used_by_the_thread_that_brings_calls(bundled, engine, method):
    request, response, field = METHODS[method]
    wire = Wire()
    calls = [pending(tag, request(input=windows_message(count))) for tag, count in enumerate((1, 3, 2))]
    getattr(batched(bundled, engine, wire), method)(calls)
    assert wire.threads == {threading.current_thread().name}
    rows = [len(getattr(response.FromString(wire.answers[tag]), field)) for tag in range(3)]
    assert rows == [1, 3, 2]


@pytest.mark.parametrize("method", METHODS)
async def test_both_threads_give_equal_answers(bundled, engine, method):
    request, response, _ = METHODS[method]
    wire = Wire()
    inference = batched(bundled, engine, wire)
    messages = [request(input=windows_message(2, first)) for first in (0.5, -1.0, 1e30)]
    getattr(inference, method)([pending(("here", tag), each) for tag, each in enumerate(messages)])
    release, held = await hold_device(engine)
    getattr(inference, method)([pending(("queued", tag), each) for tag, each in enumerate(messages)])
    release.set()
    await held
    wire.wait(6)
    assert "device" in wire.threads
    for tag in range(3):
        here, later = (response.FromString(wire.answers[kind, tag]) for kind in ("here", "queued"))
        here.ClearField("timing")
        later.ClearField("timing")
        assert here == later


async def test_a_large_batch_is_left_to_the_device_thread(bundled, engine):
    wire = Wire()
    large = pb.PredictRequest(input=windows_message(INLINE_PASSES + 1))
    batched(bundled, engine, wire).predict([pending(0, large)])
    wire.wait(1)
    assert wire.threads == {"device"}


async def test_calls_that_are_over_are_not_computed(bundled, engine):
    wire = Wire()
    request = pb.PredictRequest(input=windows_message(1))
    batched(bundled, engine, wire).predict(
        [
            pending("late", request, deadline=time.monotonic() - 1),
            pending("canceled", request, canceled=True),
            pending("open", request, deadline=time.monotonic() + 60),
        ]
    )
    wire.wait(2)
    assert isinstance(wire.answers["late"], DeadlineExceeded)
    assert isinstance(wire.answers["open"], bytes)


async def test_a_failure_of_the_device_is_the_answer_of_its_calls_alone(bundled, engine):
    class Broken(Model):
        @property
        def network(self):
            raise ValueError("broken")

    wire = Wire()
    broken = Broken(bundled.manifest, bundled.scorer.network, bundled.statistics)
    batched(broken, engine, wire).predict(
        [pending(tag, pb.PredictRequest(input=windows_message(1))) for tag in range(2)]
    )
    assert all(isinstance(wire.answers[tag], Internal) for tag in range(2))
    batched(bundled, engine, wire).predict([pending(2, pb.PredictRequest(input=windows_message(1)))])
    assert isinstance(wire.answers[2], bytes)


async def test_a_bad_request_does_not_touch_the_others(bundled, engine):
    wire = Wire()
    good = pb.PredictRequest(input=windows_message(1))
    short = pb.PredictRequest(input=pb.PredictionInput(windows=pb.Windows(count=2, data=b"1234")))
    batched(bundled, engine, wire).predict([pending(0, good), pending(1, short), pending(2, good)])
    assert isinstance(wire.answers[1], InvalidArgument)
    assert isinstance(wire.answers[0], bytes)
    assert wire.answers[0] == wire.answers[2]
    assert not any(engine.queued_windows.values())


async def test_calls_wait_in_the_queue_while_the_device_is_busy(bundled, engine):
    wire = Wire()
    release, held = await hold_device(engine)
    inference = batched(bundled, engine, wire)
    call = pending(0, pb.PredictRequest(input=windows_message(4)))
    inference.predict([call])
    await queued(engine, 4)
    inference.cancel(call)
    release.set()
    await held
    inference.predict([pending(1, pb.PredictRequest(input=windows_message(1)))])
    wire.wait(1)
    assert list(wire.answers) == [1]
