"""LitServe: HTTP/1.1, JSON; windows as base64 in it, for LitServe reads no body of plain bytes."""

import base64
import sys

import litserve
from network import logits_of_each, network


class WindowAPI(litserve.LitAPI):
    """Windows to logits, many calls at once."""

    def setup(self, device: str) -> None:
        """Make the network in the worker."""
        self.network = network()

    def decode_request(self, request: dict[str, str]) -> bytes:
        """Bytes of a call's windows."""
        return base64.b64decode(request["windows"])

    def batch(self, inputs: list[bytes]) -> list[bytes]:
        """As they are: `predict` joins them, for calls may differ in their windows."""
        return inputs

    def predict(self, inputs: list[bytes]) -> list[bytes]:
        """Logits of each call."""
        return logits_of_each(self.network, inputs)

    def unbatch(self, output: list[bytes]) -> list[bytes]:
        """One answer a call."""
        return output

    def encode_response(self, output: bytes) -> dict[str, str]:
        """A call's answer."""
        return {"logits": base64.b64encode(output).decode()}


if __name__ == "__main__":
    api = WindowAPI(max_batch_size=64, batch_timeout=0.001)
    server = litserve.LitServer(api, accelerator="cpu", devices=1, workers_per_device=1, fast_queue=True)
    server.run(host="127.0.0.1", port=int(sys.argv[1]), log_level="error", generate_client_file=False)
