"""Statuses of gRPC as errors of the Connect protocol."""

import grpc
from connectrpc.code import Code
from connectrpc.errors import ConnectError, ErrorDetail
from google.rpc import status_pb2
from protobuf.wkt import Any

from glasstape_server.domain.errors import GlasstapeError
from glasstape_server.rpc.status import code_of, status_of


def connect_error(error: GlasstapeError) -> ConnectError:
    """Return a domain error with its details."""
    return with_details(code_of(error), error.message, status_of(error))


def with_details(
    code: grpc.StatusCode, message: str, status: status_pb2.Status | None = None
) -> ConnectError:
    """Return the error of a status.

    Args:
        code: of the status.
        message: of the status.
        status: has its details, if there are any.
    """
    details = [
        ErrorDetail(Any(type_url=detail.type_url, value=detail.value))
        for detail in (() if status is None else status.details)
    ]
    name = "CANCELED" if code is grpc.StatusCode.CANCELLED else code.name
    return ConnectError(Code[name], message, details)
