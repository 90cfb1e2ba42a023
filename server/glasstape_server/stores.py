"""Where a server keeps bars and events: in files of its own, or with the other servers of a cluster."""

import logging
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from glasstape_server.market.clock import Clock
from glasstape_server.market.ingest import Ingest
from glasstape_server.market.store import BarStore
from glasstape_server.operations.components import BurstPipeline
from glasstape_server.settings import Settings
from glasstape_server.signals.journal.history import History
from glasstape_server.signals.journal.journal import Journal
from glasstape_server.signals.journal.sqlite.journal import SqliteJournal
from glasstape_server.signals.performance.live_record import LiveRecord
from glasstape_server.signals.pipeline import Pipeline, ProcessedBurst
from glasstape_server.startup import StartError
from glasstape_server.storage.fence import Holder

if TYPE_CHECKING:
    from glasstape_server.cluster.member import Member

log = logging.getLogger(__name__)


class OpenJournal(Journal, Protocol):
    """A journal with the history of this server."""

    @property
    def history(self) -> History:
        """What this server can look up of it."""
        ...


@dataclass(frozen=True, slots=True)
class Stores:
    """Where a server keeps bars and events."""

    ingest: Ingest
    journal: OpenJournal
    member: "Member | None" = None
    """This server as a member of a cluster; None: bars and journal are its own."""

    def pipeline(self, make: Callable[[], Pipeline], address: Callable[[], str]) -> BurstPipeline:
        """Return a pipeline of this server, or one that runs while it leads a cluster.

        Args:
            make: makes a pipeline that has not started.
            address: of clients, once the server listens.
        """
        return make() if self.member is None else self.member.make_pipeline(make, address)

    async def start(self) -> None:
        """Connect to the cluster, if it is one, and apply what it holds."""
        if self.member is not None:
            await self.member.start()

    async def count_events(self, record: LiveRecord, head: int) -> None:
        """Count the events up to `head`, and in a cluster those after it, whichever server signals them."""
        await record.read_journal(head)
        if self.member is not None:
            await record.follow(self.journal, head)

    def count_burst(self, record: LiveRecord, burst: ProcessedBurst) -> None:
        """Count a burst that this server signaled, unless it is counted as it is applied."""
        if self.member is None:
            record.add(burst)

    async def close(self) -> None:
        """Close the journal, then the connection to the cluster."""
        self.journal.close()
        if self.member is not None:
            await self.member.close()


def history_folder(settings: Settings) -> Path:
    """Return the folder of bars and journal: of a replay, a cluster, or this server alone.

    Raises:
        StartError: a replay cannot be part of a cluster.
    """
    live, cluster = settings.data_dir / "live", settings.data_dir / "cluster"
    if settings.replay and settings.cluster:
        raise StartError("cluster: cannot be set with replay: the servers of a cluster share live bars")
    if settings.replay:
        return settings.data_dir / "replay"
    if not settings.cluster:
        return live
    if live.exists() and not cluster.exists():
        log.warning(
            "cluster: bars and signals of %s are not part of the cluster; publish the bars to it", live
        )
    return cluster


def open_stores(settings: Settings, folder: Path, clock: Clock, lease: Holder) -> Stores:
    """Open the bars and the journal of this server, or those that it shares with a cluster.

    Raises:
        StartError: it cannot join the cluster.
        GlasstapeError, ValueError, OSError, sqlite3.DatabaseError: a file cannot be used.
    """
    if not settings.cluster:
        ingest = Ingest(BarStore(folder / "bars.sqlite", settings.interval, lease=lease), clock)
        return Stores(ingest, SqliteJournal(folder / "journal.sqlite", lease=lease))
    try:
        from glasstape_server.cluster.identity import JoinError
        from glasstape_server.cluster.member import Member, cluster_settings
    except ImportError:
        raise StartError("cluster: needs the extra cluster: pip install 'glasstape[cluster]'") from None
    try:
        joining = cluster_settings(settings)
    except (ValueError, OSError) as error:
        raise StartError(str(error)) from None
    try:
        member = Member(joining, folder, clock, lease)
    except JoinError as error:
        raise StartError(f"cluster: {error}") from None
    return Stores(member.ingest, member.journal, member)
