"""Triton's Python backend: Open Inference Protocol over gRPC, calls joined by its dynamic batcher."""

from typing import Any

import numpy as np
import triton_python_backend_utils as triton
from network import logits_of, network


class TritonPythonModel:
    """Windows to logits."""

    def initialize(self, args: dict[str, str]) -> None:
        """Make the network."""
        self.network = network()

    def execute(self, requests: list[Any]) -> list[Any]:
        """Answer the calls that Triton joined."""
        windows = [triton.get_input_tensor_by_name(request, "windows").as_numpy() for request in requests]
        logits = logits_of(self.network, np.concatenate(windows) if len(windows) > 1 else windows[0])
        parts = np.split(logits, np.cumsum([len(part) for part in windows])[:-1])
        return [triton.InferenceResponse([triton.Tensor("logits", part)]) for part in parts]
