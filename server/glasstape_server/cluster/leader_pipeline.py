"""The pipeline of a cluster: it runs on the server that leads, and on no other."""

import asyncio
import logging
from collections.abc import Callable, Sequence
from typing import Protocol

from glasstape_server.broker.connection import BrokerRefused, BrokerUnavailable
from glasstape_server.domain.backlog import Backlog
from glasstape_server.domain.errors import GlasstapeError
from glasstape_server.signals.gather import BarClose
from glasstape_server.signals.journal.journal import AppendUnknown
from glasstape_server.signals.pipeline import Pipeline

log = logging.getLogger(__name__)

RETRY_S = 0.5
"""Pause before a server that leads tries again to catch up."""
FINISH_S = 0.25
"""Time that a server which hands over takes to finish what is pending; the next leader does the rest."""


class Candidate(Protocol):
    """A server that may lead."""

    async def catch_up(self) -> None:
        """Apply everything that the brokers have committed."""
        ...

    async def stand(self) -> None:
        """Stand for leadership."""
        ...

    async def withdraw(self) -> None:
        """Stand for leadership no more."""
        ...

    async def hand_over(self) -> None:
        """Give leadership up, if this server has it."""
        ...


class LeaderPipeline:
    """Makes a pipeline when this server gains leadership, once it has applied everything; ends it when it loses it."""

    def __init__(self, make: Callable[[], Pipeline], candidate: Candidate) -> None:
        """Describe the pipeline.

        Args:
            make: makes a pipeline that has not started.
            candidate: this server, which may come to lead.
        """
        self._make = make
        self._candidate = candidate
        self._current: Pipeline | None = None
        self._starting: asyncio.Task[None] | None = None
        self._catch_up_error = ""

    @property
    def degraded_reason(self) -> str:
        """Why this server, as the leader, signals nothing now; empty: it signals, or does not lead."""
        return self._current.degraded_reason if self._current is not None else self._catch_up_error

    def backlog(self) -> Backlog:
        """Return the backlog of the leader; a follower has none of its own."""
        return self._current.backlog() if self._current is not None else Backlog(0, 0)

    def notify(self, closed: Sequence[BarClose]) -> None:
        """Take bars that are durable: to signal them if this server leads."""
        if self._current is not None:
            self._current.notify(closed)

    async def start(self) -> None:
        """Stand for leadership: only the server that leads signals."""
        await self._candidate.stand()

    async def stop(self, timeout_s: float) -> None:
        """Finish what is pending, for a moment, then hand leadership over: the next leader goes on."""
        await self._candidate.withdraw()
        await self.follow(min(timeout_s, FINISH_S))
        await self._candidate.hand_over()

    async def lead(self) -> None:
        """Begin to signal what is not signaled yet, in the background."""
        self._starting = asyncio.create_task(self._start())

    async def follow(self, finish_s: float = 0.0) -> None:
        """Stop to signal.

        Args:
            finish_s: longest time in which what is pending is finished, in seconds.
        """
        starting, self._starting = self._starting, None
        if starting is not None:
            starting.cancel()
            await asyncio.wait([starting])
        current, self._current = self._current, None
        self._catch_up_error = ""
        if current is not None:
            await current.stop(finish_s)

    async def _start(self) -> None:
        while True:
            try:
                await self._candidate.catch_up()
                self._catch_up_error = ""
                self._current = self._make()
                await self._current.start()
                return
            except (BrokerUnavailable, BrokerRefused, AppendUnknown, GlasstapeError) as error:
                self._catch_up_error = f"this server leads and cannot begin to signal: {error}"
                log.warning("leadership: %s", self._catch_up_error)
            except Exception:
                self._catch_up_error = "this server leads and cannot begin to signal; see the log"
                log.exception("leadership: the pipeline cannot start")
            self._current = None
            await asyncio.sleep(RETRY_S)
