"""Connections whose TLS handshake began, and those that sent a call: the others failed, which only gRPC's core sees."""

import logging
import time
from collections import OrderedDict, deque
from collections.abc import Callable

log = logging.getLogger(__name__)

GRACE_S = 12.0
"""Seconds after the start of its handshake within which a connection should send a call: a handshake takes up to 10."""
REPORT_INTERVAL_S = 600.0
"""Least time between two log lines."""
MAX_PEERS = 65_536
"""Peers that are remembered, the latest ones."""


class TlsConnections:
    """Counts of a server's TLS connections. Handshakes begin on a thread of gRPC, calls on the event loop."""

    def __init__(self, now: Callable[[], float] = time.monotonic) -> None:
        self._now = now
        self._peers: OrderedDict[str, None] = OrderedDict()
        self._countable = True
        """Whether peers can be distinguished: those of a socket have no port."""
        self._snapshots: deque[tuple[float, int]] = deque()
        """Times of checks, and how many handshakes had begun."""
        self._reported = 0
        self._report_after = float("-inf")
        self.begun = 0
        """Connections whose handshake began."""
        self.used = 0
        """Connections that sent a call."""

    def handshake_began(self) -> None:
        """Count a connection."""
        self.begun += 1

    def called(self, peer: str) -> None:
        """Count the connection of a call, unless it sent one before.

        Args:
            peer: of the connection, as gRPC names it.
        """
        self._countable = self._countable and not peer.startswith("unix")
        if peer in self._peers:
            self._peers.move_to_end(peer)
            return
        self.used += 1
        self._peers[peer] = None
        if len(self._peers) > MAX_PEERS:
            self._peers.popitem(last=False)

    def check(self) -> None:
        """Log how many connections sent no call, if there are new ones; call this every few seconds."""
        now = self._now()
        self._snapshots.append((now, self.begun))
        while len(self._snapshots) > 1 and self._snapshots[1][0] <= now - GRACE_S:
            self._snapshots.popleft()
        first, begun = self._snapshots[0]
        unused = begun - self.used
        if (
            not self._countable
            or first > now - GRACE_S
            or unused <= self._reported
            or now < self._report_after
        ):
            return
        log.warning(
            "tls: %d connections sent no call: their handshakes failed (plaintext clients or probes, an untrusted "
            "certificate), or they only opened the port; `glasstape doctor` on the client's machine names the cause",
            unused - self._reported,
        )
        self._reported, self._report_after = unused, now + REPORT_INTERVAL_S
