"""Streams of a cluster: their settings, and the checks of those that exist."""

from dataclasses import dataclass
from typing import Any

from glasstape_server.broker.connection import Broker, BrokerRefused

CLUSTER_ID = "glasstape.cluster"
"""Key of the cluster's id in the metadata of its streams."""
NOT_FOUND = 10059
DUPLICATE_WINDOW_S = 120
"""Time for which the brokers recognize a message that is sent again."""
_UNLIMITED = ("max_msgs", "max_bytes", "max_msgs_per_subject", "max_msg_size", "max_consumers")
_FREE = ("metadata", "duplicate_window")
"""Settings that may differ."""
_ABSENT = ("mirror", "sources", "subject_transform", "republish", "template_owner")


class AnotherCluster(ValueError):
    """Files of this server belong to another cluster than the brokers hold."""

    def __init__(self, owner: str, expected: str) -> None:
        super().__init__(f"belongs to cluster {owner}, the brokers hold cluster {expected}")


@dataclass(frozen=True, slots=True)
class Stream:
    """A stream of entries that are never changed and never expire."""

    name: str
    cluster_id: str
    replicas: int
    """Brokers that hold it, 1, 3 or 5."""

    @property
    def subject(self) -> str:
        """Subject of its messages."""
        return f"glasstape.{self.name}"

    def settings(self) -> dict[str, Any]:
        """Return its settings as JetStream's API names them."""
        return {
            "name": self.name,
            "subjects": [self.subject],
            "retention": "limits",
            "storage": "file",
            "discard": "new",
            "num_replicas": self.replicas,
            **dict.fromkeys(_UNLIMITED, -1),
            "max_age": 0,
            "duplicate_window": DUPLICATE_WINDOW_S * 1_000_000_000,
            "allow_atomic": True,
            "allow_direct": True,
            "deny_delete": True,
            "metadata": {CLUSTER_ID: self.cluster_id},
        }


@dataclass(frozen=True, slots=True)
class StreamState:
    """A stream as its leader reports it."""

    first: int
    """Sequence of its first message."""
    last: int
    """Sequence of its newest message; 0: none yet."""
    messages: int
    size: int
    """Bytes that it holds."""
    leader: str
    """Name of the broker that leads it; empty for a single broker."""
    lagging: tuple[str, ...]
    """Names of the brokers whose copy is offline or behind."""


async def ensure_stream(broker: Broker, stream: Stream) -> None:
    """Create a stream, or check the settings of the one that exists.

    Raises:
        BrokerUnavailable: no answer came; a permission may be missing.
        BrokerRefused: it cannot be created, has other settings, or belongs to another cluster.
    """
    found = await find_or_create(broker, stream.settings())
    owner = (found.get("metadata") or {}).get(CLUSTER_ID)
    if owner != stream.cluster_id:
        other = f"another cluster ({owner})" if owner else "something else"
        raise BrokerRefused(
            0, f"stream {stream.name} belongs to {other}, expected cluster {stream.cluster_id}"
        )
    check_settings(stream.settings(), found)


async def find_or_create(broker: Broker, settings: dict[str, Any]) -> dict[str, Any]:
    """Return the settings of the stream of a name, which is created with `settings` if there is none.

    Raises:
        BrokerUnavailable: no answer came; a permission may be missing.
        BrokerRefused: it cannot be created.
    """
    name = settings["name"]
    found: dict[str, Any]
    try:
        found = (await broker.api(f"STREAM.INFO.{name}"))["config"]
    except BrokerRefused as error:
        if error.code != NOT_FOUND:
            raise
        try:
            found = (await broker.api(f"STREAM.CREATE.{name}", settings))["config"]
        except BrokerRefused as refused:
            raise BrokerRefused(refused.code, f"stream {name} cannot be created: {refused}") from None
    return found


async def exists(broker: Broker, name: str) -> bool:
    """Return whether there is a stream of a name.

    Raises:
        BrokerUnavailable: no answer came.
        BrokerRefused: the brokers do not say.
    """
    try:
        await broker.api(f"STREAM.INFO.{name}")
    except BrokerRefused as error:
        if error.code == NOT_FOUND:
            return False
        raise
    return True


def check_settings(expected: dict[str, Any], found: dict[str, Any]) -> None:
    """Check the settings of a stream against those that it must have.

    Raises:
        BrokerRefused: a setting differs; the text names it, its value and the expected one.
    """
    name = expected["name"]
    for setting, value in expected.items():
        if setting not in _FREE and found.get(setting, _default(setting)) != value:
            rule = f"{setting} is {found.get(setting)!r}, expected {value!r}"
            raise BrokerRefused(0, f"stream {name}: {rule}; correct it with `nats stream edit`")
    for setting in _ABSENT:
        if found.get(setting):
            raise BrokerRefused(
                0, f"stream {name}: {setting} is set, expected none; correct it with `nats stream edit`"
            )


async def stream_state(broker: Broker, stream: Stream) -> StreamState:
    """Return the state of a stream, as its leader reports it.

    Raises:
        BrokerUnavailable: no answer came.
        BrokerRefused: it is gone, or another cluster's.
    """
    info = await broker.api(f"STREAM.INFO.{stream.name}")
    owner = (info["config"].get("metadata") or {}).get(CLUSTER_ID)
    if owner != stream.cluster_id:
        raise BrokerRefused(
            0, f"stream {stream.name} belongs to cluster {owner}, expected {stream.cluster_id}"
        )
    state, cluster = info["state"], info.get("cluster") or {}
    return StreamState(
        first=state["first_seq"],
        last=state["last_seq"],
        messages=state["messages"],
        size=state["bytes"],
        leader=cluster.get("leader", "") if cluster.get("replicas") else "",
        lagging=tuple(
            peer["name"]
            for peer in cluster.get("replicas") or ()
            if peer.get("offline") or not peer.get("current")
        ),
    )


def _default(name: str) -> Any:
    """Return what an absent setting means: the brokers leave out false values."""
    return False if name.startswith(("allow_", "deny_")) else None
