"""InferenceService: predictions, explanations, models, and what the server is."""

from collections.abc import Awaitable, Callable

from glasstape.v1 import inference_pb2 as pb
from glasstape.v1 import inference_pb2_grpc as pb_grpc

from glasstape_server.domain.calls import Call
from glasstape_server.domain.errors import InvalidArgument
from glasstape_server.rpc.convert.importance import importance_request_from, importance_to
from glasstape_server.rpc.convert.models import LiveFigures, basic_model_to, model_to, refusal_to
from glasstape_server.rpc.convert.requests import enum_from
from glasstape_server.rpc.handlers import Context, call_from, page_size, translate_errors
from glasstape_server.serving.inference import Inference

EncodedMethod = Callable[[bytes, Call], Awaitable[bytes]]
"""A method that takes an encoded request and returns an encoded response."""


class InferenceServicer(pb_grpc.InferenceServiceServicer):
    """The gRPC adapter. Predict and Explain take and return bytes."""

    def __init__(
        self,
        predict: EncodedMethod,
        explain: EncodedMethod,
        inference: Inference,
        figures: LiveFigures,
        info: Callable[[], pb.GetServerInfoResponse],
    ) -> None:
        self._predict = predict
        self._explain = explain
        self._importance = inference.importance
        self._repository = inference.inputs.repository
        self._figures = figures
        self._info = info

    @translate_errors
    async def Predict(self, payload: bytes, context: Context) -> bytes:  # type: ignore[override]
        """See inference.proto."""
        return await self._predict(payload, call_from(context))

    @translate_errors
    async def Explain(self, payload: bytes, context: Context) -> bytes:  # type: ignore[override]
        """See inference.proto."""
        return await self._explain(payload, call_from(context))

    @translate_errors
    async def GetImportance(
        self, request: pb.GetImportanceRequest, context: Context
    ) -> pb.GetImportanceResponse:
        """See inference.proto."""
        wanted = importance_request_from(request)
        return importance_to(await self._importance.summarize(wanted, call_from(context)))

    @translate_errors
    async def GetModel(self, request: pb.GetModelRequest, context: Context) -> pb.GetModelResponse:
        """See inference.proto."""
        model = self._repository.get(request.model)
        return pb.GetModelResponse(model=model_to(model, model is self._repository.active, self._figures))

    @translate_errors
    async def ListModels(self, request: pb.ListModelsRequest, context: Context) -> pb.ListModelsResponse:
        """See inference.proto."""
        view = enum_from("view", request.view, pb.MODEL_VIEW_FULL) or pb.MODEL_VIEW_BASIC
        first, size = _position(request.page_token), page_size(request.page_size)
        ready = self._repository.models()
        active = self._repository.active if ready else None
        entries = [*ready, *self._repository.refusals()]
        page = entries[first : first + size]
        models = []
        for place, entry in enumerate(page, first):
            if place >= len(ready):
                models.append(refusal_to(entry))  # type: ignore[arg-type]
            elif view == pb.MODEL_VIEW_FULL:
                models.append(model_to(entry, entry is active, self._figures))  # type: ignore[arg-type]
            else:
                models.append(basic_model_to(entry, entry is active))  # type: ignore[arg-type]
        more = first + size < len(entries)
        return pb.ListModelsResponse(models=models, next_page_token=str(first + size) if more else "")

    @translate_errors
    async def GetServerInfo(
        self, request: pb.GetServerInfoRequest, context: Context
    ) -> pb.GetServerInfoResponse:
        """See inference.proto."""
        return self._info()


def _position(token: str) -> int:
    """Return the first entry of a page.

    Raises:
        InvalidArgument: the token is none of this service's.
    """
    if token and not (token.isascii() and token.isdigit() and len(token) < 10):
        raise InvalidArgument.field("page_token", "must be a next_page_token of this service")
    return int(token or 0)
