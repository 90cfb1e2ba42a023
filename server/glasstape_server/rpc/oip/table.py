"""What the Open Inference Protocol facade understands, in tables; docs/reference/open_inference.md shows them."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Tensor:
    """One input or output of every model."""

    name: str
    datatype: str
    shape: str
    """Dimensions in words; n is the number of windows of a call."""
    contents: str
    """Field of `InferTensorContents` for values that do not travel as raw bytes."""
    text: str
    """Meaning and unit."""


@dataclass(frozen=True, slots=True)
class Parameter:
    """A parameter that a request may carry."""

    name: str
    kind: str
    """Field of `InferParameter`."""
    text: str
    """Meaning, unit and range."""


INPUT = Tensor(
    "windows",
    "FP32",
    "[n, time, feature]",
    "fp32_contents",
    "n windows, oldest bar first, features in the order of `GetModel.features`. Finite, within ±1e6.",
)
OUTPUT = Tensor(
    "confidences",
    "FP64",
    "[n, 3]",
    "fp64_contents",
    "Calibrated probabilities of down, flat and up for each window; each row sums to 1.",
)
TIMEOUT = Parameter(
    "timeout", "int64_param", "Microseconds after which the call ends with DEADLINE_EXCEEDED; 0: no timeout."
)
FINAL_RESPONSE = Parameter(
    "triton_enable_empty_final_response",
    "bool_param",
    "Sent by Triton's load generator. It concerns models with several responses to a call; here each call has one.",
)
PARAMETERS = (TIMEOUT, FINAL_RESPONSE)
"""Parameters of a request. Inputs and requested outputs have none."""

UNSUPPORTED: dict[str, tuple[str, ...]] = {
    "parameters": (
        "sequence_id", "sequence_start", "sequence_end", "priority", "binary_data_output", "headers",
    ),
    "inputs[0].parameters": (
        "shared_memory_region", "shared_memory_offset", "shared_memory_byte_size", "binary_data_size", "content_type",
    ),
    "outputs[0].parameters": (
        "classification", "shared_memory_region", "shared_memory_offset", "shared_memory_byte_size", "binary_data",
    ),
}  # fmt: skip
"""Parameters of other servers, by their place in a request. They are refused by name, as is every other parameter."""

METHODS: dict[str, str] = {
    "ServerLive": "Returns true.",
    "ServerReady": 'Returns the health of the server ("" of `grpc.health.v1`).',
    "ModelReady": "Returns whether the version exists and its model is serving.",
    "ServerMetadata": "Returns name, version and extensions.",
    "ModelMetadata": "Returns the versions, inputs and outputs of a model.",
    "ModelInfer": "Predicts. One invalid window fails the call: the protocol has no errors of single rows.",
    "ModelConfig": "Returns inputs, outputs and `max_batch_size`, the most windows of a call.",
    "ModelStatistics": "Returns counts and times of the ModelInfer calls since the server started, by version. "
    "`execution_count` counts calls; the engine may compute several at once.",
    "RepositoryIndex": "Lists the versions on disk: READY, or UNAVAILABLE with the reason.",
}
"""Methods that are served. Every other method of Triton's service is UNIMPLEMENTED."""
