"""What the connections of both clients share: settings, open streams, the first failure, the end."""

import threading
import time
import weakref
from datetime import timedelta
from typing import Any, Generic, Protocol, TypeVar

import grpc

from glasstape import _fork
from glasstape._diagnosis import lasting_cause
from glasstape._options import MAX_MESSAGE_BYTES, Settings, timeout_of
from glasstape.errors import (
    DeadlineError,
    ErrorReason,
    GlasstapeError,
    InvalidRequestError,
    PreconditionError,
    UnavailableError,
    from_rpc,
)

CLOSED = "CLIENT_CLOSED"
"""Reason of the error of a client that was closed."""
DIAGNOSIS_INTERVAL_S = 5.0
"""Seconds between two searches for the cause of a failed first connection."""

C = TypeVar("C")


class Stream(Protocol):
    """What a connection does with a stream."""

    def close(self) -> None:
        """End it."""


class Connection(Generic[C]):
    """Owner of a channel, which its first call opens, and of the streams on it."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.closed = False
        self._channel: C | None = None
        self._lock = threading.Lock()
        self._streams: weakref.WeakSet[Any] = weakref.WeakSet()
        self._answered = False
        """Whether the server ever answered: its address and certificates are right."""
        self._diagnosed_at = float("-inf")
        self._cause: UnavailableError | None = None
        """What the last diagnosis found."""
        _fork.track(self)

    def check_open(self) -> None:
        """Check that the connection may be used in this process.

        Raises:
            PreconditionError: it is closed, or gRPC does not work in this process.
        """
        if self.closed:
            raise closed_error()
        _fork.check()

    def seconds(self, timeout: timedelta | float | None) -> float:
        """Return the timeout of a call in seconds; None: that of the connection.

        Raises:
            InvalidRequestError: it is not a finite number above 0.
        """
        return self.settings.timeout if timeout is None else timeout_of(timeout)

    def check_size(self, request: Any) -> None:
        """Check that a request may be sent: gRPC reports one that is too large as an overloaded server.

        Raises:
            InvalidRequestError: it is larger than the contract allows.
        """
        size = request.ByteSize()
        if size > MAX_MESSAGE_BYTES:
            raise InvalidRequestError(
                f"the request must have at most {MAX_MESSAGE_BYTES:,} bytes, has {size:,}: send it in parts",
                reason=ErrorReason.MESSAGE_TOO_LARGE,
            )

    def add(self, stream: Stream) -> None:
        """Make `close` end a stream."""
        self._streams.add(stream)

    def answered(self) -> None:
        """Note that the server answered."""
        self._answered = True

    def failure(self, error: grpc.RpcError) -> GlasstapeError:
        """Return the error of a failed call; it names the proxy that the connection uses."""
        if self.closed:
            return closed_error()
        failure, proxy = from_rpc(error), self.settings.proxy
        if failure.reason or not isinstance(failure, UnavailableError | DeadlineError):
            self._answered = True
        elif proxy is not None and isinstance(failure, UnavailableError):
            return UnavailableError(f"{failure.message} (through the {proxy})")
        return failure

    def misuse(self, error: ValueError) -> Exception:
        """Return the error of a channel that refused a call: another thread has closed it meanwhile."""
        return closed_error() if self.closed else error

    def needs_diagnosis(self, failure: GlasstapeError) -> bool:
        """Return whether to search for the cause of a failure: no connection succeeded yet."""
        return isinstance(failure, UnavailableError) and not failure.reason and not self._answered

    def diagnosed(self, failure: GlasstapeError) -> GlasstapeError:
        """Return the cause of a failed first connection if it is one that lasts, else the failure; blocks.

        A cause holds for `DIAGNOSIS_INTERVAL_S`, then it is searched for again.
        """
        now = time.monotonic()
        if now - self._diagnosed_at >= DIAGNOSIS_INTERVAL_S:
            self._diagnosed_at = now
            self._cause = lasting_cause(self.settings, failure.message)
        cause = self._cause
        return failure if cause is None else UnavailableError(cause.message, reason=cause.reason)

    def interrupt(self) -> None:
        """Do nothing: a fork waits for calls, it does not interrupt them."""

    def fork_obstacle(self) -> str:
        """Return why gRPC will not work in a process forked now; empty: it will."""
        return ""

    def abandon(self) -> list[Any]:
        """Forget the channel of the process that this one was forked from, and return it."""
        channel, self._channel, self._lock = self._channel, None, threading.Lock()
        return [] if channel is None else [channel]

    def _end(self) -> C | None:
        """Close for good, and return the channel to be closed."""
        with self._lock:
            self.closed = True
            channel, self._channel = self._channel, None
        for stream in list(self._streams):
            stream.close()
        return channel


def closed_error() -> PreconditionError:
    """Return the error of a client that was closed."""
    return PreconditionError("this client is closed: create another one", reason=CLOSED)
