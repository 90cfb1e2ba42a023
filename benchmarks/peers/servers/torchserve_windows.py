"""TorchServe: its gRPC service for predictions and `/explanations` for Captum's gradient of the winner."""

import json
from typing import Any

import torch
from captum.attr import Saliency
from network import logits_of, logits_of_each, network, windows_of
from ts.torch_handler.base_handler import BaseHandler


class Windows(BaseHandler):
    """Windows to logits, or to maps."""

    def initialize(self, context: Any) -> None:
        """Make the network in the worker."""
        self.network = network()
        self.saliency = Saliency(self.network)
        self.context, self.initialized = context, True

    def handle(self, data: list[dict[str, bytes]], context: Any) -> list[Any]:
        """Answer the calls that TorchServe joined."""
        requests = [bytes(row.get("body") or row["data"]) for row in data]
        if context.get_request_header(0, "explain") == "True":
            return [self.maps(request) for request in requests]
        return logits_of_each(self.network, requests)

    def maps(self, request: bytes) -> str:
        """The gradient of each window's winning logit, as JSON."""
        windows = windows_of(request)
        winners = torch.from_numpy(logits_of(self.network, windows)).argmax(dim=1)
        found = self.saliency.attribute(torch.tensor(windows).requires_grad_(), winners, abs=False)
        return json.dumps(found.tolist())
