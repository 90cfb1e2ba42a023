"""The errors of this package.

GlasstapeError
├── InvalidRequestError    INVALID_ARGUMENT     `violations` name each field, rule and value
├── NotFoundError          NOT_FOUND            no such model, symbol or signal
├── ConflictError          ALREADY_EXISTS       other values are stored under that key
├── PreconditionError      FAILED_PRECONDITION  valid request, unsuitable state: too few bars, ...
├── OutOfRangeError        OUT_OF_RANGE         a position outside the journal
├── OverloadedError        RESOURCE_EXHAUSTED   a limit or quota is exceeded; `retry_after` may be set
├── DeadlineError          DEADLINE_EXCEEDED    the timeout passed
├── UnimplementedError     UNIMPLEMENTED        the server does not support the call or option
├── UnavailableError       UNAVAILABLE          no connection, or the server is starting or draining
├── AuthenticationError    UNAUTHENTICATED      missing or invalid credentials
├── PermissionDeniedError  PERMISSION_DENIED    the credentials lack a scope
├── DataLossError          DATA_LOSS            stored or received data is damaged
└── InternalError          any other code       a defect of the server: its log has details
"""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from glasstape.error_reasons import ErrorReason as ErrorReason

if TYPE_CHECKING:
    import grpc


@dataclass(frozen=True, slots=True)
class Violation:
    """One broken rule."""

    field: str
    """Path of the field in the request."""
    rule: str
    """The rule and the value that breaks it."""


class GlasstapeError(Exception):
    """Base of every error of this package."""

    code = "UNKNOWN"
    """Canonical status code."""

    def __init__(
        self,
        message: str,
        *,
        reason: ErrorReason | str = "",
        violations: tuple[Violation, ...] = (),
        metadata: dict[str, str] | None = None,
        retry_after: float | None = None,
    ) -> None:
        super().__init__(message)
        self.message = message
        self.reason = _reason(reason)
        """Stable and machine-readable. Text if this version does not know it; empty if there is none."""
        self.violations = violations
        self.metadata = metadata or {}
        """Values that the message mentions, by name."""
        self.retry_after = retry_after
        """Seconds after which the same request may succeed."""


class InvalidRequestError(GlasstapeError):
    """The request breaks a rule."""

    code = "INVALID_ARGUMENT"

    @classmethod
    def field(cls, field: str, rule: str) -> "InvalidRequestError":
        """Return the error of one broken rule that was found before sending."""
        return cls(f"{field}: {rule}", reason=ErrorReason.INVALID_FIELD, violations=(Violation(field, rule),))


class NotFoundError(GlasstapeError):
    """There is no such model, symbol or signal."""

    code = "NOT_FOUND"


class ConflictError(GlasstapeError):
    """Other values are stored under that key."""

    code = "ALREADY_EXISTS"


class PreconditionError(GlasstapeError):
    """The request is valid and the state does not suit it."""

    code = "FAILED_PRECONDITION"


class OutOfRangeError(GlasstapeError):
    """A position lies outside the journal."""

    code = "OUT_OF_RANGE"


class OverloadedError(GlasstapeError):
    """A limit or quota is exceeded."""

    code = "RESOURCE_EXHAUSTED"


class DeadlineError(GlasstapeError):
    """The timeout passed."""

    code = "DEADLINE_EXCEEDED"


class UnimplementedError(GlasstapeError):
    """The server does not support the call or an option of it."""

    code = "UNIMPLEMENTED"


class UnavailableError(GlasstapeError):
    """There is no connection, or the server is starting or draining."""

    code = "UNAVAILABLE"


class AuthenticationError(GlasstapeError):
    """The credentials are missing or invalid."""

    code = "UNAUTHENTICATED"


class PermissionDeniedError(GlasstapeError):
    """The credentials lack a scope."""

    code = "PERMISSION_DENIED"


class DataLossError(GlasstapeError):
    """Stored or received data is damaged."""

    code = "DATA_LOSS"


class InternalError(GlasstapeError):
    """A defect of the server."""

    code = "INTERNAL"


_TOO_LARGE = "essage larger than max"
"""Part of what gRPC reports of a message beyond its own limits, as if a server were overloaded."""
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


def error_of(code: str, message: str, **details: Any) -> GlasstapeError:
    """Return the error of a canonical code; `details` are the arguments of `GlasstapeError`."""
    return _BY_CODE.get(code, InternalError)(message, **details)


def from_rpc(error: "grpc.RpcError") -> GlasstapeError:
    """Return the error of a failed call, with the details of its trailing metadata."""
    from google.protobuf.message import DecodeError
    from google.rpc import error_details_pb2, status_pb2

    code = error.code().name
    message = error.details() or code
    trailing: Any = error.trailing_metadata() or ()
    status = status_pb2.Status()
    for key, value in trailing:
        if key == "grpc-status-details-bin":
            try:
                status = status_pb2.Status.FromString(value)
            except DecodeError:
                return error_of(code, message)  # details that cannot be read do not hide the error
    if code == OverloadedError.code and not status.details and _TOO_LARGE in message:
        return InvalidRequestError(
            message, reason=ErrorReason.MESSAGE_TOO_LARGE
        )  # another attempt does not help
    info, bad_request = error_details_pb2.ErrorInfo(), error_details_pb2.BadRequest()
    retry, retry_after = error_details_pb2.RetryInfo(), None
    for detail in status.details:
        detail.Unpack(info)
        detail.Unpack(bad_request)
        if detail.Unpack(retry):
            retry_after = retry.retry_delay.ToMicroseconds() / 1e6
    return error_of(
        code,
        message,
        reason=info.reason,
        violations=tuple(Violation(v.field, v.description) for v in bad_request.field_violations),
        metadata=dict(info.metadata),
        retry_after=retry_after,
    )


def _reason(text: ErrorReason | str) -> ErrorReason | str:
    try:
        return ErrorReason(text)
    except ValueError:
        return text
