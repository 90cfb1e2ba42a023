"""Outages of a connection: each is logged once, with its end, and counted."""

import logging
import time

from glasstape._resume import LASTING_SECONDS
from glasstape.types.signals import Disconnected, Opened, SequenceGap, StreamMessage
from glasstape.types.stream_enums import OpenResult

log = logging.getLogger("glasstape")


class OutageLog:
    """Logs each outage once, and its end when the new connection has lasted; logs lost events.

    A reader of `messages` of a stream passes every message to `note`.

    Args:
        address: of the server.
        lost: what the log says of the beginning of an outage.
        ended: the same of its end.
    """

    def __init__(
        self,
        address: str,
        *,
        lost: str = "no connection, trying again",
        ended: str = "connected again",
    ) -> None:
        self._address, self._lost, self._ended = address, lost, ended
        self._since: float | None = None
        self._back_since: float | None = None
        self.connected = False
        """Whether there was a connection at any time."""
        self.error: Exception | None = None
        """Why there is no connection now; None: there is one, or none was tried."""
        self.outages = 0
        """Outages that were logged."""
        self.gaps = 0
        """Ranges of events, and whole histories, that were lost."""

    def note(self, message: StreamMessage) -> None:
        """Note a message of a stream."""
        if isinstance(message, Disconnected):
            self.begin(message.error)
        elif isinstance(message, SequenceGap):
            self.gaps += 1
            log.warning(
                "%s: events %d to %d are lost: %s",
                self._address,
                message.first_sequence,
                message.last_sequence,
                message.reason.value,
            )
        else:
            if isinstance(message, Opened) and message.result is OpenResult.RESET:
                self.gaps += 1
                log.warning("%s: the server has a new history: %s", self._address, message.reset_reason.value)
            self._note_connection()

    def begin(self, error: Exception) -> None:
        """Note that there is no connection."""
        self.error, self._back_since = error, None
        if self._since is None:
            self._since = time.monotonic()
            self.outages += 1
            log.warning("%s: %s: %s", self._address, self._lost, error)

    def end(self) -> None:
        """Note that there is a connection that lasts."""
        self.connected, self.error = True, None
        if self._since is not None:
            log.warning("%s: %s after %.0f s", self._address, self._ended, time.monotonic() - self._since)
            self._since = self._back_since = None

    def _note_connection(self) -> None:
        """Note that a message came over a connection."""
        self.connected, self.error = True, None
        if self._since is None:
            return
        if self._back_since is None:
            self._back_since = time.monotonic()
        elif time.monotonic() - self._back_since >= LASTING_SECONDS:
            self.end()
