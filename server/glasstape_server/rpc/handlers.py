"""What every RPC has in common: errors become statuses, and the caller's deadline travels along."""

import contextvars
import functools
import logging
import time
from collections.abc import Awaitable, Callable
from typing import Any, NoReturn, TypeVar

import grpc
from google.protobuf.message import DecodeError, Message

from glasstape_server.domain.errors import GlasstapeError, Internal, InvalidArgument
from glasstape_server.domain.values import ANYBODY, Call, Principal
from glasstape_server.operations.traffic import id_of, request_id
from glasstape_server.rpc.status import code_of, trailing_metadata

log = logging.getLogger(__name__)

caller: contextvars.ContextVar[Principal] = contextvars.ContextVar("caller", default=ANYBODY)
"""Who the running call was admitted as."""

MAX_MESSAGE_BYTES = 16 * 1024 * 1024
"""Bytes of one message, in either direction."""
DEFAULT_PAGE_SIZE = 1000
MAX_PAGE_SIZE = 10_000
"""Entries on one page of every list."""

Context = grpc.aio.ServicerContext[Any, Any]
M = TypeVar("M", bound=Message)
Handler = TypeVar("Handler", bound=Callable[..., Awaitable[Any]])


def call_of(context: Context) -> Call:
    """The caller as the wire-neutral code sees it."""
    remaining = context.time_remaining()
    # grpc reports "no deadline" as a time centuries away.
    unlimited = remaining is None or remaining > 1e8
    deadline = None if unlimited else time.monotonic() + float(remaining or 0)
    return Call(deadline, principal=caller.get())


def answered(handler: Handler) -> Handler:
    """Turn a handler's errors into statuses. Nothing unexpected is told to the caller."""

    @functools.wraps(handler)
    async def wrapper(self: object, request: object, context: Context) -> object:
        try:
            return await handler(self, request, context)
        except GlasstapeError as error:
            await abort(context, error)
        except (grpc.aio.AbortError, grpc.RpcError):
            raise
        except Exception as error:
            await abort_unexpected(context, error, handler.__qualname__)

    return wrapper  # type: ignore[return-value]


async def abort_unexpected(context: Context, error: Exception, what: str) -> NoReturn:
    """End a call with INTERNAL; what went wrong is for the log alone."""
    await abort(context, unexpected(error, what))


def unexpected(error: Exception, what: str) -> Internal:
    """What a caller is told of an error that nobody foresaw; the log gets the whole of it, under the call's id."""
    named = id_of(request_id.get())
    log.error("%s failed, request %s", what, named, exc_info=error)
    return Internal(
        "INTERNAL", f"internal error; the server's log has it under {named}", metadata={"request": named}
    )


async def abort(context: Context, error: GlasstapeError) -> NoReturn:
    """End a call with a domain error."""
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
        raise InvalidArgument(
            "MESSAGE_TOO_LARGE",
            f"a message of {len(message)} bytes is larger than {MAX_MESSAGE_BYTES}, the most allowed",
            metadata={"limit": str(MAX_MESSAGE_BYTES), "size": str(len(message))},
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
        rule = f"must be an encoded {kind.DESCRIPTOR.full_name}, is {len(payload)} bytes that are none"
        raise InvalidArgument.field("request", rule) from None
