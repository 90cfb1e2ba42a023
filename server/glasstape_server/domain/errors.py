"""Errors that callers may see; `rpc` turns them into gRPC statuses.

GlasstapeError
├── InvalidArgument      the request breaks a rule, in any state of the server
├── FailedPrecondition   the request is valid, but not in this state: the model lacks the method, ...
├── OutOfRange           a position outside the journal
├── NotFound             unknown model, symbol or signal
├── Unauthenticated      missing or invalid credentials
├── PermissionDenied     the caller's scopes do not include the method
├── Unimplemented        unknown method
├── AlreadyExists        a bar with other values is stored
├── ResourceExhausted    a limit or quota is exceeded; may state a retry delay
├── DeadlineExceeded     the call was canceled or its deadline exceeded before the work began
├── Unavailable          starting or draining
├── DataLoss             the journal is damaged
└── Internal             a bug; see the server's log
"""

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Violation:
    """One broken rule: `field` is its path in the request, `rule` states the rule and the value."""

    field: str
    rule: str


class GlasstapeError(Exception):
    """Base of all errors that a caller may see.

    `reason` is UPPER_SNAKE and stable; `metadata` holds the values in the message.
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
        """Seconds after which a retry may succeed; None: a retry does not help."""


class InvalidArgument(GlasstapeError):
    """The request breaks a rule, in any state of the server."""

    @classmethod
    def field(cls, field: str, rule: str, reason: str = "INVALID_FIELD") -> "InvalidArgument":
        """Return the error of one broken rule of one field."""
        return cls(reason, f"{field}: {rule}", violations=(Violation(field, rule),))


class FailedPrecondition(GlasstapeError):
    """The request is valid, but not in the current state."""


class OutOfRange(GlasstapeError):
    """A position outside the journal."""


class NotFound(GlasstapeError):
    """An unknown model, symbol or signal."""


class AlreadyExists(GlasstapeError):
    """Other values are stored under the same key."""


class ResourceExhausted(GlasstapeError):
    """A limit or quota is exceeded."""


class DeadlineExceeded(GlasstapeError):
    """The call was canceled or its deadline exceeded before the work began."""


class Unavailable(GlasstapeError):
    """The server is starting or draining."""


class Unauthenticated(GlasstapeError):
    """Missing or invalid credentials."""


class PermissionDenied(GlasstapeError):
    """The caller's scopes do not include the method."""


class Unimplemented(GlasstapeError):
    """An unknown method."""


class DataLoss(GlasstapeError):
    """Stored data is damaged."""


class Internal(GlasstapeError):
    """A bug in this server."""
