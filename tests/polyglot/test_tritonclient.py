"""An unmodified Triton client against the Open Inference Protocol facade.

Optional: GLASSTAPE_TRITON_PYTHON names a Python with `tritonclient[grpc]` (an environment of its own: it needs
protobuf below 7).
"""

import json
import os
import subprocess

import numpy as np
import pytest

PYTHON = os.environ.get("GLASSTAPE_TRITON_PYTHON", "")

SCRIPT = """
import json, sys
import numpy as np
from tritonclient.grpc import InferenceServerClient, InferInput
windows = np.array(json.loads(sys.argv[2]), dtype=np.float32)
tensor = InferInput("windows", list(windows.shape), "FP32")
tensor.set_data_from_numpy(windows)
client = InferenceServerClient(sys.argv[1])
assert client.is_server_live() and client.is_server_ready() and client.is_model_ready("sample-conv1d")
print(json.dumps(client.infer("sample-conv1d", [tensor]).as_numpy("confidences").tolist()))
"""


@pytest.mark.skipif(not PYTHON, reason="GLASSTAPE_TRITON_PYTHON is not set")
def test_an_unmodified_triton_client_gets_predicts_probabilities(market):
    windows = np.random.default_rng(5).normal(size=(4, 6, 8)).astype(np.float32)
    command = [PYTHON, "-c", SCRIPT, market.address, json.dumps(windows.tolist())]
    theirs = json.loads(subprocess.run(command, capture_output=True, text=True, check=True).stdout)
    ours = [
        (p.confidence.down, p.confidence.flat, p.confidence.up)
        for p in market.client.predict(windows=windows)
    ]
    assert theirs == [list(row) for row in ours]
