"""What can go wrong.

GlasstapeError
├── InvalidRequestError    INVALID_ARGUMENT     `violations` name each field, rule and value
├── NotFoundError          NOT_FOUND            no such model, symbol or signal
├── ConflictError          ALREADY_EXISTS       other values are stored under that key
├── PreconditionError      FAILED_PRECONDITION  right request, wrong state: too few bars, ...
├── OutOfRangeError        OUT_OF_RANGE         a position outside the journal
├── OverloadedError        RESOURCE_EXHAUSTED   too much at once; `retry_after` says when to come back
├── DeadlineError          DEADLINE_EXCEEDED    the timeout passed
├── UnimplementedError     UNIMPLEMENTED        the server does not have it
├── UnavailableError       UNAVAILABLE          no connection, or the server is draining
├── AuthenticationError    UNAUTHENTICATED      who are you?
├── PermissionDeniedError  PERMISSION_DENIED    you may not
├── DataLossError          DATA_LOSS            stored data is damaged
└── InternalError          anything else        a bug: the server's log has it
"""

from dataclasses import dataclass

import grpc
from google.protobuf.message import DecodeError
from google.rpc import code_pb2, error_details_pb2, status_pb2


@dataclass(frozen=True, slots=True)
class Violation:
    """One broken rule."""

    field: str
    """Path in the request."""
    rule: str
    """The rule and the value that broke it."""


class GlasstapeError(Exception):
    """Base of every error of this package."""

    code = "UNKNOWN"
    """Canonical status code."""

    def __init__(
        self,
        message: str,
        *,
        reason: str = "",
        violations: tuple[Violation, ...] = (),
        metadata: dict[str, str] | None = None,
        retry_after: float | None = None,
    ) -> None:
        super().__init__(message)
        self.message = message
        self.reason = reason
        """UPPER_SNAKE and stable; empty if the server gave none."""
        self.violations = violations
        self.metadata = metadata or {}
        self.retry_after = retry_after
        """Seconds after which the same request may succeed."""


class InvalidRequestError(GlasstapeError):
    """The request breaks a rule."""

    code = "INVALID_ARGUMENT"

    @classmethod
    def field(cls, field: str, rule: str) -> "InvalidRequestError":
        """One broken rule, found before anything was sent."""
        return cls(f"{field}: {rule}", reason="INVALID_FIELD", violations=(Violation(field, rule),))


class NotFoundError(GlasstapeError):
    """There is no such thing."""

    code = "NOT_FOUND"


class ConflictError(GlasstapeError):
    """Other values are stored under that key."""

    code = "ALREADY_EXISTS"


class PreconditionError(GlasstapeError):
    """The request is right and the state is not."""

    code = "FAILED_PRECONDITION"


class OutOfRangeError(GlasstapeError):
    """A position outside the journal."""

    code = "OUT_OF_RANGE"


class OverloadedError(GlasstapeError):
    """Too much at once."""

    code = "RESOURCE_EXHAUSTED"


class DeadlineError(GlasstapeError):
    """The timeout passed."""

    code = "DEADLINE_EXCEEDED"


class UnimplementedError(GlasstapeError):
    """The server does not have it."""

    code = "UNIMPLEMENTED"


class UnavailableError(GlasstapeError):
    """No connection, or the server is draining."""

    code = "UNAVAILABLE"


class AuthenticationError(GlasstapeError):
    """The caller is not known."""

    code = "UNAUTHENTICATED"


class PermissionDeniedError(GlasstapeError):
    """The caller may not do this."""

    code = "PERMISSION_DENIED"


class DataLossError(GlasstapeError):
    """Stored data is damaged."""

    code = "DATA_LOSS"


class InternalError(GlasstapeError):
    """A bug in the server."""

    code = "INTERNAL"


_BY_CODE: dict[str, type[GlasstapeError]] = {
    error.code: error
    for error in (
        InvalidRequestError,
        NotFoundError,
        ConflictError,
        PreconditionError,
        OutOfRangeError,
        OverloadedError,
        DeadlineError,
        UnimplementedError,
        UnavailableError,
        AuthenticationError,
        PermissionDeniedError,
        DataLossError,
    )
}


def from_status(status: status_pb2.Status) -> GlasstapeError:
    """The error of a rich status."""
    name = code_pb2.Code.Name(status.code) if status.code in code_pb2.Code.values() else "UNKNOWN"
    return _make(name, status.message, status)


def from_rpc(error: grpc.RpcError) -> GlasstapeError:
    """The error of a failed call."""
    name = error.code().name
    for key, value in _metadata(error):
        if key == "grpc-status-details-bin":
            try:
                return _make(name, error.details() or name, status_pb2.Status.FromString(value))
            except DecodeError:
                break
    return _make(name, error.details() or name, status_pb2.Status())


def _metadata(error: grpc.RpcError) -> list[tuple[str, bytes]]:
    """The call's trailing metadata; grpc's stubs know it by no common type."""
    return list(error.trailing_metadata() or ())  # type: ignore[arg-type]


def _make(code: str, message: str, status: status_pb2.Status) -> GlasstapeError:
    info, bad_request, retry = (
        error_details_pb2.ErrorInfo(),
        error_details_pb2.BadRequest(),
        error_details_pb2.RetryInfo(),
    )
    retry_after = None
    for detail in status.details:
        detail.Unpack(info)
        detail.Unpack(bad_request)
        if detail.Unpack(retry):
            retry_after = retry.retry_delay.ToMicroseconds() / 1e6
    return _BY_CODE.get(code, InternalError)(
        message,
        reason=info.reason,
        violations=tuple(Violation(v.field, v.description) for v in bad_request.field_violations),
        metadata=dict(info.metadata),
        retry_after=retry_after,
    )
