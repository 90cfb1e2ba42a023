"""How each peer is installed, started and called."""

import base64
import json
import os
import shutil
import struct
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from glasstape_server.rpc.oip import open_inference_pb2 as oip

from benchmarks.peers.environments import packages_of

SERVERS = Path(__file__).with_name("servers")
OPEN_INFERENCE = "/inference.GRPCInferenceService/ModelInfer"
MODEL = "windows"


@dataclass(frozen=True)
class Start:
    """Command line, environment and working directory of a peer."""

    command: Sequence[str]
    environment: Mapping[str, str] = field(default_factory=dict)
    cwd: Path | None = None


@dataclass(frozen=True)
class Endpoint:
    """How a peer is called."""

    path: str
    message: Callable[[np.ndarray], bytes]
    """A call with windows float32 (n, time, feature)."""
    answer: Callable[[bytes], np.ndarray]
    """Logits or maps, float32, of an answer; any shape."""
    http: str = ""
    """The content type where it is HTTP/1.1; empty: gRPC."""


@dataclass(frozen=True)
class Peer:
    """Another server."""

    name: str
    requirements: tuple[str, ...]
    start: Callable[[Path, Sequence[int], Path], Start]
    """Takes its Python, free ports (the first is called) and an empty folder."""
    predict: Endpoint
    explain: Endpoint | None = None
    """Called on the second port."""


def _open_inference(windows: np.ndarray) -> bytes:
    request = oip.ModelInferRequest(model_name=MODEL)
    request.inputs.add(name="windows", datatype="FP32", shape=windows.shape)
    request.raw_input_contents.append(windows.tobytes())
    return request.SerializeToString()


def _open_inference_answer(data: bytes) -> np.ndarray:
    response = oip.ModelInferResponse.FromString(data)
    if response.raw_output_contents:
        return np.frombuffer(response.raw_output_contents[0], "<f4")
    return np.array(response.outputs[0].contents.fp32_contents, "<f4")


def _torchserve_message(windows: np.ndarray) -> bytes:
    """PredictionsRequest{model_name = 1, input: map<string, bytes> = 3} of TorchServe's inference.proto."""
    entry = _field(1, b"data") + _field(2, windows.tobytes())
    return _field(1, MODEL.encode()) + _field(3, entry)


def _torchserve_answer(data: bytes) -> np.ndarray:
    """PredictionResponse{prediction: bytes = 1}."""
    at, length, shift = 1, 0, 0
    while True:
        length |= (data[at] & 0x7F) << shift
        at, shift = at + 1, shift + 7
        if not data[at - 1] & 0x80:
            return np.frombuffer(data[at : at + length], "<f4")


def _field(number: int, value: bytes) -> bytes:
    """A length-delimited field of a protobuf message."""
    size, length = bytearray(), len(value)
    while length > 0x7F:
        size.append(length & 0x7F | 0x80)
        length >>= 7
    return struct.pack("B", number << 3 | 2) + bytes(size) + struct.pack("B", length) + value


def _base64_message(windows: np.ndarray) -> bytes:
    return json.dumps({"windows": base64.b64encode(windows.tobytes()).decode()}).encode()


def _base64_answer(data: bytes) -> np.ndarray:
    return np.frombuffer(base64.b64decode(json.loads(data)["logits"]), "<f4")


def _maps(data: bytes) -> np.ndarray:
    return np.array(json.loads(data), "<f4").ravel()


def _plain(data: bytes) -> np.ndarray:
    return np.frombuffer(data, "<f4")


def _litserve(python: Path, ports: Sequence[int], folder: Path) -> Start:
    return Start([str(python), str(SERVERS / "litserve_server.py"), str(ports[0])])


def _ray(python: Path, ports: Sequence[int], folder: Path) -> Start:
    return Start(
        [str(python), str(SERVERS / "ray_server.py"), str(ports[0])], {"RAY_USAGE_STATS_ENABLED": "0"}
    )


def _mlserver(python: Path, ports: Sequence[int], folder: Path) -> Start:
    for file in ("network.py", "mlserver_windows.py"):
        shutil.copy(SERVERS / file, folder)
    settings = {
        "host": "127.0.0.1",
        "grpc_port": ports[0],
        "http_port": ports[1],
        "metrics_port": ports[2],
        "parallel_workers": 0,
        "grpc_max_message_length": 16 << 20,
    }
    model = {
        "name": MODEL,
        "implementation": "mlserver_windows.Windows",
        "max_batch_size": 64,
        "max_batch_time": 0.001,
    }
    (folder / "settings.json").write_text(json.dumps(settings))
    (folder / "model-settings.json").write_text(json.dumps(model))
    return Start([str(python.parent / "mlserver"), "start", str(folder)], {"PYTHONPATH": str(folder)}, folder)


def _torchserve(python: Path, ports: Sequence[int], folder: Path) -> Start:
    model = folder / "store" / MODEL
    (model / "MAR-INF").mkdir(parents=True)
    for file in ("network.py", "torchserve_windows.py"):
        shutil.copy(SERVERS / file, model)
    manifest = {"modelName": MODEL, "modelVersion": "1.0", "handler": "torchserve_windows.py"}
    (model / "MAR-INF" / "MANIFEST.json").write_text(
        json.dumps({"runtime": "python", "model": manifest, "archiverVersion": "0.12.0"})
    )
    limits = {"minWorkers": 1, "maxWorkers": 1, "batchSize": 64, "maxBatchDelay": 1, "responseTimeout": 120}
    described = {MODEL: {"1.0": {"defaultVersion": True, "marName": MODEL, **limits}}}
    lines = {
        "inference_address": f"http://127.0.0.1:{ports[1]}",
        "management_address": f"http://127.0.0.1:{ports[2]}",
        "metrics_address": f"http://127.0.0.1:{ports[3]}",
        "grpc_inference_port": ports[0],
        "grpc_management_port": ports[4],
        "default_workers_per_model": 1,
        "load_models": MODEL,
        "models": json.dumps(described),
        "disable_system_metrics": "true",
        "max_request_size": 16 << 20,
        "max_response_size": 16 << 20,
    }
    (folder / "config").write_text("".join(f"{key}={value}\n" for key, value in lines.items()))
    command = [str(python.parent / "torchserve"), "--start", "--foreground", "--disable-token-auth", "--ncs"]
    command += ["--model-store", str(folder / "store"), "--ts-config", str(folder / "config")]
    (folder / "log4j2.xml").write_text(_ERRORS_ALONE)
    command += ["--log-config", str(folder / "log4j2.xml")]
    path = f"{python.parent}{os.pathsep}{os.environ.get('PATH', '')}"
    return Start(
        command, {"PATH": path, "LOG_LOCATION": str(folder), "METRICS_LOCATION": str(folder)}, folder
    )


_ERRORS_ALONE = """<Configuration>
<Appenders><Console name="out"><PatternLayout pattern="%c %m%n"/></Console></Appenders>
<Loggers><Root level="error"><AppenderRef ref="out"/></Root></Loggers></Configuration>"""
"""The default writes a line per call, which would dominate the measurement."""


def _triton(python: Path, ports: Sequence[int], folder: Path) -> Start:
    packages = packages_of(python)
    root = folder / "triton"
    shutil.copytree(packages / "pytriton" / "tritonserver" / "backends", root / "backends")
    stubs = packages / "pytriton" / "tritonserver" / "python_backend_stubs"
    version = packages.parent.name.removeprefix("python")
    shutil.copy(stubs / version / "triton_python_backend_stub", root / "backends" / "python")
    model = root / "models" / MODEL
    (model / "1").mkdir(parents=True)
    shutil.copy(SERVERS / "triton_windows.py", model / "1" / "model.py")
    shutil.copy(SERVERS / "network.py", model / "1")
    (model / "config.pbtxt").write_text(
        f'name: "{MODEL}"\nbackend: "python"\nmax_batch_size: 16384\ndynamic_batching {{}}\n'
        'input [{name: "windows" data_type: TYPE_FP32 dims: [6, 8]}]\n'
        'output [{name: "logits" data_type: TYPE_FP32 dims: [3]}]\n'
        "instance_group [{count: 1 kind: KIND_CPU}]\n"
    )
    command = [str(packages / "pytriton" / "tritonserver" / "bin" / "tritonserver")]
    command += [f"--model-repository={root / 'models'}", f"--backend-directory={root / 'backends'}"]
    command += [f"--grpc-port={ports[0]}", f"--http-port={ports[1]}", f"--metrics-port={ports[2]}"]
    command += ["--grpc-address=127.0.0.1", "--http-address=127.0.0.1", "--log-info=false"]
    search = {
        "PYTHONPATH": str(packages),
        "LD_LIBRARY_PATH": str(packages / "nvidia_pytriton.libs"),
        "PATH": f"{python.parent}{os.pathsep}{os.environ.get('PATH', '')}",
    }
    return Start(command, search)


_OPEN_INFERENCE = Endpoint(OPEN_INFERENCE, _open_inference, _open_inference_answer)
_TORCHSERVE = Endpoint(
    "/org.pytorch.serve.grpc.inference.InferenceAPIsService/Predictions",
    _torchserve_message,
    _torchserve_answer,
)

PEERS: dict[str, Peer] = {
    peer.name: peer
    for peer in (
        Peer("triton", ("nvidia-pytriton==0.7.0",), _triton, _OPEN_INFERENCE),
        Peer(
            "torchserve",
            ("torchserve==0.12.0", "captum==0.9.0", "numpy==2.4.6", "psutil==7.2.2", "PyYAML==6.0.3"),
            _torchserve,
            _TORCHSERVE,
            Endpoint(f"/explanations/{MODEL}", np.ndarray.tobytes, _maps, "application/octet-stream"),
        ),
        Peer("mlserver", ("mlserver==1.7.1",), _mlserver, _OPEN_INFERENCE),
        Peer(
            "litserve",
            ("litserve==0.2.19", "numpy==2.4.6"),
            _litserve,
            Endpoint("/predict", _base64_message, _base64_answer, "application/json"),
        ),
        Peer(
            "ray",
            ("ray[serve]==2.60.0",),
            _ray,
            Endpoint("/", np.ndarray.tobytes, _plain, "application/octet-stream"),
        ),
    )
}
"""The peers, by name."""
