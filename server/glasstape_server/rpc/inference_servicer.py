"""InferenceService: predictions, explanations, and what models there are."""

import asyncio

from glasstape.v1 import inference_pb2 as pb
from glasstape.v1 import inference_pb2_grpc as pb_grpc

from glasstape_server.models.repository import Repository
from glasstape_server.rpc.batched import Batched
from glasstape_server.rpc.convert.inference import LiveFigures, model_to, refusal_to
from glasstape_server.rpc.gather import Gather, reply_on
from glasstape_server.rpc.handlers import Context, answered, call_of
from glasstape_server.serving.inference import Inference


class InferenceServicer(pb_grpc.InferenceServiceServicer):
    """The gRPC adapter. Predict and Explain take and give bytes, by the batch."""

    def __init__(self, inference: Inference, repository: Repository, figures: LiveFigures) -> None:
        """Made on the event loop that serves."""
        batched = Batched(inference, reply_on(asyncio.get_running_loop()))
        self._predict = Gather(batched.predict, batched.cancel)
        self._explain = Gather(batched.explain, batched.cancel)
        self.inference = inference
        self._repository = repository
        self._figures = figures

    @answered
    async def Predict(self, payload: bytes, context: Context) -> bytes:  # type: ignore[override]
        """See inference.proto."""
        return await self._predict(payload, call_of(context))

    @answered
    async def Explain(self, payload: bytes, context: Context) -> bytes:  # type: ignore[override]
        """See inference.proto."""
        return await self._explain(payload, call_of(context))

    @answered
    async def GetModel(self, request: pb.GetModelRequest, context: Context) -> pb.GetModelResponse:
        """See inference.proto."""
        model = self._repository.get(request.model)
        return pb.GetModelResponse(model=model_to(model, model is self._repository.active, self._figures))

    @answered
    async def ListModels(self, request: pb.ListModelsRequest, context: Context) -> pb.ListModelsResponse:
        """See inference.proto."""
        ready = self._repository.models()
        active = self._repository.active if ready else None
        models = [model_to(model, model is active, self._figures) for model in ready]
        models += [refusal_to(refusal) for refusal in self._repository.refusals()]
        return pb.ListModelsResponse(models=models)
