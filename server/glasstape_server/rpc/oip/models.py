"""Models and the model repository as messages of the Open Inference Protocol."""

from collections.abc import Sequence

from glasstape_server.domain.limits import MAX_ITEMS
from glasstape_server.models.model import Model
from glasstape_server.models.promotion import PROMOTED
from glasstape_server.models.repository import Refusal
from glasstape_server.rpc.oip import open_inference_pb2 as oip
from glasstape_server.rpc.oip.table import INPUT, OUTPUT

PLATFORM = "glasstape_pytorch"


def metadata_to(model: Model, versions: Sequence[str]) -> oip.ModelMetadataResponse:
    """Return inputs and outputs of a model, and the versions of its name that are ready."""
    tensor = oip.ModelMetadataResponse.TensorMetadata
    return oip.ModelMetadataResponse(
        name=model.ref.name,
        versions=versions,
        platform=PLATFORM,
        inputs=[tensor(name=INPUT.name, datatype=INPUT.datatype, shape=[-1, *model.window_shape])],
        outputs=[tensor(name=OUTPUT.name, datatype=OUTPUT.datatype, shape=[-1, 3])],
    )


def config_to(model: Model) -> oip.ModelConfig:
    """Return the configuration of a model. Dimensions leave out the batch, as in Triton."""
    return oip.ModelConfig(
        name=model.ref.name,
        platform=PLATFORM,
        max_batch_size=MAX_ITEMS,
        input=[oip.ModelInput(name=INPUT.name, data_type=oip.TYPE_FP32, dims=model.window_shape)],
        output=[oip.ModelOutput(name=OUTPUT.name, data_type=oip.TYPE_FP64, dims=[3])],
    )


def index_to(
    models: Sequence[Model], refusals: Sequence[Refusal], *, ready_only: bool
) -> oip.RepositoryIndexResponse:
    """Return the versions that serve, and those that do not with the reason.

    A version that serves although its files were refused is READY, with the reason.
    """
    reasons = {(r.name, r.version): r.reason for r in refusals if r.name != PROMOTED}
    index = oip.RepositoryIndexResponse()
    for model in models:
        key = (model.ref.name, model.ref.version)
        index.models.add(name=key[0], version=key[1], state="READY", reason=reasons.pop(key, ""))
    if not ready_only:
        for (name, version), reason in reasons.items():
            index.models.add(name=name, version=version, state="UNAVAILABLE", reason=reason)
    return index
