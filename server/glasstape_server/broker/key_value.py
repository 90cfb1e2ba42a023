"""A bucket of keys and values, as NATS lays them out: one stream, the newest message of a subject is the value."""

from base64 import b64decode
from dataclasses import dataclass
from typing import Any

from glasstape_server.broker.append import StaleFence
from glasstape_server.broker.connection import Broker, BrokerRefused, BrokerUnavailable
from glasstape_server.broker.streams import check_settings, find_or_create

_NO_MESSAGE = 10037
_WRONG_LAST_SEQUENCE = (10071, 10164)


@dataclass(frozen=True, slots=True)
class Value:
    """The value of a key."""

    data: bytes
    """Empty: it was removed."""
    revision: int


class Bucket:
    """Values by key. Reads are answered by the leader of the bucket's stream, so they are never stale."""

    def __init__(self, broker: Broker, name: str, replicas: int) -> None:
        self.broker = broker
        self.name = name
        self._replicas = replicas

    async def ensure(self) -> None:
        """Create the bucket, or check the settings of the one that exists.

        Raises:
            BrokerUnavailable: no answer came; a permission may be missing.
            BrokerRefused: it cannot be created, or has other settings.
        """
        settings: dict[str, Any] = {
            "name": f"KV_{self.name}",
            "subjects": [f"$KV.{self.name}.>"],
            "retention": "limits",
            "storage": "file",
            "discard": "new",
            "num_replicas": self._replicas,
            "max_msgs_per_subject": 1,
            "max_msgs": -1,
            "max_bytes": -1,
            "max_age": 0,
            "allow_rollup_hdrs": True,
            "allow_direct": True,
            "deny_delete": True,
        }
        check_settings(settings, await find_or_create(self.broker, settings))

    async def get(self, key: str) -> Value | None:
        """Return the value of a key; None: it was never set.

        Raises:
            BrokerUnavailable: no answer came.
            BrokerRefused: the bucket is gone.
        """
        try:
            answer = await self.broker.api(
                f"STREAM.MSG.GET.KV_{self.name}", {"last_by_subj": self._subject(key)}
            )
        except BrokerRefused as error:
            if error.code == _NO_MESSAGE:
                return None
            raise
        message = answer["message"]
        return Value(b64decode(message.get("data", "")), message["seq"])

    async def put(self, key: str, data: bytes, revision: int | None = None) -> int:
        """Set a value and return its revision.

        Args:
            key: whose value it is.
            data: the value; empty to remove it.
            revision: that the key must have; 0: none; None: any.

        Raises:
            StaleFence: it has another revision.
            BrokerUnavailable: no answer came: it is set or it is not.
        """
        headers = {} if revision is None else {"Nats-Expected-Last-Subject-Sequence": str(revision)}
        try:
            return await self.broker.store(self._subject(key), data, headers)
        except BrokerRefused as error:
            if error.code in _WRONG_LAST_SEQUENCE:
                raise StaleFence(str(error)) from None
            raise BrokerUnavailable(str(error)) from None

    async def keys(self, prefix: str) -> list[str]:
        """Return the keys that begin with a prefix, which ends with a dot.

        Raises:
            BrokerUnavailable: no answer came.
            BrokerRefused: the bucket is gone.
        """
        start = self._subject(prefix)
        info = await self.broker.api(f"STREAM.INFO.KV_{self.name}", {"subjects_filter": f"{start}>"})
        return sorted(
            subject.removeprefix(self._subject("")) for subject in info["state"].get("subjects") or {}
        )

    def _subject(self, key: str) -> str:
        return f"$KV.{self.name}.{key}"
