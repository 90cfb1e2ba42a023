"""Ray Serve: plain bytes over HTTP/1.1, calls joined by `serve.batch`."""

import signal
import sys

import ray
from network import logits_of_each, network
from ray import serve
from starlette.requests import Request
from starlette.responses import Response


@serve.deployment(max_ongoing_requests=256)
class Windows:
    """Windows to logits."""

    def __init__(self) -> None:
        self.network = network()

    @serve.batch(max_batch_size=64, batch_wait_timeout_s=0.001)
    async def logits(self, requests: list[bytes]) -> list[bytes]:
        """Logits of each call."""
        return logits_of_each(self.network, requests)

    async def __call__(self, request: Request) -> Response:
        """Answer a call."""
        return Response(await self.logits(await request.body()))


if __name__ == "__main__":
    ray.init(num_cpus=2, include_dashboard=False, log_to_driver=False, configure_logging=False)
    serve.start(http_options={"host": "127.0.0.1", "port": int(sys.argv[1])})
    serve.run(Windows.bind())
    signal.sigwait({signal.SIGTERM, signal.SIGINT})
    ray.shutdown()
