"""The Open Inference Protocol (KServe, Triton) as a facade over Predict.

Input "windows" FP32 [n, time, feature], raw or as fp32_contents; output "confidences" FP64 [n, 3]
for down, flat, up: the calibrated probabilities of Predict, bit for bit.
"""

from collections.abc import Callable

import numpy as np

from glasstape_server import __version__
from glasstape_server.domain.errors import GlasstapeError, InvalidArgument
from glasstape_server.models.model import Model
from glasstape_server.models.repository import Repository
from glasstape_server.rpc.handlers import Context, call_from, translate_errors
from glasstape_server.rpc.oip import open_inference_pb2 as oip
from glasstape_server.rpc.oip import open_inference_pb2_grpc as oip_grpc
from glasstape_server.serving.inference import Inference
from glasstape_server.serving.items import check_count
from glasstape_server.serving.requests import PredictRequest, Windows

INPUT = "windows"
OUTPUT = "confidences"


class OpenInferenceServicer(oip_grpc.GRPCInferenceServiceServicer):
    """The gRPC adapter."""

    def __init__(self, inference: Inference, repository: Repository, serves: Callable[[str], bool]) -> None:
        """Make a servicer.

        Args:
            inference: predicts.
            repository: models.
            serves: whether a service or model is SERVING; "" is the server.
        """
        self._inference = inference
        self._repository = repository
        self._serves = serves

    @translate_errors
    async def ServerLive(self, request: oip.ServerLiveRequest, context: Context) -> oip.ServerLiveResponse:
        """Return true: a server that answers is live."""
        return oip.ServerLiveResponse(live=True)

    @translate_errors
    async def ServerReady(self, request: oip.ServerReadyRequest, context: Context) -> oip.ServerReadyResponse:
        """Return the state of `grpc.health.v1`."""
        return oip.ServerReadyResponse(ready=self._serves(""))

    @translate_errors
    async def ModelReady(self, request: oip.ModelReadyRequest, context: Context) -> oip.ModelReadyResponse:
        """Return whether the version exists and its model is SERVING."""
        try:
            model = self._find(request.name, request.version)
        except GlasstapeError:
            return oip.ModelReadyResponse(ready=False)
        return oip.ModelReadyResponse(ready=self._serves(model.ref.name))

    @translate_errors
    async def ServerMetadata(
        self, request: oip.ServerMetadataRequest, context: Context
    ) -> oip.ServerMetadataResponse:
        """Return name and version."""
        return oip.ServerMetadataResponse(name="glasstape", version=__version__)

    @translate_errors
    async def ModelMetadata(
        self, request: oip.ModelMetadataRequest, context: Context
    ) -> oip.ModelMetadataResponse:
        """Return inputs and outputs of a model."""
        model = self._find(request.name, request.version)
        tensor = oip.ModelMetadataResponse.TensorMetadata
        return oip.ModelMetadataResponse(
            name=model.ref.name,
            versions=[m.ref.version for m in self._repository.models() if m.ref.name == model.ref.name],
            platform="glasstape_pytorch",
            inputs=[tensor(name=INPUT, datatype="FP32", shape=[-1, *model.window_shape])],
            outputs=[tensor(name=OUTPUT, datatype="FP64", shape=[-1, 3])],
        )

    @translate_errors
    async def ModelInfer(self, request: oip.ModelInferRequest, context: Context) -> oip.ModelInferResponse:
        """Predict. The protocol has no errors for single rows, so that one bad row fails the call."""
        model = self._find(request.model_name, request.model_version)
        count, data = _windows(request, model)
        predict = PredictRequest(Windows(count, data), f"{model.ref.name}@{model.ref.version}")
        predictions = await self._inference.predict(predict, call_from(context))
        rows = []
        for item, confidence in zip(predictions.items, predictions.confidences, strict=True):
            if confidence is None:
                assert item.error is not None  # an item without a prediction has an error
                raise InvalidArgument.field(INPUT, item.error.message)
            rows.append((confidence.down, confidence.flat, confidence.up))
        output = oip.ModelInferResponse.InferOutputTensor(name=OUTPUT, datatype="FP64", shape=[len(rows), 3])
        return oip.ModelInferResponse(
            model_name=model.ref.name,
            model_version=model.ref.version,
            id=request.id,
            outputs=[output],
            raw_output_contents=[np.array(rows, dtype="<f8").tobytes()],
        )

    def _find(self, name: str, version: str) -> Model:
        return self._repository.get(f"{name}@{version}" if version else name)


def _windows(request: oip.ModelInferRequest, model: Model) -> tuple[int, bytes]:
    if len(request.inputs) != 1 or request.inputs[0].name != INPUT:
        names = [tensor.name[:32] for tensor in request.inputs[:4]]
        raise InvalidArgument.field("inputs", f"must be one tensor named {INPUT!r}, are {names}")
    tensor = request.inputs[0]
    shape = list(tensor.shape)
    if tensor.datatype != "FP32":
        raise InvalidArgument.field("inputs[0].datatype", f"must be FP32, is {tensor.datatype[:16]!r}")
    if len(shape) != 3 or tuple(shape[1:]) != model.window_shape or shape[0] < 0:
        expected = f"[n, {model.window_shape[0]}, {model.window_shape[1]}]"
        raise InvalidArgument.field("inputs[0].shape", f"must be {expected}, is {shape[:8]}")
    check_count("inputs[0].shape[0]", shape[0])
    if bool(request.raw_input_contents) == bool(tensor.contents.fp32_contents):
        raise InvalidArgument.field("inputs[0]", "must come as raw_input_contents or as fp32_contents")
    if request.raw_input_contents:
        return shape[0], request.raw_input_contents[0]
    return shape[0], np.array(tensor.contents.fp32_contents, dtype="<f4").tobytes()
