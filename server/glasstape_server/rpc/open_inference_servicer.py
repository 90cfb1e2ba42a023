"""The Open Inference Protocol (KServe, Triton) as a facade over Predict.

`oip.table` lists what it understands; docs/reference/open_inference.md is generated from it.
"""

import time
from collections.abc import Callable

from glasstape_server import __version__
from glasstape_server.domain.calls import Call
from glasstape_server.domain.errors import GlasstapeError, InvalidArgument, NotFound
from glasstape_server.domain.signals import Confidence
from glasstape_server.models.model import Model
from glasstape_server.models.repository import Repository
from glasstape_server.rpc.handlers import Context, call_from, translate_errors
from glasstape_server.rpc.oip import open_inference_pb2 as oip
from glasstape_server.rpc.oip import open_inference_pb2_grpc as oip_grpc
from glasstape_server.rpc.oip.infer import infer_request_from, infer_response_to
from glasstape_server.rpc.oip.models import config_to, index_to, metadata_to
from glasstape_server.rpc.oip.statistics import CallTimes, InferStatistics
from glasstape_server.rpc.oip.table import INPUT
from glasstape_server.serving.inference import Inference, Predictions
from glasstape_server.serving.requests import PredictRequest

EXTENSIONS = ("model_configuration", "statistics")
"""Triton's extensions that are served."""


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
        self._statistics = InferStatistics()

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
            model = self._find("name", request.name, request.version)
        except NotFound:
            return oip.ModelReadyResponse(ready=False)
        return oip.ModelReadyResponse(ready=self._serves(model.ref.name))

    @translate_errors
    async def ServerMetadata(
        self, request: oip.ServerMetadataRequest, context: Context
    ) -> oip.ServerMetadataResponse:
        """Return name, version and extensions."""
        return oip.ServerMetadataResponse(name="glasstape", version=__version__, extensions=EXTENSIONS)

    @translate_errors
    async def ModelMetadata(
        self, request: oip.ModelMetadataRequest, context: Context
    ) -> oip.ModelMetadataResponse:
        """Return inputs and outputs of a model."""
        model = self._find("name", request.name, request.version)
        return metadata_to(model, [m.ref.version for m in self._versions(model.ref.name, "")])

    @translate_errors
    async def ModelConfig(self, request: oip.ModelConfigRequest, context: Context) -> oip.ModelConfigResponse:
        """Return the configuration of a model."""
        model = self._find("name", request.name, request.version)
        return oip.ModelConfigResponse(config=config_to(model))

    @translate_errors
    async def ModelStatistics(
        self, request: oip.ModelStatisticsRequest, context: Context
    ) -> oip.ModelStatisticsResponse:
        """Return the statistics of ModelInfer: of a version, of every version of a name, or of every model."""
        if request.name:
            self._find("name", request.name, request.version)
        elif request.version:
            raise InvalidArgument.field("version", f"needs a name, is {request.version[:48]!r}")
        versions = self._versions(request.name, request.version)
        return oip.ModelStatisticsResponse(model_stats=[self._statistics.message(m.ref) for m in versions])

    @translate_errors
    async def RepositoryIndex(
        self, request: oip.RepositoryIndexRequest, context: Context
    ) -> oip.RepositoryIndexResponse:
        """Return the versions on disk."""
        if request.repository_name:
            name = request.repository_name[:48]
            raise InvalidArgument.field("repository_name", f"must be empty: there is one, is {name!r}")
        repository = self._repository
        return index_to(repository.models(), repository.refusals(), ready_only=request.ready)

    @translate_errors
    async def ModelInfer(self, request: oip.ModelInferRequest, context: Context) -> oip.ModelInferResponse:
        """Predict. The protocol has no errors for single rows, so that one bad row fails the call.

        Raises:
            GlasstapeError: the request is invalid, or its windows could not be predicted.
        """
        model = self._find("model_name", request.model_name, request.model_version)
        begun = time.perf_counter()
        try:
            return await self._infer(request, model, call_from(context), begun)
        except GlasstapeError:
            self._statistics.failed(model.ref, time.perf_counter() - begun)
            raise

    async def _infer(
        self, request: oip.ModelInferRequest, model: Model, call: Call, begun: float
    ) -> oip.ModelInferResponse:
        checked = infer_request_from(request, model)
        if checked.timeout is not None:
            end = time.monotonic() + checked.timeout
            call.deadline = end if call.deadline is None else min(call.deadline, end)
        converted = time.perf_counter()
        predict = PredictRequest(checked.windows, f"{model.ref.name}@{model.ref.version}")
        predictions = await self._inference.predict(predict, call)
        computed = time.perf_counter()
        response = infer_response_to(request, model, _confidences(predictions), raw=checked.raw)
        end, timing = time.perf_counter(), predictions.timing
        times = CallTimes(converted - begun, timing.queue, timing.compute, end - computed, end - begun)
        self._statistics.succeeded(model.ref, checked.windows.count, times)
        return response

    def _find(self, field: str, name: str, version: str) -> Model:
        """Return a version by name and version; without a version, the newest.

        Raises:
            InvalidArgument: no name is given.
            NotFound: no ready version matches.
        """
        if not name:
            raise InvalidArgument.field(field, "must be the name of a model, is empty")
        model = self._repository.get(f"{name}@{version}" if version else name)
        if model.ref.name != name:
            raise NotFound(
                "MODEL_NOT_FOUND", f"{field}: no model is named {name[:80]!r}", metadata={"model": name[:80]}
            )
        return model

    def _versions(self, name: str, version: str) -> list[Model]:
        """Return the ready versions; an empty name or version matches all."""
        return [
            model
            for model in self._repository.models()
            if name in ("", model.ref.name) and version in ("", model.ref.version)
        ]


def _confidences(predictions: Predictions) -> list[Confidence]:
    """Return the confidences of all items.

    Raises:
        InvalidArgument: an item failed.
    """
    confidences = []
    for item, confidence in zip(predictions.items, predictions.confidences, strict=True):
        if confidence is None:
            assert item.error is not None  # an item without a prediction has an error
            raise InvalidArgument.field(INPUT.name, item.error.message)
        confidences.append(confidence)
    return confidences
