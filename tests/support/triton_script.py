"""A program of an unmodified Triton client; prints one JSON object. Arguments: address, windows as JSON.

A program of its own, since Triton's stubs and the facade's declare the same names in protobuf's one pool.
"""

import json
import sys
import threading

import numpy as np
from tritonclient.grpc import InferenceServerClient, InferInput, InferRequestedOutput
from tritonclient.utils import InferenceServerException

MODEL = "sample-conv1d"
CALLS, AT_ONCE = 200, 16
"""Calls of the load generator, and those in progress at a time."""


def main(address: str, windows: np.ndarray) -> dict[str, object]:
    """Return what the client got."""
    tensor = InferInput("windows", list(windows.shape), "FP32")
    tensor.set_data_from_numpy(windows)
    client = InferenceServerClient(address)
    results = {
        "plain": client.infer(MODEL, [tensor], request_id="7"),
        "output": client.infer(MODEL, [tensor], outputs=[InferRequestedOutput("confidences")]),
        "gzip": client.infer(MODEL, [tensor], compression_algorithm="gzip"),
        "timeout": client.infer(MODEL, [tensor], timeout=20_000_000),
    }
    completed = load(client, tensor)
    return {
        "live": [client.is_server_live(), client.is_server_ready(), client.is_model_ready(MODEL)],
        "confidences": {name: result.as_numpy("confidences").tolist() for name, result in results.items()},
        "id": results["plain"].get_response().id,
        "refused": {name: refusal(call) for name, call in refused_calls(client, tensor).items()},
        "completed": completed,
        "extensions": list(client.get_server_metadata().extensions),
        "metadata": client.get_model_metadata(MODEL, as_json=True),
        "config": client.get_model_config(MODEL, as_json=True)["config"],
        "statistics": client.get_inference_statistics(MODEL, as_json=True)["model_stats"][0],
        "index": client.get_model_repository_index(as_json=True)["models"],
    }


def refused_calls(client, tensor):
    """Return calls that ask for what is not served."""
    shared = InferRequestedOutput("confidences")
    shared.set_shared_memory("region", 24)
    elsewhere = InferInput("windows", [1, 6, 8], "FP32")
    elsewhere.set_shared_memory("region", 192)
    outputs = {
        "unknown output": [InferRequestedOutput("probs")],
        "classification": [InferRequestedOutput("confidences", class_count=1)],
        "shared output": [shared],
    }
    calls = {name: lambda o=o: client.infer(MODEL, [tensor], outputs=o) for name, o in outputs.items()}
    return {
        **calls,
        "shared input": lambda: client.infer(MODEL, [elsewhere]),
        "sequence": lambda: client.infer(MODEL, [tensor], sequence_id=7, sequence_start=True),
        "priority": lambda: client.infer(MODEL, [tensor], priority=1),
        "parameter": lambda: client.infer(MODEL, [tensor], parameters={"foo": 1}),
    }


def refusal(call):
    """Return status and message of a call that must fail."""
    try:
        call()
    except InferenceServerException as error:
        return [error.status(), error.message()]
    raise AssertionError("the call succeeded")


def load(client, tensor):
    """Keep calls in progress as a load generator does; return how many completed."""
    free, completed, finished = threading.Semaphore(AT_ONCE), [], threading.Event()

    def received(result, error):
        free.release()
        completed.append(error or result.as_numpy("confidences").shape)
        if len(completed) == CALLS:
            finished.set()

    for _ in range(CALLS):
        free.acquire()
        client.async_infer(MODEL, [tensor], received)
    assert finished.wait(60)
    return sum(shape == (4, 3) for shape in completed)


if __name__ == "__main__":
    print(json.dumps(main(sys.argv[1], np.array(json.loads(sys.argv[2]), dtype=np.float32))))
