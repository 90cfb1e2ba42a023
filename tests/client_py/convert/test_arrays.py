"""Windows of every type: what is masked is refused, what is taken arrives with its values and its shape."""

from collections import deque

import numpy as np
import pytest
from glasstape import AsyncClient, Client, InvalidRequestError
from glasstape.testing import MODEL, FakeServer, make_confidence
from glasstape.v1 import inference_pb2 as pb
from glasstape.v1 import inference_pb2_grpc

PLAIN = np.arange(48.0).reshape(6, 8)
MASKED = np.ma.masked_array(PLAIN + 5, mask=PLAIN == 7)


class Wrapped:
    """An array of another library."""

    def __init__(self, array):
        self._array = array

    def __array__(self, dtype=None, copy=None):
        if isinstance(self._array, Exception):
            raise self._array
        return self._array


def holding(item):
    """An array of objects that holds one."""
    array = np.empty(1, object)
    array[0] = item
    return array


MASKED_WINDOWS = {
    "an array": MASKED,
    "three dimensions": MASKED[None],
    "all cells": np.ma.masked_all((6, 8)),
    "integers": np.ma.masked_array(PLAIN.astype(int), mask=PLAIN == 7),
    "a list": [MASKED],
    "the last of a list": [PLAIN, PLAIN, MASKED],
    "a tuple": (PLAIN, MASKED),
    "a deque": deque([MASKED]),
    "a list of rows": list(MASKED),
    "rows in lists": [list(MASKED), list(PLAIN)],
    "constants": [[np.ma.masked] * 8] * 6,
    "one constant": [[*[0.0] * 7, np.ma.masked], *[[0.0] * 8] * 5],
    "objects": holding(MASKED),
    "a wrapper": Wrapped(MASKED),
}


@pytest.fixture(scope="module")
def fake():
    with FakeServer() as server:
        yield server


def refused(call):
    with pytest.raises(InvalidRequestError) as caught:
        call()
    (violation,) = caught.value.violations
    return violation.field, violation.rule


def calls(windows):
    """Each argument that takes windows, in both clients."""
    client, aio = Client("localhost:1"), AsyncClient("localhost:1")
    for name in ("windows", "baseline_windows", "background"):
        given = {name: windows} if name == "windows" else {"symbols": ["A"], name: windows}
        yield name, lambda given=given: client.explain(**given)
        yield name, lambda given=given: aio.explain(**given).send(None)
    yield "windows", lambda: client.predict(windows=windows)
    yield "windows", lambda: aio.predict(windows=windows).send(None)


@pytest.mark.parametrize("windows", MASKED_WINDOWS.values(), ids=MASKED_WINDOWS)
def test_masked_cells_are_refused_wherever_they_are(windows):
    for name, call in calls(windows):
        assert refused(call) == (name, "must not have masked cells; fill them first")


@pytest.mark.parametrize(
    "failure", [RuntimeError("requires grad"), TypeError("on a device"), OSError("gone")], ids=repr
)
def test_a_conversion_that_fails_is_an_error_of_its_argument(failure):
    for name, call in calls(Wrapped(failure)):
        assert refused(call) == (name, f"must be an array of real numbers: {failure}")


@pytest.mark.parametrize(
    ("windows", "rule"),
    [
        (1.0, "must have shape (time, feature) or (n, time, feature), has ()"),
        (PLAIN[None, None], "must have shape (time, feature) or (n, time, feature), has (1, 1, 6, 8)"),
        ([[[[[0.0]]]]], "must have shape (time, feature) or (n, time, feature), has (1, 1, 1, 1, 1)"),
        ((row for row in PLAIN), "must be an array of real numbers, has dtype object"),
        ({"a": 1}, "must be an array of real numbers, has dtype object"),
        ("abc", "must be an array of real numbers, has dtype <U3"),
    ],
    ids=["number", "four axes", "deep list", "generator", "mapping", "text"],
)
def test_what_is_no_windows_is_refused(windows, rule):
    assert {refused(call) for name, call in calls(windows) if name == "windows"} == {("windows", rule)}


TAKEN = {
    "float64": PLAIN,
    "a list": [PLAIN],
    "lists": PLAIN.tolist(),
    "nothing masked": np.ma.masked_array(PLAIN, mask=False),
    "a list of nothing masked": [np.ma.masked_array(PLAIN)],
    "columns first": np.asfortranarray(PLAIN),
    "strides": np.repeat(PLAIN, 2, axis=0)[::2],
    "float16": PLAIN.astype("f2"),
    "big-endian": PLAIN.astype(">f8"),
    "a wrapper": Wrapped(PLAIN),
    "a deque": deque([PLAIN]),
}


@pytest.mark.parametrize("windows", TAKEN.values(), ids=TAKEN)
def test_windows_of_every_type_arrive_with_their_values(fake, windows):
    seen = []
    fake.predict = lambda symbol, window: seen.append(window) or make_confidence()
    with Client(fake.address) as client:
        client.predict(windows=windows)
    np.testing.assert_array_equal(seen, [PLAIN])


@pytest.mark.parametrize("shape", [(8, 6), (3, 16), (48, 1), (1, 8, 6), (2, 12, 2), (0, 8)])
@pytest.mark.parametrize("name", ["windows", "baseline_windows", "background"])
async def test_a_window_of_another_shape_is_refused_with_both_shapes(fake, name, shape):
    given = {} if name == "windows" else {"windows": PLAIN}
    given[name] = np.zeros(shape)
    rule = f"must be (6, 8), time x features of fake, is {shape[-2:]}"
    with Client(fake.address) as client, pytest.raises(InvalidRequestError) as caught:
        client.explain(**given)
    path = "input.windows" if name == "windows" else name
    assert [(v.field, v.rule) for v in caught.value.violations] == [(f"{path}.shape", rule)]
    async with AsyncClient(fake.address) as other:
        with pytest.raises(InvalidRequestError, match=r"must be \(6, 8\)"):
            await other.explain(**given)


def test_a_fake_server_checks_count_and_bytes_of_older_clients(fake):
    import grpc

    with grpc.insecure_channel(fake.address) as channel:
        predict = inference_pb2_grpc.InferenceServiceStub(channel).Predict

        def source(**windows):
            return pb.PredictRequest(input=pb.PredictionInput(windows=pb.Windows(**windows)))

        fake.predict = lambda symbol, window: make_confidence()
        assert len(predict(source(count=2, data=bytes(2 * 192))).predictions) == 2
        for wrong in ({"count": 0}, {"count": 1, "data": bytes(190)}, {"count": 16_385, "data": bytes(192)}):
            with pytest.raises(grpc.RpcError) as caught:
                predict(source(**wrong))
            assert caught.value.code() is grpc.StatusCode.INVALID_ARGUMENT
    assert (MODEL.time_steps, len(MODEL.features)) == (6, 8)
