"""grpc.health.v1."""

from collections.abc import Iterable

from grpc_health.v1 import health_pb2 as pb

from glasstape.errors import DeadlineError, UnavailableError
from glasstape.types.inference import Health

REASONS = "glasstape-health-reasons"
"""Key of a Glasstape server's trailing metadata: its problems."""


def health_from(
    response: pb.HealthCheckResponse, trailing: Iterable[tuple[str, str | bytes]] | None
) -> Health:
    """Return the health that a response and its trailing metadata state."""
    reasons = tuple(str(text) for key, text in trailing or () if key == REASONS)
    return Health(serving=response.status == pb.HealthCheckResponse.SERVING, reasons=reasons)


def health_of_failure(error: UnavailableError | DeadlineError) -> Health:
    """Return the health of a server that is unreachable, or does not answer."""
    state = "does not answer" if isinstance(error, DeadlineError) else "is unreachable"
    return Health(serving=False, reachable=False, reasons=(f"the server {state}: {error}",))
