"""Domain errors -> gRPC statuses: a canonical code, one ErrorInfo, and what helps to mend it."""

from google.protobuf.any_pb2 import Any
from google.protobuf.duration_pb2 import Duration
from google.rpc import code_pb2, error_details_pb2, status_pb2
from grpc import StatusCode

from glasstape_server.domain import errors

DOMAIN = "glasstape"

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


def code_of(error: errors.GlasstapeError) -> StatusCode:
    """The canonical code of a domain error."""
    return _CODES[type(error)]


def status_of(error: errors.GlasstapeError) -> status_pb2.Status:
    """The rich status of a domain error."""
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
    """The rich status where gRPC clients look for it."""
    return (("grpc-status-details-bin", status_of(error).SerializeToString()),)


def _pack(
    status: status_pb2.Status,
    detail: error_details_pb2.ErrorInfo | error_details_pb2.BadRequest | error_details_pb2.RetryInfo,
) -> None:
    packed = Any()
    packed.Pack(detail)
    status.details.append(packed)
