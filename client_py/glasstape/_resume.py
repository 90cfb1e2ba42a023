"""The state of a resuming stream, without any waiting or sending: shared by both clients."""

import random
from datetime import timedelta

from glasstape._convert.signals import message_from
from glasstape.errors import (
    DataLossError,
    GlasstapeError,
    InternalError,
    OutOfRangeError,
    OverloadedError,
    UnavailableError,
)
from glasstape.types.enums import Method
from glasstape.types.signals import Disconnected, Gap, Goodbye, Opened, StreamMessage
from glasstape.v1 import signals_pb2 as pb

FIRST_DELAY = 0.2
LONGEST_DELAY = 5.0
"""Seconds between two attempts, before jitter."""
LONGEST_AWAY = 1.0
"""The same while nobody answers: whoever comes back is to be found within two seconds."""
SILENCE_FACTOR = 3.0
"""A stream that is silent for this many heartbeat intervals (and a second) is taken for dead."""


class StreamState:
    """Where a stream stands, and what to do about a failure."""

    def __init__(self, request: pb.SignalsRequest, heatmap_method: Method) -> None:
        self._request = request
        self._heatmap_method = heatmap_method
        self._failures = 0
        self.resume_token = request.resume_token
        """Token behind the last message that was handled completely."""
        self.through_sequence = 0
        """Every matching event up to here was delivered, conflated or declared lost."""
        self.epoch = ""
        self._next_token = self.resume_token
        self._next_through = 0
        self.delay = 0.0
        """Seconds to wait before the next attempt."""

    @property
    def silence(self) -> float:
        """Seconds without any message after which the connection is given up."""
        return self._request.heartbeat_interval.ToMicroseconds() / 1e6 * SILENCE_FACTOR + 1.0

    def request(self) -> pb.SignalsRequest:
        """The request of the next attempt."""
        request = pb.SignalsRequest()
        request.CopyFrom(self._request)
        request.resume_token = self.resume_token
        return request

    def accept(self, response: pb.SignalsResponse) -> StreamMessage | None:
        """Take a response. Its token counts only once `handled` is called.

        Raises:
            DataLossError: it holds values that the contract does not allow.
        """
        try:
            message = message_from(response, self._heatmap_method)
        except (KeyError, OverflowError, ValueError) as error:
            raise DataLossError(f"the server sent what the contract does not allow: {error!r}") from None
        self._next_token = response.resume_token or self.resume_token
        if isinstance(message, Opened):
            if message.result.name == "RESET":
                self.resume_token = self._next_token = b""
                self.through_sequence = 0
            self.epoch = message.epoch
        elif isinstance(message, Goodbye):
            self.delay = message.retry_delay.total_seconds() * random.uniform(0.5, 1.5)  # noqa: S311
        self._failures = 0
        self._next_through = response.through_sequence or self.through_sequence
        return message

    def handled(self) -> None:
        """The caller has taken everything of the last response."""
        self.resume_token, self.through_sequence = self._next_token, self._next_through

    def failed(self, error: GlasstapeError) -> Gap | Disconnected:
        """What to tell the caller; then wait `delay` seconds and connect again.

        Raises:
            GlasstapeError: trying again cannot help.
        """
        if isinstance(error, OutOfRangeError) and self.resume_token:
            # The journal no longer reaches back: say what is lost, and go on with all that it still has.
            self._request.start = pb.START_EARLIEST
            earliest = int(error.metadata.get("earliest_sequence", "0"))
            first = int(error.metadata.get("sequence", "0")) + 1
            self.resume_token, self.delay = b"", 0.0
            return Gap(first_sequence=first, last_sequence=max(first, earliest - 1), reason=error.message)
        if not isinstance(error, UnavailableError | OverloadedError | InternalError):
            raise error
        self._failures += 1
        most = LONGEST_AWAY if isinstance(error, UnavailableError) else LONGEST_DELAY
        longest = min(most, FIRST_DELAY * 2 ** (self._failures - 1))
        self.delay = max(error.retry_after or 0.0, random.uniform(longest / 2, longest))  # noqa: S311
        return Disconnected(error=error, retry_in=timedelta(seconds=self.delay), attempt=self._failures)
