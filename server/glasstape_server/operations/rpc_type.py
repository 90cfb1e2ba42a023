"""Kinds of RPC, as the label `grpc_type` of the standard gRPC metrics has them."""

from typing import Literal

RpcType = Literal["unary", "client_stream", "server_stream", "bidi_stream"]

STREAMING: dict[str, RpcType] = {
    "/glasstape.v1.SignalService/Signals": "server_stream",
    "/glasstape.v1.MarketService/StreamBars": "bidi_stream",
    "/grpc.health.v1.Health/Watch": "server_stream",
    "/grpc.reflection.v1.ServerReflection/ServerReflectionInfo": "bidi_stream",
    "/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo": "bidi_stream",
}
"""Method path -> kind, of every method that is not unary. A test compares this with the descriptors."""


def rpc_type(method: str) -> RpcType:
    """Return the kind of a method, given by its path."""
    return STREAMING.get(method, "unary")
