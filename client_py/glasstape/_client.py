"""What every synchronous client has: a connection with a beginning, an end and a health."""

from __future__ import annotations

from typing import TYPE_CHECKING, Self

from glasstape._lazy import LazyModule
from glasstape._options import Settings
from glasstape._transport import Transport
from glasstape.errors import DeadlineError, UnavailableError

if TYPE_CHECKING:
    from datetime import timedelta
    from types import TracebackType

    from glasstape import _calls
    from glasstape._convert import health
    from glasstape._options import Tls
    from glasstape.address import Address
    from glasstape.types.inference import Health
else:
    _calls = LazyModule("glasstape._calls")
    health = LazyModule("glasstape._convert.health")


class ConnectedClient:
    """The connection of a client; see `Client` for the arguments."""

    def __init__(
        self,
        address: str | Address,
        *,
        timeout: timedelta | float = 10.0,
        tls: Tls | None = None,
        token: str | None = None,
    ) -> None:
        self._transport = Transport(Settings.of(address, timeout, tls, token))

    @property
    def address(self) -> str:
        """Return the address of the server."""
        return str(self._transport.settings.address)

    def close(self) -> None:
        """Close the connection; open streams end. A closed client raises PreconditionError."""
        self._transport.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def ready(self, *, timeout: timedelta | float | None = None) -> bool:
        """Return whether the server reports SERVING (grpc.health.v1) within the timeout."""
        return self.health(timeout=timeout).serving

    def health(self, service: str = "", *, timeout: timedelta | float | None = None) -> Health:
        """Return the health of the server, a service or a model (grpc.health.v1).

        A server that is unreachable, or does not answer within the timeout, is not serving.

        Args:
            service: for example "glasstape.v1.SignalService", or a model's name; "": the server as a whole.

        Raises:
            NotFoundError: there is no such service.
        """
        try:
            return health.health_from(*self._transport.once(_calls.check_health(service), timeout))
        except (UnavailableError, DeadlineError) as error:
            return health.health_of_failure(error)
