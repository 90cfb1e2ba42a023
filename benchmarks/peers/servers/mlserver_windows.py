"""MLServer: Open Inference Protocol over gRPC, raw tensors, its adaptive batching off for calls of many windows."""

import numpy as np
from mlserver import MLModel
from mlserver.codecs import NumpyCodec
from mlserver.types import InferenceRequest, InferenceResponse
from network import logits_of, network


class Windows(MLModel):
    """Windows to logits."""

    async def load(self) -> bool:
        """Make the network."""
        self.network = network()
        return True

    async def predict(self, payload: InferenceRequest) -> InferenceResponse:
        """Logits of a batch of calls that MLServer joined."""
        windows = NumpyCodec.decode_input(payload.inputs[0]).astype("<f4", copy=False)
        logits = np.ascontiguousarray(logits_of(self.network, windows))
        output = NumpyCodec.encode_output("logits", logits)
        return InferenceResponse(model_name=self.name, outputs=[output])
