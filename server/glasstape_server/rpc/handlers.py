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
from glasstape_server.operations.request_id import request_id, request_id_or_new
from glasstape_server.rpc.status import code_of, trailing_metadata

log = logging.getLogger(__name__)

caller: contextvars.ContextVar[Principal] = contextvars.ContextVar("caller", default=ANYBODY)
"""Who the running call was admitted as."""

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
    named = request_id_or_new(request_id.get())
    log.error("%s failed, request %s", what, named, exc_info=error)
    return Internal(
        "INTERNAL", f"internal error; the server's log has it under {named}", metadata={"request": named}
    )


async def abort(context: Context, error: GlasstapeError) -> NoReturn:
    """End a call with a domain error."""
    await context.abort(code_of(error), error.message, trailing_metadata(error))
    raise AssertionError("abort raises")


def parsed(kind: type[M], payload: bytes) -> M:
    """A request of its bytes.

    Raises:
        InvalidArgument: they are none.
    """
    try:
        return kind.FromString(payload)
    except DecodeError:
        rule = f"must be an encoded {kind.DESCRIPTOR.full_name}, is {len(payload)} bytes that are none"
        raise InvalidArgument.field("request", rule) from None
