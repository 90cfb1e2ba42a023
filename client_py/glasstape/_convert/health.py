"""grpc.health.v1, which has no stubs here: a request of one string and a response of one number."""

from collections.abc import Iterable

from google.protobuf.wrappers_pb2 import StringValue

from glasstape.types.inference import Health

CHECK = "/grpc.health.v1.Health/Check"
REASONS = "glasstape-health-reasons"
"""Trailing metadata of a Glasstape server: what is wrong."""
UNREACHABLE = "no server answers"
"""The reason where nobody says one."""
_SERVING = b"\x08\x01"


def request_of(service: str) -> bytes:
    """HealthCheckRequest{service = 1}: on the wire the same as a StringValue."""
    return StringValue(value=service).SerializeToString()


def health_from(response: bytes, trailing: Iterable[tuple[str, str | bytes]] | None) -> Health:
    """What was answered."""
    reasons = tuple(str(text) for key, text in trailing or () if key == REASONS)
    return Health(serving=response == _SERVING, reasons=reasons)
