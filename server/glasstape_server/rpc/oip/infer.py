"""ModelInfer requests and responses as domain values. What `table` does not list is refused by name."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from glasstape_server.domain.errors import InvalidArgument
from glasstape_server.domain.signals import Confidence
from glasstape_server.models.model import Model
from glasstape_server.rpc.oip import open_inference_pb2 as oip
from glasstape_server.rpc.oip.table import INPUT, OUTPUT, PARAMETERS, TIMEOUT
from glasstape_server.serving.items import check_count
from glasstape_server.serving.requests import Windows

_SHOWN = 48
"""Characters of a caller's name in a message."""


@dataclass(frozen=True, slots=True)
class InferRequest:
    """A checked request."""

    windows: Windows
    raw: bool
    """The values came as raw bytes, and so does the answer."""
    timeout: float | None
    """Seconds; None: no timeout."""


def infer_request_from(request: oip.ModelInferRequest, model: Model) -> InferRequest:
    """Return the windows of a request and the form of its answer.

    Raises:
        InvalidArgument: the request has an input, output, parameter, datatype, shape or size that is not served.
    """
    timeout = _timeout_from(request.parameters)
    _check_outputs(request.outputs)
    if len(request.inputs) != 1 or request.inputs[0].name != INPUT.name:
        names = [tensor.name[:_SHOWN] for tensor in request.inputs[:4]]
        raise InvalidArgument.field("inputs", f"must be one tensor named {INPUT.name!r}, are {names}")
    tensor = request.inputs[0]
    _check_parameters("inputs[0].parameters", tensor.parameters, ())
    count = _count(tensor, model)
    filled = [field.name for field, _ in tensor.contents.ListFields()]
    foreign = [name for name in filled if name != INPUT.contents]
    if foreign:
        rule = f"must be empty: {INPUT.datatype} values are in {INPUT.contents}"
        raise InvalidArgument.field(f"inputs[0].contents.{foreign[0]}", rule)
    if len(request.raw_input_contents) > 1:
        raise InvalidArgument.field(
            "raw_input_contents", f"must be one, for {INPUT.name!r}, are {len(request.raw_input_contents)}"
        )
    raw = bool(request.raw_input_contents)
    if raw == bool(filled):
        state = "both are set" if raw else "neither is set"
        raise InvalidArgument.field(
            "inputs[0]", f"must come as raw_input_contents or {INPUT.contents}, {state}"
        )
    data = _raw(request, model, count) if raw else _typed(tensor, model, count)
    return InferRequest(Windows(count, data), raw, timeout)


def infer_response_to(
    request: oip.ModelInferRequest, model: Model, confidences: Sequence[Confidence], *, raw: bool
) -> oip.ModelInferResponse:
    """Return the response, raw or typed."""
    rows = np.array([(each.down, each.flat, each.up) for each in confidences], dtype="<f8")
    output = oip.ModelInferResponse.InferOutputTensor(
        name=OUTPUT.name, datatype=OUTPUT.datatype, shape=rows.shape
    )
    response = oip.ModelInferResponse(
        model_name=model.ref.name, model_version=model.ref.version, id=request.id, outputs=[output]
    )
    if raw:
        response.raw_output_contents.append(rows.tobytes())
    else:
        response.outputs[0].contents.fp64_contents.extend(rows.ravel().tolist())
    return response


def _timeout_from(parameters: Mapping[str, oip.InferParameter]) -> float | None:
    _check_parameters("parameters", parameters, [parameter.name for parameter in PARAMETERS])
    for known in PARAMETERS:
        kind = (
            parameters[known.name].WhichOneof("parameter_choice") if known.name in parameters else known.kind
        )
        if kind != known.kind:
            rule = f"must be of type {known.kind}, is {kind or 'empty'}"
            raise InvalidArgument.field(f"parameters[{known.name!r}]", rule)
    timeout = parameters[TIMEOUT.name].int64_param if TIMEOUT.name in parameters else 0
    if timeout < 0:
        rule = f"must be at least 0 microseconds, is {timeout}"
        raise InvalidArgument.field(f"parameters[{TIMEOUT.name!r}]", rule)
    return timeout / 1e6 or None


def _check_outputs(
    outputs: Iterable[oip.ModelInferRequest.InferRequestedOutputTensor],
) -> None:
    for place, output in enumerate(outputs):
        if output.name != OUTPUT.name:
            rule = f"must be {OUTPUT.name!r}, is {output.name[:_SHOWN]!r}"
            raise InvalidArgument.field(f"outputs[{place}].name", rule)
        if place:
            raise InvalidArgument.field(f"outputs[{place}].name", f"{OUTPUT.name!r} is requested twice")
        _check_parameters(f"outputs[{place}].parameters", output.parameters, ())


def _check_parameters(
    field: str, parameters: Mapping[str, oip.InferParameter], accepted: Sequence[str]
) -> None:
    unknown = sorted(set(parameters) - set(accepted))
    if unknown:
        raise InvalidArgument.field(
            f"{field}[{unknown[0][:_SHOWN]!r}]",
            f"is not supported; supported: {', '.join(accepted) or 'none'}",
        )


def _count(tensor: oip.ModelInferRequest.InferInputTensor, model: Model) -> int:
    """Return the number of windows of a tensor of the right datatype and shape."""
    shape = list(tensor.shape)
    if tensor.datatype != INPUT.datatype:
        raise InvalidArgument.field(
            "inputs[0].datatype", f"must be {INPUT.datatype}, is {tensor.datatype[:_SHOWN]!r}"
        )
    if len(shape) != 3 or tuple(shape[1:]) != model.window_shape or shape[0] < 0:
        expected = f"[n, {model.window_shape[0]}, {model.window_shape[1]}]"
        raise InvalidArgument.field("inputs[0].shape", f"must be {expected}, is {shape[:8]}")
    check_count("inputs[0].shape[0]", shape[0])
    return shape[0]


def _raw(request: oip.ModelInferRequest, model: Model, count: int) -> bytes:
    data, (steps, width) = request.raw_input_contents[0], model.window_shape
    expected = count * steps * width * 4
    if len(data) != expected:
        rule = f"{len(data)} bytes, expected {count} x {steps} x {width} x 4 = {expected}"
        raise InvalidArgument.field("raw_input_contents[0]", rule)
    return data


def _typed(tensor: oip.ModelInferRequest.InferInputTensor, model: Model, count: int) -> bytes:
    values, (steps, width) = tensor.contents.fp32_contents, model.window_shape
    expected = count * steps * width
    if len(values) != expected:
        rule = f"{len(values)} values, expected {count} x {steps} x {width} = {expected}"
        raise InvalidArgument.field(f"inputs[0].contents.{INPUT.contents}", rule)
    return np.array(values, dtype="<f4").tobytes()
