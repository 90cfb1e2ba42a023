"""Windows that state their shape: those of another model, or transposed, are rejected by every path of both wires."""

import grpc
import numpy as np
import pytest
from glasstape import Client, InvalidRequestError
from glasstape.errors import from_rpc
from glasstape.v1 import inference_pb2 as pb
from glasstape.v1 import inference_pb2_grpc

VALUES = np.random.default_rng(5).normal(size=(2, 6, 8)).astype("<f4")
GRADIENT = pb.Explanation.METHOD_GRADIENT
INTEGRATED = pb.Explanation.METHOD_INTEGRATED_GRADIENTS
EXPECTED = pb.Explanation.METHOD_EXPECTED_GRADIENTS


@pytest.fixture(scope="module")
def stub(market):
    with grpc.insecure_channel(market.address) as channel:
        yield inference_pb2_grpc.InferenceServiceStub(channel)


def windows(*shape):
    stated = pb.Heatmap.Shape(time=shape[0], features=shape[1]) if shape else None
    return pb.Windows(count=2, data=VALUES.tobytes(), shape=stated)


def source(*shape):
    return pb.PredictionInput(windows=windows(*shape))


REQUESTS = {
    "predict": (lambda *s: pb.PredictRequest(input=source(*s)), "input.windows"),
    "explain, batched": (lambda *s: pb.ExplainRequest(input=source(*s), method=GRADIENT), "input.windows"),
    "explain, a task": (lambda *s: pb.ExplainRequest(input=source(*s), method=INTEGRATED), "input.windows"),
    "baseline windows": (
        lambda *s: pb.ExplainRequest(
            input=source(6, 8),
            method=INTEGRATED,
            baseline=pb.Explanation.BASELINE_CUSTOM,
            baseline_windows=windows(*s),
        ),
        "baseline_windows",
    ),
    "background": (
        lambda *s: pb.ExplainRequest(input=source(6, 8), method=EXPECTED, background=windows(*s)),
        "background",
    ),
}


@pytest.mark.parametrize("shape", [(8, 6), (3, 16), (48, 1), (0, 0), (6, 0)])
@pytest.mark.parametrize("name", REQUESTS)
def test_another_shape_of_as_many_bytes_is_rejected_with_both_shapes(stub, name, shape):
    build, path = REQUESTS[name]
    with pytest.raises(grpc.RpcError) as caught:
        (stub.Predict if name == "predict" else stub.Explain)(build(*shape))
    error = from_rpc(caught.value)
    assert error.code == "INVALID_ARGUMENT"
    (violation,) = error.violations
    assert violation.field == f"{path}.shape"
    assert violation.rule.startswith("must be (6, 8), time x features of ")
    assert violation.rule.endswith(f", is {shape}")


@pytest.mark.parametrize("name", REQUESTS)
def test_the_answer_is_the_same_without_a_shape(stub, name):
    build, _ = REQUESTS[name]
    call = stub.Predict if name == "predict" else stub.Explain
    stated, unstated = (call(build(*shape)) for shape in ((6, 8), ()))
    np.testing.assert_allclose(numbers(stated), numbers(unstated), atol=1e-5)


def numbers(answer):
    """The probabilities of an answer, or the values of its maps."""
    if isinstance(answer, pb.PredictResponse):
        return [prediction.confidence.up for prediction in answer.predictions]
    return [list(result.explanation.heatmap.values) for result in answer.results]


def test_the_client_states_the_shape_of_its_arrays(market):
    with Client(market.address) as client:
        assert len(client.predict(windows=VALUES)) == 2
        for wrong in (VALUES[0].T, VALUES[0].reshape(3, 16), VALUES.transpose(0, 2, 1)):
            with pytest.raises(InvalidRequestError, match=r"input\.windows\.shape: must be \(6, 8\)"):
                client.predict(windows=wrong)
            with pytest.raises(InvalidRequestError, match=r"input\.windows\.shape: must be \(6, 8\)"):
                client.explain(windows=wrong, quality="full")
