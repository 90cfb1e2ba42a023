"""Appends to a stream: one entry, in as many messages as it needs, stored whole or not at all."""

import json
import secrets

from glasstape_server.broker.connection import Broker, BrokerUnavailable
from glasstape_server.broker.streams import Stream

PART_BYTES = 256 << 10
"""Bytes of an entry in one message."""
MAX_PARTS = 1_000
"""Messages of an atomic batch, as the brokers allow by default."""
MAX_ENTRY_BYTES = PART_BYTES * MAX_PARTS
PART_HEADER = "Glasstape-Part"
"""Header of a message: which part of its entry it is, N/COUNT from 1."""

_WRONG_LAST_SEQUENCE = (10071, 10164)
_DUPLICATE_ID = 10201
_NO_SPACE = (10023, 10028, 10047, 10077)
"""Insufficient resources, limits of memory or storage, maximum of messages or bytes."""


class StaleFence(Exception):
    """The stream does not end where the writer expected. Nothing was stored."""


class AlreadyAppended(Exception):
    """An entry of this id was stored before. Nothing was stored again."""


class StreamFull(Exception):
    """The brokers have no space left for the stream. Nothing was stored."""


async def append_entry(
    broker: Broker, stream: Stream, payload: bytes, entry_id: str, fence: int | None = None
) -> int:
    """Append an entry and return the sequence of its last message once a majority of the brokers stored it.

    Args:
        broker: the connection.
        stream: what is appended to.
        payload: the entry.
        entry_id: by which the brokers recognize the entry if it is sent again within `DUPLICATE_WINDOW_S`.
        fence: sequence of the message that the entry must follow; None: any.

    Raises:
        StaleFence: the stream ends elsewhere.
        AlreadyAppended: an entry of this id was stored before.
        StreamFull: there is no space left.
        BrokerUnavailable: no acknowledgment came: it is stored or it is not.
        ValueError: it has more than `MAX_ENTRY_BYTES` bytes.
    """
    if len(payload) > MAX_ENTRY_BYTES:
        raise ValueError(f"entry: {len(payload)} bytes, at most {MAX_ENTRY_BYTES}")
    count = max(1, -(-len(payload) // PART_BYTES))
    batch = secrets.token_hex(16)
    for number in range(1, count + 1):
        headers = {
            "Nats-Batch-Id": batch,
            "Nats-Batch-Sequence": str(number),
            "Nats-Msg-Id": f"{entry_id}:{number}",
            PART_HEADER: f"{number}/{count}",
        }
        if number == 1 and fence is not None:
            headers["Nats-Expected-Last-Sequence"] = str(fence)
        if number == count:
            headers["Nats-Batch-Commit"] = "1"
        part = payload[(number - 1) * PART_BYTES : number * PART_BYTES]
        if 1 < number < count:
            await broker.publish(stream.subject, part, headers)
            continue
        answer = (await broker.request(stream.subject, part, headers)).data
        if answer:
            return _sequence(json.loads(answer))
    raise BrokerUnavailable(f"{stream.subject}: the batch was not acknowledged")


def _sequence(answer: dict[str, object]) -> int:
    error = answer.get("error")
    if not isinstance(error, dict):
        return int(str(answer["seq"]))
    code, text = int(error.get("err_code", 0)), str(error.get("description", ""))
    if code in _WRONG_LAST_SEQUENCE:
        raise StaleFence(text)
    if code == _DUPLICATE_ID:
        raise AlreadyAppended(text)
    if code in _NO_SPACE:
        raise StreamFull(text)
    raise BrokerUnavailable(f"the brokers refused a batch: {text} ({code})")
