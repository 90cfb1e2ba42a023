"""The state of a cluster as the brokers hold it: members, leader, lag, streams, disk."""

import json
from collections.abc import Iterator
from dataclasses import dataclass

from glasstape_server.broker.connection import Broker, BrokerAccess, BrokerRefused
from glasstape_server.broker.streams import StreamState, stream_state
from glasstape_server.cluster.identity import ClusterNames, read_identity
from glasstape_server.cluster.leadership import LEASE_S, read_leader
from glasstape_server.cluster.member import ANNOUNCE_S, MEMBERS
from glasstape_server.domain.times import SECOND
from glasstape_server.market.clock import wall_time

SILENT_S = 3 * ANNOUNCE_S + LEASE_S
"""Age of its note from which on a member counts as offline."""
LAG_MESSAGES = 1_000
"""Messages behind from which on a member is reported to lag."""
FULL = 0.9
"""Part of the brokers' storage limit from which on it is reported."""


@dataclass(frozen=True, slots=True)
class MemberStatus:
    """A server, as it noted itself."""

    member_id: str
    address: str
    """Of clients."""
    host: str
    version: str
    broker: str
    """Broker that it is connected to."""
    head: int
    """Its newest event."""
    bars: int
    """Newest message of the stream of bars that it has applied."""
    events: int
    """Newest message of the stream of events that it has applied."""
    age_s: float
    """Since it noted this, seconds."""
    alarm: str
    """Why it cannot follow a stream; empty: it can."""

    @property
    def online(self) -> bool:
        """Whether it noted itself lately."""
        return self.age_s < SILENT_S


@dataclass(frozen=True, slots=True)
class ClusterStatus:
    """A cluster at one moment."""

    cluster_id: str
    interval: str
    leader: str
    """Id of the member that leads; empty: none does."""
    members: tuple[MemberStatus, ...]
    streams: dict[str, StreamState]
    """State of the streams `bars` and `events`."""
    storage: int
    """Bytes that the brokers' account stores."""
    storage_limit: int
    """Bytes that it may store; -1: no limit."""

    def lag(self, member: MemberStatus) -> int:
        """Return the messages that a member has not applied, when it noted itself."""
        applied = {"bars": member.bars, "events": member.events}
        return sum(max(0, state.last - applied[name]) for name, state in self.streams.items())


async def read_status(access: BrokerAccess, names: ClusterNames) -> ClusterStatus:
    """Return the state of a cluster.

    Raises:
        BrokerUnavailable: the brokers do not answer, or no majority of them.
        BrokerRefused: they hold no such cluster.
        OSError: a file of the access cannot be read.
    """
    broker = Broker(access, "glasstape cluster status")
    try:
        await broker.connect()
        bucket = names.bucket(broker)
        shared = await read_identity(bucket)
        if shared is None:
            raise BrokerRefused(0, f"the brokers hold no cluster {names.cluster}")
        identity, interval = shared
        notes = {key: await bucket.get(key) for key in await bucket.keys(MEMBERS)}
        streams = {"bars": names.bars(identity), "events": names.events(identity)}
        account = await broker.api("INFO")
        return ClusterStatus(
            cluster_id=identity.cluster_id,
            interval=interval,
            leader=(await read_leader(bucket)).member,
            members=tuple(
                _member(key.removeprefix(MEMBERS), value.data)
                for key, value in notes.items()
                if value is not None and value.data
            ),
            streams={name: await stream_state(broker, stream) for name, stream in streams.items()},
            storage=account["storage"],
            storage_limit=account["limits"]["max_storage"],
        )
    finally:
        await broker.close()


def findings(status: ClusterStatus) -> Iterator[tuple[str, str]]:
    """Yield (ok, warning or problem, text) of a cluster."""
    online = [member for member in status.members if member.online]
    yield "ok" if online else "problem", f"cluster {status.cluster_id}: {len(online)} members online"
    if status.leader not in {member.member_id for member in online}:
        yield "problem", "no member that is online leads: nothing is signaled"
    for member in status.members:
        if not member.online:
            yield "warning", f"{member.address}: offline for {member.age_s:.0f} s"
        elif member.alarm:
            yield "problem", f"{member.address}: {member.alarm}"
        elif status.lag(member) > LAG_MESSAGES:
            yield "warning", f"{member.address}: {status.lag(member)} messages behind"
    for name, state in status.streams.items():
        for broker in state.lagging:
            yield "warning", f"stream of {name}: the copy of broker {broker} is offline or behind"
    if 0 < FULL * status.storage_limit < status.storage:
        yield "warning", f"brokers: {status.storage} of {status.storage_limit} bytes are used"


def _member(member_id: str, data: bytes) -> MemberStatus:
    note = json.loads(data)
    texts = {name: str(note.get(name, "")) for name in ("address", "host", "version", "broker", "alarm")}
    numbers = {name: int(note.get(name, 0)) for name in ("head", "bars", "events")}
    age = (wall_time() - int(note.get("time", 0))) / SECOND
    return MemberStatus(member_id=member_id, age_s=max(0.0, age), **texts, **numbers)  # type: ignore[arg-type]
