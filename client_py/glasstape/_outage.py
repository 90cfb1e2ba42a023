"""What a stream logs without a handler of notices: outages, their ends, and lost events."""

import logging
import time

from glasstape.types.signals import Disconnected, Opened, SequenceGap, StreamMessage
from glasstape.types.stream_enums import OpenResult

log = logging.getLogger("glasstape")


class OutageLog:
    """Logs each outage once, and its end when the new connection has lasted.

    Args:
        address: of the server.
    """

    def __init__(self, address: str) -> None:
        self._address = address
        self._since: float | None = None

    def notice(self, message: StreamMessage) -> None:
        """Log a message that is no batch of events."""
        if isinstance(message, Disconnected):
            if self._since is None:
                self._since = time.monotonic()
                log.warning("%s: no connection, trying again: %s", self._address, message.error)
        elif isinstance(message, SequenceGap):
            log.warning(
                "%s: events %d to %d are lost: %s",
                self._address,
                message.first_sequence,
                message.last_sequence,
                message.reason.value,
            )
        elif isinstance(message, Opened) and message.result is OpenResult.RESET:
            log.warning("%s: the server has a new history: %s", self._address, message.reset_reason.value)

    def lasting(self) -> None:
        """Note that the connection has lasted."""
        if self._since is not None:
            log.warning("%s: connected again after %.0f s", self._address, time.monotonic() - self._since)
            self._since = None
