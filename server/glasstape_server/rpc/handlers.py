"""What every handler shares: errors as statuses, callers, deadlines, sizes and pages."""

import contextvars
import functools
import logging
import time
from collections.abc import Awaitable, Callable
from typing import Any, NoReturn, TypeVar

import grpc
from google.protobuf.message import DecodeError, Message

from glasstape_server.domain.calls import ANONYMOUS, Call, Principal
from glasstape_server.domain.errors import GlasstapeError, Internal, InvalidArgument
from glasstape_server.domain.limits import DEFAULT_PAGE_SIZE, MAX_MESSAGE_BYTES, MAX_PAGE_SIZE
from glasstape_server.operations.request_id import request_id, request_id_or_new
from glasstape_server.rpc.status import code_of, trailing_metadata

log = logging.getLogger(__name__)

caller: contextvars.ContextVar[Principal] = contextvars.ContextVar("caller", default=ANONYMOUS)
"""Principal of the running call."""

Context = grpc.aio.ServicerContext[Any, Any]
M = TypeVar("M", bound=Message)
Handler = TypeVar("Handler", bound=Callable[..., Awaitable[Any]])


def call_from(context: Context) -> Call:
    """Return the call's deadline and principal."""
    remaining = context.time_remaining()
    # grpc reports "no deadline" as a time centuries away.
    unlimited = remaining is None or remaining > 1e8
    deadline = None if unlimited else time.monotonic() + float(remaining or 0)
    return Call(deadline, principal=caller.get())


def translate_errors(handler: Handler) -> Handler:
    """Turn a handler's errors into statuses; unexpected ones become INTERNAL without details."""

    @functools.wraps(handler)
    async def wrapper(self: object, request: object, context: Context) -> object:
        try:
            return await handler(self, request, context)
        except GlasstapeError as error:
            await abort(context, error)
        except (grpc.aio.AbortError, grpc.RpcError):
            raise
        except Exception as error:
            await abort_internal(context, error, handler.__qualname__)

    return wrapper  # type: ignore[return-value]


async def abort_internal(context: Context, error: Exception, method: str) -> NoReturn:
    """Abort a call with INTERNAL; only the log has the details."""
    await abort(context, internal_error(error, method))


def internal_error(error: Exception, method: str) -> Internal:
    """Return the error that a caller gets for an unexpected exception, which is logged under the request's id."""
    request = request_id_or_new(request_id.get())
    log.error("%s failed, request %s", method, request, exc_info=error)
    return Internal(
        "INTERNAL",
        f"internal error; see request {request} in the server's log",
        metadata={"request": request},
    )


async def abort(context: Context, error: GlasstapeError) -> NoReturn:
    """Abort a call with a domain error."""
    await context.abort(code_of(error), error.message, trailing_metadata(error))
    raise AssertionError("abort raises")


def page_size(requested: int) -> int:
    """Return the page size of a list: 0 is the default, and more than the largest is taken as that."""
    return min(requested or DEFAULT_PAGE_SIZE, MAX_PAGE_SIZE)


def check_size(message: bytes) -> None:
    """Check the size of an encoded request or response.

    Raises:
        InvalidArgument: it is larger than `MAX_MESSAGE_BYTES`.
    """
    if len(message) > MAX_MESSAGE_BYTES:
        raise message_too_large(str(len(message)))


def message_too_large(size: str) -> InvalidArgument:
    """Return the error of a message with so many bytes."""
    return InvalidArgument(
        "MESSAGE_TOO_LARGE",
        f"a message of {size} bytes is larger than {MAX_MESSAGE_BYTES}, the most allowed",
        metadata={"limit": str(MAX_MESSAGE_BYTES), "size": size},
    )


def parsed(kind: type[M], payload: bytes) -> M:
    """Return the request of encoded bytes.

    Raises:
        InvalidArgument: the bytes are no such message, or too many.
    """
    check_size(payload)
    try:
        return kind.FromString(payload)
    except DecodeError:
        rule = f"must be an encoded {kind.DESCRIPTOR.full_name}, is {len(payload)} bytes that are not"
        raise InvalidArgument.field("request", rule) from None
