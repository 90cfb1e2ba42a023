"""State of the connection: reason of a disconnect, the market's clock, latency, and whether this is a replay."""

import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum

from glasstape import (
    AuthenticationError,
    CalibrationState,
    ConfidenceEvent,
    DataState,
    Disconnected,
    GlasstapeError,
    Goodbye,
    Heartbeat,
    Opened,
    OpenResult,
    PermissionDeniedError,
)

CONTRACT = "1"
"""Major version of the contract that this desktop supports."""
SILENCE_S = 2.5
"""Seconds without a message after which the data counts as stale; the server sends a heartbeat every second."""
MAX_LATENCY_S = 3600.0
"""Larger differences are those of a recorded session, and are ignored."""
MIN_SAMPLES = 5
MAX_SAMPLES = 2000
"""Latencies that the percentiles are taken over."""


class LinkState(StrEnum):
    """State of the connection to the server."""

    CONNECTING = "connecting"
    CONNECTED = "connected"
    SILENT = "silent"
    """Connected, but no message arrives."""
    WAITING = "waiting"
    """Disconnected; a retry is scheduled."""
    ENDED = "ended"
    """Disconnected; a retry cannot help."""


@dataclass(frozen=True)
class DisconnectReason:
    """Why the connection is down: a key of the language files and the values of its placeholders."""

    key: str
    values: dict[str, str]


class Connection:
    """Tracks the notices of the stream. `now` is a monotonic clock, `wall` the wall clock, both in seconds."""

    def __init__(
        self, now: Callable[[], float] = time.monotonic, wall: Callable[[], float] = time.time
    ) -> None:
        self._now, self._wall = now, wall
        self.state = LinkState.CONNECTING
        self.disconnect_reason: DisconnectReason | None = None
        self.retry_at: float | None = None
        """Monotonic second of the next retry."""
        self.attempt = 0
        self.lost_events = 0
        """Events in gaps that the server reported."""
        self.resumes = 0
        """How often the stream was resumed after the last event."""
        self.resets = 0
        """How often the server had started a new history."""
        self.heartbeats = 0
        self.data_state = DataState.UNSPECIFIED
        self.calibration = CalibrationState.UNKNOWN
        """Live calibration of the active model."""
        self.drifted = False
        """Whether the inputs of the active model no longer resemble its training data."""
        self._market: tuple[datetime, float] | None = None
        self._speed: float | None = None
        self._last_message = now()
        self._offset: float | None = None
        self._clock_difference: float | None = None
        self._latencies: deque[float] = deque(maxlen=MAX_SAMPLES)

    @property
    def replay(self) -> bool:
        """Whether the data is historical, on a simulated clock."""
        return self.data_state is DataState.REPLAY

    @property
    def replay_speed(self) -> float | None:
        """Market seconds per second of a replay; None until it is known."""
        return self._speed if self.replay else None

    @property
    def fresh(self) -> bool:
        """Whether the rows are up to date."""
        return self.state is LinkState.CONNECTED and self.data_state is not DataState.STALE

    def market_now(self) -> datetime:
        """Return the time on the market's clock; that of a replay advances with its bars."""
        if self._market is None:
            return datetime.fromtimestamp(self._wall(), UTC)
        moment, received = self._market
        return moment if self.replay else moment + timedelta(seconds=self._now() - received)

    def retry_in(self) -> float:
        """Return the seconds until the next retry, at least 0."""
        return max(0.0, (self.retry_at or 0.0) - self._now())

    def latency(self) -> tuple[float, float] | None:
        """Return the median and 99th percentile of seconds from publishing to arrival.

        The clocks of server and desktop need not agree: latencies are above that of the fastest message.
        None until there are enough samples.
        """
        if len(self._latencies) < MIN_SAMPLES or self._offset is None:
            return None
        ordered = sorted(latency - self._offset for latency in self._latencies)
        return ordered[len(ordered) // 2], ordered[min(len(ordered) - 1, int(len(ordered) * 0.99))]

    def delay(self, received: float, published: float) -> float:
        """Return the seconds from publishing to arrival, corrected by the clock difference of heartbeats."""
        return received - published - (self._clock_difference or 0.0)

    def mark_alive(self) -> None:
        """Record that a message arrived."""
        self._last_message = self._now()
        if self.state is LinkState.SILENT:
            self.state = LinkState.CONNECTED

    def check_silence(self) -> bool:
        """Become SILENT if no message arrived for `SILENCE_S`; return whether the state changed."""
        if self.state is LinkState.CONNECTED and self._now() - self._last_message > SILENCE_S:
            self.state = LinkState.SILENT
            return True
        return False

    def opened(self, message: Opened) -> None:
        """Handle the start of a stream."""
        if message.contract_version.split(".")[0] != CONTRACT:
            theirs = message.contract_version or "?"
            self.end(DisconnectReason("link.contract", {"theirs": theirs, "ours": CONTRACT}))
            return
        self.state, self.disconnect_reason, self.retry_at, self.attempt = LinkState.CONNECTED, None, None, 0
        self.resumes += message.result is OpenResult.RESUMED
        self.resets += message.result is OpenResult.RESET
        if message.result is OpenResult.RESET:
            self._market = self._speed = None
        self.mark_alive()

    def heartbeat(self, message: Heartbeat) -> None:
        """Handle a heartbeat: clocks, freshness and calibration."""
        self.mark_alive()
        self.heartbeats += 1
        self.data_state = message.data_state
        self.calibration = message.calibration
        self.drifted = message.drifted
        self._update_market_clock(message.market_time)
        offset = self._wall() - message.server_time.timestamp()
        self._offset = _minimum(self._offset, offset)
        self._clock_difference = _minimum(self._clock_difference, offset)

    def add_latency(self, received: float, published: float) -> None:
        """Record the latency of a live batch; both times are wall-clock seconds, of two clocks."""
        latency = received - published
        if abs(latency) < MAX_LATENCY_S:
            self._offset = _minimum(self._offset, latency)
            self._latencies.append(latency)

    def signal(self, event: ConfidenceEvent) -> None:
        """Handle a signal. Only heartbeats set the freshness of a live market: a signal may be an old one."""
        self.mark_alive()
        if self.data_state is DataState.UNSPECIFIED or event.signal.data_state is DataState.REPLAY:
            self.data_state = event.signal.data_state
        if self.replay:
            self._update_market_clock(event.bar_close_time)

    def disconnected(self, message: Disconnected) -> None:
        """Handle a disconnect that will be retried."""
        self.state, self.attempt = LinkState.WAITING, message.attempt
        self.retry_at = self._now() + message.retry_in.total_seconds()
        self.disconnect_reason = reason_of(message.error)

    def goodbye(self, message: Goodbye) -> None:
        """Handle the server's drain notice."""
        self.state = LinkState.WAITING
        self.retry_at = self._now() + message.retry_delay.total_seconds()
        self.disconnect_reason = DisconnectReason("link.goodbye", {})

    def end(self, reason: DisconnectReason) -> None:
        """End the connection for good."""
        self.state, self.disconnect_reason, self.retry_at = LinkState.ENDED, reason, None

    def _update_market_clock(self, moment: datetime) -> None:
        now = self._now()
        if self._market is not None and moment > self._market[0] and now > self._market[1]:
            speed = (moment - self._market[0]).total_seconds() / (now - self._market[1])
            self._speed = speed if self._speed is None else 0.7 * self._speed + 0.3 * speed
        # A replay's heartbeat may carry an earlier time than the newest bar.
        if self._market is None or moment > self._market[0] or not self.replay:
            self._market = (moment, now)


def _minimum(known: float | None, value: float) -> float:
    return value if known is None else min(known, value)


_KEYS = {
    "ADDRESS_UNKNOWN": "link.address",
    "TLS_REQUIRED": "link.tls_required",
    "TLS_NOT_SERVED": "link.tls_not_served",
    "CLIENT_CERTIFICATE_REQUIRED": "link.client_certificate",
    "CLIENT_CERTIFICATE_REJECTED": "link.client_certificate",
}
"""Texts of the errors of a first connection."""


def reason_of(error: GlasstapeError) -> DisconnectReason:
    """Return what a connection error means to the user, and what to do."""
    text = error.message.lower()
    values = {"error": error.message.strip().splitlines()[0] if error.message.strip() else error.code}
    if isinstance(error, AuthenticationError):
        return DisconnectReason("link.token", values)
    if isinstance(error, PermissionDeniedError):
        return DisconnectReason("link.permission", values)
    if error.reason == "CONTRACT_MISMATCH":
        return DisconnectReason(
            "link.contract", {"theirs": error.metadata.get("contract", "?"), "ours": CONTRACT}
        )
    if error.reason in _KEYS:
        return DisconnectReason(_KEYS[error.reason], values)
    if "expired" in text and "certificate" in text:
        return DisconnectReason("link.certificate_expired", values)
    if "other host names" in text:
        return DisconnectReason("link.certificate_name", values)
    if any(word in text for word in ("certificate", "ssl", "handshake")):
        return DisconnectReason("link.certificate", values)
    if any(word in text for word in ("dns", "name resolution", "resolv", "lookup")):
        return DisconnectReason("link.address", values)
    if "refused" in text or "failed to connect" in text:
        return DisconnectReason("link.refused", values)
    if error.reason == "STREAM_SILENT":
        return DisconnectReason("link.silent", values)
    return DisconnectReason("link.error", values)
