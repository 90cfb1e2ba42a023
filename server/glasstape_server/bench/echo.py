"""Bare grpc.aio server that echoes its requests: the upper bound for a gRPC server in Python."""

import asyncio
from typing import Any

import grpc

from glasstape_server.transport.grpcio_server import EXPLAIN, PREDICT


async def serve() -> None:
    """Serve on a free port, and print it as `glasstape serve` does."""

    async def echo(message: bytes, context: object) -> bytes:
        return message

    server = grpc.aio.server(options=(("grpc.so_reuseport", 0),))
    for path in (PREDICT, EXPLAIN):
        _, service, method = path.split("/")
        handler: Any = grpc.unary_unary_rpc_method_handler(echo)
        server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(service, {method: handler}),))
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    print(f"serving on 127.0.0.1:{port}", flush=True)
    await server.wait_for_termination()


if __name__ == "__main__":
    try:
        import uvloop
    except ImportError:
        asyncio.run(serve())
    else:
        uvloop.run(serve())
