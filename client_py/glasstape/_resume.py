"""The state of a resuming stream, without waiting or sending: shared by both clients."""

import random
import time
from datetime import timedelta

import grpc

from glasstape._convert.batches import BatchResponse
from glasstape._convert.common import checking
from glasstape._convert.signals import message_from
from glasstape._diagnosis import LASTING
from glasstape._fork import FORKED
from glasstape._options import timeout_of
from glasstape.errors import (
    ErrorReason,
    GlasstapeError,
    InternalError,
    OutOfRangeError,
    OverloadedError,
    PreconditionError,
    UnavailableError,
)
from glasstape.types.enums import Method
from glasstape.types.signals import Disconnected, Goodbye, Opened, SequenceGap, StreamMessage
from glasstape.types.stream_enums import GapReason, OpenResult
from glasstape.v1 import signals_pb2 as pb

FOLLOW = ("/glasstape.v1.SignalService/Signals", pb.SignalsResponse)
"""The stream's path, and the class of its messages, which `StreamResponse` reads."""
CONTRACT = "1"
"""Major version of the contract that this package implements."""
FIRST_DELAY = 0.2
LONGEST_DELAY = 5.0
"""Seconds between two attempts, before jitter."""
LONGEST_DELAY_UNAVAILABLE = 1.0
"""The same without a connection: a server that is back must be found within two seconds."""
LASTING_SECONDS = 2.0
"""Age from which a connection has lasted: the next pause is the shortest again."""
SILENT = "STREAM_SILENT"
"""Reason of the error of a connection that was silent for too long."""
READ_TWICE = "STREAM_READ_TWICE"
"""Reason of the error of a stream that is read a second time."""
CONTRACT_MISMATCH = "CONTRACT_MISMATCH"
"""Reason of the error of a server with another major version of the contract."""


class StreamState:
    """The position of a stream, and what follows a failure.

    Args:
        request: the first request; a resume token in it is the first position.
        heatmap_method: method of the heat maps that the request asks for.
        silence_timeout: seconds without a message after which a connection is considered dead; None: three
            heartbeat intervals and a second.

    Raises:
        InvalidRequestError: the silence timeout is not above 0.
    """

    def __init__(
        self,
        request: pb.SignalsRequest,
        heatmap_method: Method,
        silence_timeout: timedelta | float | None = None,
    ) -> None:
        self._request = request
        self._heatmap_method = heatmap_method
        self._failures = 0
        """Connections that failed since one has lasted."""
        self._opened_at: float | None = None
        self._goodbye = False
        self.silence = _silence(request, silence_timeout)
        """Seconds without a message after which the connection is considered dead."""
        self.resume_token = request.resume_token
        """Token of the last message that was handled completely."""
        self.through_sequence = 0
        """Every matching event up to here was delivered, conflated or declared lost."""
        self.epoch = ""
        self._next_token = self.resume_token
        self._next_through = 0
        self.delay = 0.0
        """Seconds to wait before the next attempt."""

    def opening(self) -> None:
        """Begin an attempt."""
        self.delay, self._opened_at, self._goodbye = 0.0, None, False

    @property
    def lasting(self) -> bool:
        """Return whether the connection has lasted."""
        return self._opened_at is not None and time.monotonic() - self._opened_at >= LASTING_SECONDS

    def request(self) -> pb.SignalsRequest:
        """Return the request of the next attempt."""
        request = pb.SignalsRequest()
        request.CopyFrom(self._request)
        request.resume_token = self.resume_token
        return request

    def accept(self, response: pb.SignalsResponse | BatchResponse) -> StreamMessage | None:
        """Return the message of a response. Its token becomes the position when `handled` is called.

        Raises:
            DataLossError: it holds values that the contract does not allow.
            PreconditionError: the server has another major version of the contract.
        """
        if self._opened_at is None:
            self._opened_at = time.monotonic()
        with checking("a message of the stream"):
            message = message_from(response, self._heatmap_method)
        self._next_token = response.resume_token or self.resume_token
        if isinstance(message, Opened):
            _check_contract(message.contract_version)
            if message.result is OpenResult.RESET:
                self.resume_token = self._next_token = b""
                self.through_sequence = 0
            self.epoch = message.epoch
        elif isinstance(message, Goodbye):
            self.delay = message.retry_delay.total_seconds() * random.uniform(0.5, 1.5)  # noqa: S311
            self._goodbye = True
        self._next_through = response.through_sequence or self.through_sequence
        return message

    def handled(self) -> None:
        """Move the position to the last response."""
        self.resume_token, self.through_sequence = self._next_token, self._next_through

    def failed(self, error: GlasstapeError) -> SequenceGap | Disconnected:
        """Return the message for the caller; then wait `delay` seconds and connect again.

        Raises:
            GlasstapeError: retrying does not help.
        """
        if isinstance(error, OutOfRangeError) and self.resume_token:
            # The journal no longer reaches back: report what is lost, and go on with all that it still has.
            self._request.start = pb.SignalsRequest.START_EARLIEST
            earliest = int(error.metadata.get("earliest_sequence", "0"))
            first = int(error.metadata.get("sequence", "0")) + 1
            self.resume_token, self.delay = b"", 0.0
            return SequenceGap(
                first_sequence=first, last_sequence=max(first, earliest - 1), reason=GapReason.NOT_RETAINED
            )
        if error.reason in LASTING:
            raise error
        # The same token is accepted again, with its new scopes.
        changed = error.reason == ErrorReason.TOKEN_CHANGED
        if not (changed or isinstance(error, UnavailableError | OverloadedError | InternalError)):
            raise error
        unreachable = isinstance(error, UnavailableError) and self._opened_at is None
        pause = self._pause(LONGEST_DELAY_UNAVAILABLE if unreachable else LONGEST_DELAY)
        self.delay = max(error.retry_after or 0.0, pause)
        return Disconnected(error=error, retry_in=timedelta(seconds=self.delay), attempt=self._failures)

    def over(self) -> Disconnected | None:
        """Return the message for the caller when the server has ended the stream without an error."""
        if not self._goodbye:
            return self._disconnected_at_end()
        self.delay = max(self.delay, 0.0 if self.lasting else self._pause(LONGEST_DELAY))
        return None

    def _disconnected_at_end(self) -> Disconnected:
        self.delay = self._pause(LONGEST_DELAY)
        error = UnavailableError("the server ended the stream")
        return Disconnected(error=error, retry_in=timedelta(seconds=self.delay), attempt=self._failures)

    def _pause(self, most: float) -> float:
        """Return the seconds until the next attempt; they grow until a connection has lasted."""
        self._failures = 1 if self.lasting else self._failures + 1
        longest = min(most, FIRST_DELAY * 2 ** min(self._failures - 1, 10))
        return random.uniform(longest / 2, longest)  # noqa: S311


def silent() -> UnavailableError:
    """Return the error of a connection that was silent for too long."""
    return UnavailableError("the stream was silent for too long", reason=SILENT)


def ended(error: grpc.RpcError, failure: GlasstapeError) -> GlasstapeError:
    """Return the error of a stream that failed. One that the peer reset can be opened again."""
    if error.code() is grpc.StatusCode.CANCELLED:
        return UnavailableError("the peer reset the stream (CANCELLED)")
    return failure


def read_twice() -> PreconditionError:
    """Return the error of a stream that is read a second time."""
    return PreconditionError(
        "this stream was read before: continue with signals(resume_token=stream.resume_token)",
        reason=READ_TWICE,
    )


def inherited() -> PreconditionError:
    """Return the error of a stream of the process that this one was forked from."""
    return PreconditionError(
        "this stream was opened before the fork: open one in this process", reason=FORKED
    )


def _check_contract(version: str) -> None:
    major = version.partition(".")[0]
    if major.isdecimal() and major != CONTRACT:  # recorded sessions may have none
        raise PreconditionError(
            f"the server has contract {version}, this package needs {CONTRACT}.x: install the version of the server",
            reason=CONTRACT_MISMATCH,
            metadata={"contract": version},
        )


def _silence(request: pb.SignalsRequest, timeout: timedelta | float | None) -> float:
    if timeout is None:
        return 3 * request.heartbeat_interval.ToMicroseconds() / 1e6 + 1.0
    return timeout_of(timeout, "silence_timeout")
