"""What can go wrong, in the server's own words; the rpc room turns these into gRPC statuses.

GlasstapeError
├── InvalidArgument      the request breaks a rule, whatever the server's state
├── FailedPrecondition   right request, wrong state: the model has no such method, ...
├── OutOfRange           a position outside the journal
├── NotFound             no such model, symbol or signal
├── Unauthenticated      nobody knows who calls
├── PermissionDenied     the caller may not do this
├── Unimplemented        there is no such method
├── AlreadyExists        a bar with other values is stored already
├── ResourceExhausted    too much at once; may say when to come back
├── DeadlineExceeded     the caller's deadline passed before the work began
├── Unavailable          not now: starting, draining
├── DataLoss             the journal is damaged
└── Internal             a bug: the log has it
"""

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Violation:
    """One broken rule: `field` is the path in the request, `rule` says what and with which value."""

    field: str
    rule: str


class GlasstapeError(Exception):
    """Base of every error that a caller may see.

    `reason` is UPPER_SNAKE and stable; `metadata` holds every value that the message mentions.
    """

    def __init__(
        self,
        reason: str,
        message: str,
        *,
        violations: tuple[Violation, ...] = (),
        metadata: Mapping[str, str] | None = None,
        retry_after: float | None = None,
    ) -> None:
        super().__init__(message)
        self.reason = reason
        self.message = message
        self.violations = violations
        self.metadata = dict(metadata or {})
        self.retry_after = retry_after
        """Seconds after which the same request may succeed; None: not by waiting."""


class InvalidArgument(GlasstapeError):
    """The request breaks a rule, whatever the server's state."""

    @classmethod
    def field(cls, field: str, rule: str, reason: str = "INVALID_FIELD") -> "InvalidArgument":
        """One broken rule of one field."""
        return cls(reason, f"{field}: {rule}", violations=(Violation(field, rule),))


class FailedPrecondition(GlasstapeError):
    """The request is right and the state is not."""


class OutOfRange(GlasstapeError):
    """A position outside the journal."""


class NotFound(GlasstapeError):
    """There is no such thing here."""


class AlreadyExists(GlasstapeError):
    """Something else is stored under that key."""


class ResourceExhausted(GlasstapeError):
    """Too much at once."""


class DeadlineExceeded(GlasstapeError):
    """The caller's deadline passed before the work began."""


class Unavailable(GlasstapeError):
    """Not now."""


class Unauthenticated(GlasstapeError):
    """Nobody knows who calls."""


class PermissionDenied(GlasstapeError):
    """The caller may not do this."""


class Unimplemented(GlasstapeError):
    """There is no such method."""


class DataLoss(GlasstapeError):
    """Stored data is damaged."""


class Internal(GlasstapeError):
    """A bug in this server."""
