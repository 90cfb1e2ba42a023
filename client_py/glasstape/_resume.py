"""The state of a resuming stream, without waiting or sending: shared by both clients."""

import random
from datetime import timedelta

import grpc

from glasstape._convert.common import as_delta, checking
from glasstape._convert.signals import message_from
from glasstape.errors import (
    ErrorReason,
    GlasstapeError,
    InternalError,
    InvalidRequestError,
    OutOfRangeError,
    OverloadedError,
    UnavailableError,
    from_rpc,
)
from glasstape.types.enums import Method
from glasstape.types.signals import Disconnected, Goodbye, Opened, SequenceGap, StreamMessage
from glasstape.types.stream_enums import GapReason, OpenResult
from glasstape.v1 import signals_pb2 as pb

FIRST_DELAY = 0.2
LONGEST_DELAY = 5.0
"""Seconds between two attempts, before jitter."""
LONGEST_DELAY_UNAVAILABLE = 1.0
"""The same after UNAVAILABLE: a server that is back must be found within two seconds."""
SILENT = "STREAM_SILENT"
"""Reason of the error of a connection that was silent for too long."""


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

    def request(self) -> pb.SignalsRequest:
        """Return the request of the next attempt."""
        request = pb.SignalsRequest()
        request.CopyFrom(self._request)
        request.resume_token = self.resume_token
        return request

    def accept(self, response: pb.SignalsResponse) -> StreamMessage | None:
        """Return the message of a response. Its token becomes the position when `handled` is called.

        Raises:
            DataLossError: it holds values that the contract does not allow.
        """
        with checking("a message of the stream"):
            message = message_from(response, self._heatmap_method)
        self._next_token = response.resume_token or self.resume_token
        if isinstance(message, Opened):
            if message.result is OpenResult.RESET:
                self.resume_token = self._next_token = b""
                self.through_sequence = 0
            self.epoch = message.epoch
        elif isinstance(message, Goodbye):
            self.delay = message.retry_delay.total_seconds() * random.uniform(0.5, 1.5)  # noqa: S311
        self._failures = 0
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
        # The same token is accepted again, with its new scopes.
        changed = error.reason == ErrorReason.TOKEN_CHANGED
        if not (changed or isinstance(error, UnavailableError | OverloadedError | InternalError)):
            raise error
        self._failures += 1
        most = LONGEST_DELAY_UNAVAILABLE if isinstance(error, UnavailableError) else LONGEST_DELAY
        longest = min(most, FIRST_DELAY * 2 ** (self._failures - 1))
        self.delay = max(error.retry_after or 0.0, random.uniform(longest / 2, longest))  # noqa: S311
        return Disconnected(error=error, retry_in=timedelta(seconds=self.delay), attempt=self._failures)


def silent() -> UnavailableError:
    """Return the error of a connection that was silent for too long."""
    return UnavailableError("the stream was silent for too long", reason=SILENT)


def broken(error: grpc.RpcError) -> GlasstapeError:
    """Return the error of a connection that failed. One that the peer canceled can be opened again."""
    if error.code() is grpc.StatusCode.CANCELLED:
        return UnavailableError("the stream was canceled by the peer")
    return from_rpc(error)


def _silence(request: pb.SignalsRequest, timeout: timedelta | float | None) -> float:
    if timeout is None:
        return 3 * request.heartbeat_interval.ToMicroseconds() / 1e6 + 1.0
    seconds = as_delta(timeout).total_seconds()
    if not seconds > 0:
        raise InvalidRequestError.field("silence_timeout", f"must be above 0 s, is {seconds:g} s")
    return seconds
