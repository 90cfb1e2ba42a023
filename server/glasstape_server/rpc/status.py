"""Domain errors as gRPC statuses and as Problems: a canonical code, one reason, field violations, a retry delay."""

from glasstape.v1 import errors_pb2
from google.protobuf.any_pb2 import Any
from google.protobuf.duration_pb2 import Duration
from google.rpc import code_pb2, error_details_pb2, status_pb2
from grpc import StatusCode

from glasstape_server.domain import errors

DOMAIN = "glasstape"
REASON_PREFIX = "ERROR_REASON_"

_CODES: dict[type[errors.GlasstapeError], StatusCode] = {
    errors.InvalidArgument: StatusCode.INVALID_ARGUMENT,
    errors.FailedPrecondition: StatusCode.FAILED_PRECONDITION,
    errors.OutOfRange: StatusCode.OUT_OF_RANGE,
    errors.NotFound: StatusCode.NOT_FOUND,
    errors.AlreadyExists: StatusCode.ALREADY_EXISTS,
    errors.ResourceExhausted: StatusCode.RESOURCE_EXHAUSTED,
    errors.DeadlineExceeded: StatusCode.DEADLINE_EXCEEDED,
    errors.Unavailable: StatusCode.UNAVAILABLE,
    errors.Unauthenticated: StatusCode.UNAUTHENTICATED,
    errors.PermissionDenied: StatusCode.PERMISSION_DENIED,
    errors.Unimplemented: StatusCode.UNIMPLEMENTED,
    errors.DataLoss: StatusCode.DATA_LOSS,
    errors.Internal: StatusCode.INTERNAL,
}
_REASONS = {name.removeprefix(REASON_PREFIX): value for name, value in errors_pb2.ErrorReason.items()}


def code_of(error: errors.GlasstapeError) -> StatusCode:
    """Return the canonical code of a domain error."""
    return _CODES[type(error)]


def problem_of(error: errors.GlasstapeError) -> errors_pb2.Problem:
    """Return a domain error as the Problem of one item."""
    return errors_pb2.Problem(
        code=code_of(error).value[0],
        reason=_REASONS.get(error.reason, errors_pb2.ERROR_REASON_UNSPECIFIED),
        message=error.message,
        metadata=error.metadata,
        violations=[
            errors_pb2.FieldViolation(field=violation.field, description=violation.rule)
            for violation in error.violations
        ],
    )


def status_of(error: errors.GlasstapeError) -> status_pb2.Status:
    """Return the rich status of a domain error."""
    name = code_of(error).name
    status = status_pb2.Status(code=code_pb2.Code.Value(name), message=error.message)
    _pack(
        status,
        error_details_pb2.ErrorInfo(reason=error.reason, domain=DOMAIN, metadata=error.metadata),
    )
    if error.violations:
        violations = [
            error_details_pb2.BadRequest.FieldViolation(field=v.field, description=v.rule)
            for v in error.violations
        ]
        _pack(status, error_details_pb2.BadRequest(field_violations=violations))
    if error.retry_after is not None:
        delay = Duration()
        delay.FromMicroseconds(int(error.retry_after * 1e6))
        _pack(status, error_details_pb2.RetryInfo(retry_delay=delay))
    return status


def trailing_metadata(error: errors.GlasstapeError) -> tuple[tuple[str, bytes], ...]:
    """Return the rich status as the metadata in which gRPC clients look for it."""
    return (("grpc-status-details-bin", status_of(error).SerializeToString()),)


def _pack(
    status: status_pb2.Status,
    detail: error_details_pb2.ErrorInfo | error_details_pb2.BadRequest | error_details_pb2.RetryInfo,
) -> None:
    packed = Any()
    packed.Pack(detail)
    status.details.append(packed)
