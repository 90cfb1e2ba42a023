"""Which server runs the pipeline: a lease that the brokers keep decides which one tries, the journal's fence which one
succeeds."""

import asyncio
import json
import logging
import secrets
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from glasstape_server.broker.append import StaleFence
from glasstape_server.broker.connection import BrokerRefused, BrokerUnavailable
from glasstape_server.broker.key_value import Bucket, Value

log = logging.getLogger(__name__)

POLL_S = 0.25
"""Between two looks at the lease."""
RENEW_S = 1.0
"""Between two renewals of the lease."""
LEASE_S = 3.0
"""Time without a renewal after which another server takes over. Only time counts in which the brokers answer: while
they elect a leader of their own, no server can renew."""
_KEY = "leader"


@dataclass(frozen=True, slots=True)
class LeaderLease:
    """The holder of the lease, as the brokers keep it."""

    member: str
    """Id of the server; empty: it was handed over, any server may take it."""
    term: str
    """Random, of one period of leadership."""


class Leadership:
    """Takes the lease when it is free, renews it, and tells when it was gained or lost."""

    def __init__(
        self,
        bucket: Bucket,
        member: str,
        *,
        eligible: Callable[[], bool],
        on_gained: Callable[[], Awaitable[None]],
        on_lost: Callable[[], Awaitable[None]],
    ) -> None:
        """Describe a candidate; `run` makes it one.

        Args:
            bucket: that holds the lease.
            member: id of this server.
            eligible: whether this server may lead now.
            on_gained: called when the lease was taken; must not take long.
            on_lost: called when another server has it, or it could not be renewed.
        """
        self._bucket = bucket
        self._member = member
        self._eligible = eligible
        self._on_gained, self._on_lost = on_gained, on_lost
        self._term = ""
        """Of the lease that this server holds; empty: it holds none."""
        self._tried = ""
        """Term of the lease that this server last tried to take: the answer may have been lost."""
        self.leader = ""
        """Id of the server that leads, as last seen; empty: none does."""
        self._seen = 0
        """Revision of the lease as last seen."""
        self._unchanged_s = 0.0
        """Time for which that revision has been seen, while the brokers answered."""
        self._looked = self._renewed = float("-inf")
        self.last_error = ""
        """Why the lease cannot be checked now; empty: it can."""

    @property
    def leads(self) -> bool:
        """Whether this server holds the lease."""
        return bool(self._term)

    async def run(self) -> None:
        """Stand for leadership until canceled."""
        while True:
            try:
                await self._look()
                self.last_error = ""
            except (BrokerUnavailable, BrokerRefused) as error:
                self.last_error = str(error)
                log.debug("leadership: %s", error)
                await self._without_lease()
            except Exception:  # a server that cannot check its lease must not lead on
                self.last_error = "the lease cannot be checked; see the log"
                log.exception("leadership: the lease cannot be checked")
                await self._without_lease()
            await asyncio.sleep(POLL_S)

    async def hand_over(self) -> None:
        """Give the lease up, so that another server takes it at once.

        Raises:
            BrokerUnavailable: no answer came; the lease runs out by itself.
        """
        if self._term:
            self._term = self.leader = ""
            try:
                await self._bucket.put(_KEY, json.dumps({"member": "", "term": ""}).encode(), self._seen)
            except StaleFence:
                log.info("leadership: another server has taken over already")

    async def _look(self) -> None:
        value = await self._bucket.get(_KEY)
        now = time.monotonic()
        lease = _parsed(value)
        revision = value.revision if value is not None else 0
        self.leader = lease.member
        if revision != self._seen:
            self._seen, self._unchanged_s = revision, 0.0
        else:
            self._unchanged_s += min(now - self._looked, 2 * POLL_S)
        self._looked = now
        if self._term and lease.term != self._term:
            log.warning("leadership: server %s has taken over", lease.member or "none")
            await self._lose()
        elif self._term:
            if now - self._renewed >= RENEW_S:
                await self._write(self._term)
        elif lease.term and lease.term == self._tried:
            await self._gain(lease.term)
        elif self._eligible() and self._is_free(lease):
            self._tried = secrets.token_hex(8)
            if await self._write(self._tried):
                await self._gain(self._tried)

    def _is_free(self, lease: LeaderLease) -> bool:
        """Return whether the lease was handed over, has run out, or is that of this server before its restart."""
        return lease.member in ("", self._member) or self._unchanged_s >= LEASE_S

    async def _gain(self, term: str) -> None:
        self._term, self._tried, self.leader = term, "", self._member
        self._renewed = time.monotonic()
        log.info("leadership: this server leads")
        await self._on_gained()

    async def _write(self, term: str) -> bool:
        """Write the lease; return whether it was still as last seen."""
        value = json.dumps({"member": self._member, "term": term}).encode()
        try:
            self._seen = await self._bucket.put(_KEY, value, self._seen)
        except StaleFence:
            return False  # the next look shows which server has it
        self._renewed, self._unchanged_s = time.monotonic(), 0.0
        return True

    async def _without_lease(self) -> None:
        """Lead no more once the lease could not be renewed for `LEASE_S`."""
        self._looked = time.monotonic()
        self._unchanged_s = 0.0
        if self._term and time.monotonic() - self._renewed > LEASE_S:
            log.warning("leadership: the lease could not be renewed for %g s", LEASE_S)
            await self._lose()

    async def _lose(self) -> None:
        self._term = ""
        await self._on_lost()


async def read_leader(bucket: Bucket) -> LeaderLease:
    """Return the lease as the brokers keep it.

    Raises:
        BrokerUnavailable: no answer came.
        BrokerRefused: the bucket is gone.
    """
    return _parsed(await bucket.get(_KEY))


def _parsed(value: Value | None) -> LeaderLease:
    if value is None or not value.data:
        return LeaderLease("", "")
    fields = json.loads(value.data)
    return LeaderLease(str(fields["member"]), str(fields["term"]))
