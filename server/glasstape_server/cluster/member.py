"""One server of a cluster: its connection, its projections, its part in leadership, and what others see of it."""

import asyncio
import json
import logging
import secrets
import socket
import sqlite3
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import glasstape_server
from glasstape_server.broker.connection import Broker, BrokerAccess, BrokerRefused, BrokerUnavailable
from glasstape_server.broker.streams import StreamState, stream_state
from glasstape_server.cluster.bars import ReplicatedIngest
from glasstape_server.cluster.identity import ClusterNames, Joined, join
from glasstape_server.cluster.leader_pipeline import LeaderPipeline
from glasstape_server.cluster.leadership import Leadership
from glasstape_server.domain.errors import DataLoss
from glasstape_server.market.clock import Clock, wall_time
from glasstape_server.market.store import BarStore
from glasstape_server.operations.components import StreamProgress
from glasstape_server.settings import Settings
from glasstape_server.signals.journal.jetstream.journal import JetStreamJournal
from glasstape_server.signals.journal.jetstream.projection import set_aside
from glasstape_server.signals.journal.journal import AppendUnknown
from glasstape_server.signals.pipeline import Pipeline
from glasstape_server.storage.fence import Holder
from glasstape_server.storage.files import PRIVATE, check_secret, write
from glasstape_server.storage.sqlite import is_transient

log = logging.getLogger(__name__)

ANNOUNCE_S = 2.0
"""Between two notes of a member about itself."""
CATCH_UP_S = 60.0
"""Longest time that a server which starts waits until it has applied what the brokers hold."""
RECONNECT_S = 1.0
MEMBERS = "members."
"""Prefix of the keys under which members note what they are."""


@dataclass(frozen=True, slots=True)
class ClusterSettings:
    """How a server joins its cluster."""

    access: BrokerAccess
    names: ClusterNames
    interval: str
    """Bar interval to publish signals for."""


def cluster_settings(settings: Settings) -> ClusterSettings:
    """Return how a server with these settings joins its cluster.

    Raises:
        ValueError: others may read the credentials.
        OSError: they cannot be read.
    """
    if settings.cluster_credentials is not None:
        check_secret(settings.cluster_credentials, "cluster_credentials: ")
    servers = tuple(settings.cluster.split(","))
    access = BrokerAccess(servers, settings.cluster_credentials, settings.cluster_authorities)
    return ClusterSettings(
        access, ClusterNames(settings.cluster_name, settings.cluster_replicas), settings.interval
    )


class Member:
    """This server as a member of a cluster."""

    def __init__(self, settings: ClusterSettings, folder: Path, clock: Clock, lease: Holder | None) -> None:
        """Join the cluster and open the projections; `start` begins to follow it.

        Args:
            settings: of the cluster.
            folder: of this server's projections.
            clock: market time.
            lease: of the data folder.

        Raises:
            JoinError: the brokers cannot be reached, or are not what a cluster needs.
            AnotherCluster: the folder is another cluster's.
            DataLoss, sqlite3.DatabaseError, OSError: the projections cannot be opened.
        """
        names = settings.names
        joined = _run_apart(settings, folder)
        self.identity = identity = joined.identity
        self._reached = joined.reached
        self.member_id = _member_id(folder)
        self.address = ""
        self._names = names
        self._broker = Broker(settings.access, f"glasstape {self.member_id}")
        self._bucket = names.bucket(self._broker)
        self._clock = clock
        store = _open_bars(folder / "bars.sqlite", settings.interval, lease)
        self.ingest = ReplicatedIngest(store, clock, self._broker, names.bars(identity))
        self.journal = JetStreamJournal(
            folder / "journal.sqlite",
            self._broker,
            names.events(identity),
            identity,
            is_owner=lambda: self.leads,
            lease=lease,
        )
        self._address: Callable[[], str] = lambda: ""
        self.pipeline: LeaderPipeline
        self._leadership: Leadership | None = None
        self._reported: dict[str, StreamState] = {}
        """State of each stream."""
        self._tasks: list[asyncio.Task[None]] = []

    @property
    def leads(self) -> bool:
        """Whether this server holds the lease of leadership."""
        return self._leadership is not None and self._leadership.leads

    @property
    def leader(self) -> str:
        """Id of the server that leads, as last seen; empty: none does."""
        return self._leadership.leader if self._leadership is not None else ""

    @property
    def connected(self) -> bool:
        """Whether a broker is connected."""
        return self._broker.connected

    @property
    def broker_error(self) -> str:
        """Why bars are refused now; empty: they are taken."""
        if not self.connected:
            return "no broker is connected"
        leadership = self._leadership.last_error if self._leadership is not None else ""
        return leadership or self.ingest.stream_error or self.journal.last_error

    @property
    def alarms(self) -> Iterator[str]:
        """Why a stream cannot be followed without a gap, for each that cannot."""
        return filter(None, (self.ingest.alarm, self.journal.alarm))

    @property
    def progress(self) -> list[StreamProgress]:
        """The streams, as the brokers last reported them, and how far this server has applied them."""
        applied = {"bars": self.ingest.applied, "events": self.journal.applied}
        return [
            StreamProgress(
                name, max(state.last, applied[name]), applied[name], state.size, len(state.lagging)
            )
            for name, state in self._reported.items()
        ]

    def make_pipeline(self, make: Callable[[], Pipeline], address: Callable[[], str]) -> LeaderPipeline:
        """Return the pipeline that runs while this server leads.

        Args:
            make: makes a pipeline that has not started.
            address: of clients, once the server listens.
        """
        self._address = address
        self.pipeline = LeaderPipeline(make, self)
        return self.pipeline

    async def start(self) -> None:
        """Connect, and apply what the brokers hold; without brokers, serve what is applied already."""
        connecting = asyncio.create_task(self._connect())
        self._tasks.append(connecting)
        self.ingest.start()
        self.journal.start()
        if not self._reached:
            return
        try:
            async with asyncio.timeout(CATCH_UP_S):
                await asyncio.shield(connecting)
                await self.catch_up()
        except (TimeoutError, BrokerUnavailable, BrokerRefused, AppendUnknown) as error:
            log.warning("cluster: this server starts behind the brokers: %s", error or "it takes too long")

    async def stand(self) -> None:
        """Stand for leadership, and note what this server is for the others."""
        self.address = self._address()
        self._leadership = Leadership(
            self._bucket,
            self.member_id,
            eligible=lambda: not any(self.alarms),
            on_gained=self.pipeline.lead,
            on_lost=self.pipeline.follow,
        )
        self._tasks += [asyncio.create_task(self._leadership.run()), asyncio.create_task(self._announce())]

    async def catch_up(self) -> None:
        """Apply everything that the brokers have committed by now.

        Raises:
            BrokerUnavailable: they cannot be asked.
            BrokerRefused: a stream is gone, or another cluster's.
            AppendUnknown: it takes too long.
        """
        await self.ingest.catch_up()
        await self.journal.catch_up()

    async def withdraw(self) -> None:
        """Stand for leadership no more."""
        for task in self._tasks:
            task.cancel()
        if self._tasks:
            await asyncio.wait(self._tasks)

    async def hand_over(self) -> None:
        """Give leadership up, so that another server takes over at once."""
        try:
            if self._leadership is not None:
                await self._leadership.hand_over()
            if self.connected and self.address:
                await self._bucket.put(MEMBERS + self.member_id, b"")
        except BrokerUnavailable as error:
            log.warning("cluster: leadership is not handed over, it runs out: %s", error)

    async def close(self) -> None:
        """Close the connection, after the projections were closed."""
        await self._broker.close()

    async def _connect(self) -> None:
        while True:
            try:
                await self._broker.connect()
            except (BrokerUnavailable, BrokerRefused, OSError) as error:
                log.warning("cluster: %s", error)
            else:
                return
            await asyncio.sleep(RECONNECT_S)

    async def _announce(self) -> None:
        """Note what this server is, and read what the brokers report of the streams, again and again."""
        while True:
            try:
                await self._bucket.put(MEMBERS + self.member_id, json.dumps(self._note()).encode())
                for name, stream in (("bars", self.ingest.stream), ("events", self.journal.stream)):
                    self._reported[name] = await stream_state(self._broker, stream)
            except (BrokerUnavailable, BrokerRefused) as error:
                log.debug("cluster: %s", error)
            await asyncio.sleep(ANNOUNCE_S)

    def _note(self) -> dict[str, object]:
        return {
            "address": self.address,
            "host": socket.gethostname(),
            "version": glasstape_server.__version__,
            "leads": self.leads,
            "broker": self._broker.url,
            "head": self.journal.bounds.head,
            "bars": self.ingest.applied,
            "events": self.journal.applied,
            "time": wall_time(),
            "alarm": next(self.alarms, ""),
        }


def _run_apart(settings: ClusterSettings, folder: Path) -> Joined:
    """Join on a thread of its own: the caller's event loop may be running."""
    with ThreadPoolExecutor(1) as apart:
        joining = apart.submit(
            lambda: asyncio.run(join(settings.access, settings.names, settings.interval, folder))
        )
        return joining.result()


def _member_id(folder: Path) -> str:
    """Return the id of this server, which is random and stays with its data folder."""
    path = folder / "member"
    if not path.exists():
        write(path, secrets.token_hex(8), mode=PRIVATE)
    return path.read_text().strip()


def _open_bars(path: Path, interval: str, lease: Holder | None) -> BarStore:
    """Open the store of bars; one that is damaged is set aside and rebuilt from the stream.

    Raises:
        DataLoss: it is damaged, and so is the new one.
        DatabaseError: it cannot be opened now.
        OSError: it cannot be renamed.
    """
    try:
        return BarStore(path, interval, lease=lease)
    except (DataLoss, sqlite3.DatabaseError) as error:
        if is_transient(error):
            raise
        aside = set_aside(path)
        log.error("%s; it is now %s and is rebuilt from the stream", error, aside.name)
        return BarStore(path, interval, lease=lease)
