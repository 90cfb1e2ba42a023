"""How a fake server fails calls."""

from collections import Counter
from collections.abc import Callable
from typing import Any, NoReturn

import grpc
from google.protobuf.any_pb2 import Any as AnyMessage
from google.protobuf.duration_pb2 import Duration
from google.rpc import code_pb2, error_details_pb2, status_pb2

from glasstape.errors import GlasstapeError

_KINDS = ("unary_unary", "unary_stream", "stream_unary", "stream_stream")


class TokenInterceptor(grpc.ServerInterceptor):
    """Rejects calls without a bearer token as UNAUTHENTICATED."""

    def __init__(self, token: str) -> None:
        self._header = ("authorization", f"Bearer {token}")

    def intercept_service(self, continuation: Callable[[Any], Any], details: Any) -> Any:
        handler = continuation(details)
        if handler is None or self._header in [tuple(item) for item in details.invocation_metadata]:
            return handler

        def refuse(request: Any, context: grpc.ServicerContext) -> None:
            context.abort(grpc.StatusCode.UNAUTHENTICATED, "a valid bearer token is needed")

        return _with_behavior(handler, refuse)


class FailureInterceptor(grpc.ServerInterceptor):
    """Counts the calls of each method and fails those that are scripted to fail."""

    def __init__(self) -> None:
        self.calls: Counter[str] = Counter()
        self.failures: dict[str, GlasstapeError] = {}

    def intercept_service(self, continuation: Callable[[Any], Any], details: Any) -> Any:
        handler = continuation(details)
        name = details.method.rpartition("/")[2]
        self.calls[name] += 1
        error = self.failures.get(name)
        if handler is None or error is None:
            return handler
        return _with_behavior(handler, lambda request, context: abort(context, error))


def _with_behavior(handler: Any, behavior: Callable[..., Any]) -> Any:
    return handler._replace(**{kind: behavior for kind in _KINDS if getattr(handler, kind) is not None})


def abort(context: grpc.ServicerContext, error: GlasstapeError) -> NoReturn:
    """End a call with an error and its details, as a server does."""
    details: list[Any] = []
    if error.reason:
        info = error_details_pb2.ErrorInfo(reason=error.reason, domain="glasstape", metadata=error.metadata)
        details.append(info)
    if error.violations:
        violations = [
            error_details_pb2.BadRequest.FieldViolation(field=v.field, description=v.rule)
            for v in error.violations
        ]
        details.append(error_details_pb2.BadRequest(field_violations=violations))
    if error.retry_after is not None:
        delay = Duration()
        delay.FromNanoseconds(round(error.retry_after * 1e9))
        details.append(error_details_pb2.RetryInfo(retry_delay=delay))
    packed = []
    for detail in details:
        packed.append(AnyMessage())
        packed[-1].Pack(detail)
    status = status_pb2.Status(code=code_pb2.Code.Value(error.code), message=error.message, details=packed)
    context.set_trailing_metadata((("grpc-status-details-bin", status.SerializeToString()),))
    context.abort(grpc.StatusCode[error.code], error.message)
