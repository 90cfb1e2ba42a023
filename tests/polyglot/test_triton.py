"""Unmodified Triton clients against the Open Inference Protocol facade, on both wires.

Optional: GLASSTAPE_PERF_ANALYZER is the path of Triton's load generator, where `perf_analyzer` is not on the path.
"""

import importlib.util
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

SCRIPT = Path(__file__).resolve().parents[1] / "support/triton_script.py"
PERF_ANALYZER = os.environ.get("GLASSTAPE_PERF_ANALYZER") or shutil.which("perf_analyzer")
WINDOWS = np.random.default_rng(5).normal(size=(4, 6, 8)).astype(np.float32)
REFUSED = {
    "unknown output": "outputs[0].name: must be 'confidences', is 'probs'",
    "classification": "outputs[0].parameters['classification']: is not supported",
    "shared output": "outputs[0].parameters['shared_memory_byte_size']: is not supported",
    "shared input": "inputs[0].parameters['shared_memory_byte_size']: is not supported",
    "sequence": "parameters['sequence_end']: is not supported",
    "priority": "parameters['priority']: is not supported",
    "parameter": "parameters['foo']: is not supported",
}


@pytest.fixture(scope="module")
def found(market):
    """What the client got."""
    if importlib.util.find_spec("tritonclient") is None:
        pytest.skip("tritonclient is not installed")
    command = [sys.executable, SCRIPT, market.address, json.dumps(WINDOWS.tolist())]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_it_gets_predicts_probabilities_in_every_way_of_asking(found, market):
    assert found["live"] == [True, True, True]
    confidences = [prediction.confidence for prediction in market.client.predict(windows=WINDOWS)]
    expected = [[each.down, each.flat, each.up] for each in confidences]
    assert found["confidences"] == dict.fromkeys(("plain", "output", "gzip", "timeout"), expected)
    assert found["id"] == "7"


def test_it_is_told_what_is_not_served(found):
    assert set(found["refused"]) == set(REFUSED)
    for name, (status, message) in found["refused"].items():
        assert status == "StatusCode.INVALID_ARGUMENT", name
        assert message.startswith(REFUSED[name]), message


def test_it_reads_configuration_statistics_and_index(found):
    assert found["extensions"] == ["model_configuration", "statistics"]
    assert found["metadata"]["inputs"][0]["shape"] == ["-1", "6", "8"]
    config = found["config"]
    assert (config["name"], config["max_batch_size"]) == ("sample-conv1d", 16_384)
    assert config["input"] == [{"name": "windows", "data_type": "TYPE_FP32", "dims": ["6", "8"]}]
    assert config["output"] == [{"name": "confidences", "data_type": "TYPE_FP64", "dims": ["3"]}]
    assert [(m["name"], m["version"], m["state"]) for m in found["index"]] == [
        ("sample-conv1d", "1", "READY")
    ]


def test_a_load_of_concurrent_calls_completes_and_is_counted(found):
    assert found["completed"] == 200
    assert int(found["statistics"]["execution_count"]) >= 204
    assert int(found["statistics"]["inference_count"]) >= 4 * 204


@pytest.mark.skipif(PERF_ANALYZER is None, reason="perf_analyzer is not installed")
def test_perf_analyzer_measures(market):
    options = ["-m", "sample-conv1d", "-u", market.address, "-i", "grpc", "--input-data", "zero"]
    options += ["--measurement-mode", "count_windows", "--measurement-request-count", "50", "-s", "1000"]
    done = subprocess.run([str(PERF_ANALYZER), *options], capture_output=True, text=True, timeout=120)
    assert "Successful request count" in done.stdout, done.stdout + done.stderr
