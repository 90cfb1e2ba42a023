"""What all servers of a cluster share: kept by the brokers, and noted by each server for starts without them."""

import asyncio
import json
import logging
import secrets
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from glasstape_server.broker.append import StaleFence
from glasstape_server.broker.connection import Broker, BrokerAccess, BrokerRefused, BrokerUnavailable
from glasstape_server.broker.key_value import Bucket
from glasstape_server.broker.streams import AnotherCluster, Stream, ensure_stream, exists
from glasstape_server.signals.journal.jetstream.projection import Identity
from glasstape_server.storage.files import PRIVATE, write

log = logging.getLogger(__name__)

FORMAT = 1
"""Of identity and entries. A server of an older version does not join a cluster of a newer format."""
ELECTION_S = 15.0
"""Time that a new member grants the brokers to elect leaders of their streams; it takes them up to 9 s."""
RETRY_S = 0.5
_KEY = "identity"
_NOTE = "identity.json"


class JoinError(Exception):
    """This server cannot join the cluster; the text gives the cause."""


@dataclass(frozen=True, slots=True)
class ClusterNames:
    """Names of a cluster's streams and bucket."""

    cluster: str
    replicas: int

    @property
    def streams(self) -> tuple[str, str]:
        """Names of the streams of bars and events."""
        return f"{self.cluster}-bars", f"{self.cluster}-events"

    def events(self, identity: Identity) -> Stream:
        """Return the stream of the journal."""
        return Stream(self.streams[1], identity.cluster_id, self.replicas)

    def bars(self, identity: Identity) -> Stream:
        """Return the stream of bars."""
        return Stream(self.streams[0], identity.cluster_id, self.replicas)

    def bucket(self, broker: Broker) -> Bucket:
        """Return the bucket of identity, leader and members."""
        return Bucket(broker, f"{self.cluster}-cluster", self.replicas)


@dataclass(frozen=True, slots=True)
class Joined:
    """What a server knows of its cluster when it starts."""

    identity: Identity
    reached: bool
    """Whether the brokers answered; otherwise this is as noted before."""


async def join(access: BrokerAccess, names: ClusterNames, interval: str, folder: Path) -> Joined:
    """Return the identity of a cluster, which begins with its first server.

    A server that was a member before starts without the brokers, too.

    Args:
        access: how to reach the brokers.
        names: of the cluster.
        interval: bar interval that the cluster publishes signals for.
        folder: of this server's projections; the identity is noted there.

    Raises:
        JoinError: the brokers cannot be reached, or are not what a cluster needs; the text gives the cause.
        AnotherCluster: `folder` is another cluster's.
        OSError: a file cannot be read or written.
    """
    noted = _read_note(folder)
    broker = Broker(access, "glasstape start")
    try:
        await broker.connect()
        shared, identity = await _meet_patiently(broker, names, interval, noted)
    except BrokerUnavailable as error:
        if noted is None:
            raise JoinError(str(error)) from None
        log.warning("cluster: %s; starting with what this server has applied", error)
        _check(noted, interval)
        return Joined(_identity(noted), reached=False)
    except BrokerRefused as error:
        raise JoinError(str(error)) from None
    finally:
        await broker.close()
    write(folder / _NOTE, json.dumps(shared), mode=PRIVATE)
    return Joined(identity, reached=True)


async def _meet_patiently(
    broker: Broker, names: ClusterNames, interval: str, noted: Mapping[str, object] | None
) -> tuple[Mapping[str, object], Identity]:
    """Return the identity of a cluster whose brokers may be electing a leader.

    Raises:
        BrokerUnavailable: they do not answer within `ELECTION_S`, or a permission is missing.
    """
    deadline = time.monotonic() + (ELECTION_S if noted is None else 0.0)
    while True:
        try:
            return await _meet(broker, names, interval, noted)
        except BrokerUnavailable as error:
            if error.denied or time.monotonic() >= deadline:
                raise
            log.info("cluster: %s; waiting for the brokers", error)
        await asyncio.sleep(RETRY_S)


async def _meet(
    broker: Broker, names: ClusterNames, interval: str, noted: Mapping[str, object] | None
) -> tuple[Mapping[str, object], Identity]:
    """Return the identity of a cluster whose streams are as they must be.

    Raises:
        AnotherCluster: `noted` is another cluster's.
    """
    shared = await _shared(broker, names, interval, noted)
    _check(shared, interval)
    identity = _identity(shared)
    if noted is not None and noted["cluster_id"] != identity.cluster_id:
        raise AnotherCluster(str(noted["cluster_id"]), identity.cluster_id)
    for stream in (names.bars(identity), names.events(identity)):
        await ensure_stream(broker, stream)
    return shared, identity


async def read_identity(bucket: Bucket) -> tuple[Identity, str] | None:
    """Return the identity of a cluster and the interval of its signals; None: there is no cluster.

    Raises:
        BrokerUnavailable: no answer came.
        BrokerRefused: what the brokers keep is no identity.
    """
    if not await exists(bucket.broker, f"KV_{bucket.name}"):
        return None
    value = await bucket.get(_KEY)
    if value is None:
        return None
    shared = _parsed(value.data, f"bucket {bucket.name}")
    return _identity(shared), str(shared["interval"])


async def _shared(
    broker: Broker, names: ClusterNames, interval: str, noted: Mapping[str, object] | None
) -> Mapping[str, object]:
    """Return the identity that the brokers keep; the first server of a cluster creates it.

    Raises:
        BrokerRefused: they keep none, and it may not be created.
    """
    bucket = names.bucket(broker)
    await bucket.ensure()
    if await bucket.get(_KEY) is None:
        if noted is not None:
            text = f"the brokers hold no cluster {names.cluster}, but this server belongs to {noted['cluster_id']}"
            raise BrokerRefused(0, f"{text}: they lost their data, or are the wrong ones")
        await _begin(broker, bucket, names, interval)
    value = await bucket.get(_KEY)
    if value is None:
        raise BrokerRefused(0, f"bucket {bucket.name} does not keep what is written to it")
    return _parsed(value.data, f"bucket {bucket.name}")


async def _begin(broker: Broker, bucket: Bucket, names: ClusterNames, interval: str) -> None:
    """Create the identity of a new cluster, unless another server does so at the same time.

    Raises:
        BrokerRefused: there are streams of another one.
    """
    for name in names.streams:
        if await exists(broker, name) and await bucket.get(_KEY) is None:
            text = f"stream {name} exists, but bucket {bucket.name} has no {_KEY} of its cluster"
            raise BrokerRefused(0, f"{text}; choose another cluster_name, or remove the stream")
    fields = {
        "format": FORMAT,
        "cluster_id": secrets.token_hex(8),
        "secret": secrets.token_hex(32),
        "epoch": secrets.token_hex(8),
        "interval": interval,
    }
    try:
        await bucket.put(_KEY, json.dumps(fields).encode(), 0)
    except StaleFence:
        log.debug("cluster: another server began it at the same time")


def _parsed(data: bytes, where: str) -> Mapping[str, object]:
    """Return an identity as it is kept.

    Raises:
        BrokerRefused: it is none.
    """
    try:
        fields = json.loads(data)
        bytes.fromhex(fields["secret"]), bytes.fromhex(fields["epoch"]), int(fields["format"])
        str(fields["cluster_id"]), str(fields["interval"])
    except (ValueError, TypeError, KeyError) as error:
        raise BrokerRefused(0, f"{where}: {_KEY} is not that of a cluster: {error!r}") from None
    parsed: Mapping[str, object] = fields
    return parsed


def _check(shared: Mapping[str, object], interval: str) -> None:
    """Check that this version and these settings fit the cluster.

    Raises:
        JoinError: they do not.
    """
    if int(str(shared["format"])) > FORMAT:
        text = f"the cluster has format {shared['format']}, this version supports up to {FORMAT}; update this server"
        raise JoinError(text)
    if shared["interval"] != interval:
        raise JoinError(f"interval is {interval}, the cluster publishes signals for {shared['interval']}")


def _identity(shared: Mapping[str, object]) -> Identity:
    secret, epoch = (bytes.fromhex(str(shared[name])) for name in ("secret", "epoch"))
    return Identity(str(shared["cluster_id"]), secret, epoch)


def _read_note(folder: Path) -> Mapping[str, object] | None:
    path = folder / _NOTE
    if not path.exists():
        return None
    try:
        return _parsed(path.read_bytes(), str(path))
    except BrokerRefused as error:
        raise JoinError(str(error)) from None
