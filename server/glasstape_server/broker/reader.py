"""Reading a stream in order. What the brokers skip is an error here: JetStream itself jumps over it silently."""

import asyncio
import logging
from base64 import b64decode
from collections.abc import AsyncGenerator
from contextlib import suppress
from dataclasses import dataclass

from nats.aio.msg import Msg
from nats.errors import Error as NatsError

from glasstape_server.broker.append import PART_HEADER
from glasstape_server.broker.connection import Broker, BrokerRefused, BrokerUnavailable
from glasstape_server.broker.streams import Stream, stream_state

log = logging.getLogger(__name__)

HEARTBEAT_S = 0.5
"""Between two signs of life of the broker that delivers."""
SILENCE_S = 2.0
"""Time without a message or heartbeat after which the stream is read again, from another broker if necessary."""
RETRY_S = 0.25
_NANOSECONDS = 1_000_000_000
_NO_MESSAGE = 10037


class StreamGap(Exception):
    """Messages that this server has not read are gone, or some that it has read: history of the stream was lost."""


class MalformedEntry(Exception):
    """A message is not one that this version writes."""


@dataclass(frozen=True, slots=True)
class StreamEntry:
    """One entry of a stream."""

    last: int
    """Sequence of its last message."""
    payload: bytes


class StreamReader:
    """Yields the entries of a stream after a sequence, in order and without a gap."""

    def __init__(self, broker: Broker, stream: Stream) -> None:
        self._broker = broker
        self._stream = stream
        self.last_error = ""
        """Why the stream cannot be read now; empty: it can."""

    async def entries(self, after: int) -> AsyncGenerator[StreamEntry, None]:
        """Yield the entries after a message, then each new one, without end; go on by itself after an outage.

        Raises:
            StreamGap: a message after `after` is gone, or the stream ends before it.
            MalformedEntry: a message is not one that this version writes.
        """
        parts: list[bytes] = []
        while True:
            try:
                async for message in self._messages(after + len(parts)):
                    parts.append(message.data)
                    if _is_last(message, len(parts)):
                        after = message.sequence
                        yield StreamEntry(after, b"".join(parts) if len(parts) > 1 else parts[0])
                        parts = []
            except (BrokerUnavailable, BrokerRefused, NatsError) as error:
                self.last_error = str(error)
                log.debug("stream %s: %s", self._stream.name, error)
            await asyncio.sleep(RETRY_S)

    async def _messages(self, after: int) -> AsyncGenerator["_Message", None]:
        """Yield messages until the broker that delivers them has lost one.

        Raises:
            StreamGap: the stream ends before `after`, or its leader lacks a message.
            BrokerUnavailable: the broker that delivers has fallen silent.
        """
        state = await stream_state(self._broker, self._stream)
        if state.last < after:
            raise StreamGap(
                f"stream {self._stream.name} ends at message {state.last}, this server has read {after}: "
                "the brokers lost history"
            )
        client = self._broker.client
        inbox = client.new_inbox()
        # Flow control bounds it. The client's own `next_msg` turns a cancellation into an error.
        delivered: asyncio.Queue[Msg] = asyncio.Queue()
        subscription = await client.subscribe(inbox, cb=delivered.put)
        consumer = ""
        try:
            consumer = await self._create_consumer(inbox, after + 1)
            self.last_error = ""
            while True:
                message = await _next(delivered)
                if message is None:
                    raise BrokerUnavailable(f"stream {self._stream.name}: no heartbeat for {SILENCE_S:g} s")
                if message.headers and message.headers.get("Status") == "100":
                    if not await self._answer(message, after):
                        return
                    continue
                sequence = message.metadata.sequence.stream
                if sequence <= after:
                    continue
                if sequence > after + 1:
                    yield await self._lost(after + 1)
                    return
                after = sequence
                yield _Message(sequence, message.data, (message.headers or {}).get(PART_HEADER, ""))
        finally:
            with suppress(BrokerUnavailable, BrokerRefused, NatsError):
                await subscription.unsubscribe()
                if consumer:
                    await self._broker.publish(f"$JS.API.CONSUMER.DELETE.{self._stream.name}.{consumer}", b"")

    async def _create_consumer(self, inbox: str, first: int) -> str:
        config = {
            "deliver_subject": inbox,
            "deliver_policy": "by_start_sequence",
            "opt_start_seq": first,
            "ack_policy": "none",
            "replay_policy": "instant",
            "max_deliver": 1,
            "flow_control": True,
            "idle_heartbeat": int(HEARTBEAT_S * _NANOSECONDS),
            "inactive_threshold": 5 * _NANOSECONDS,
            "mem_storage": True,
            "num_replicas": 1,
        }
        name = self._stream.name
        answer = await self._broker.api(f"CONSUMER.CREATE.{name}", {"stream_name": name, "config": config})
        return str(answer["name"])

    async def _answer(self, message: Msg, after: int) -> bool:
        """Answer flow control; return whether a heartbeat agrees with what has arrived."""
        headers = message.headers or {}
        reply = message.reply or headers.get("Nats-Consumer-Stalled", "")
        if reply:
            await self._broker.publish(reply, b"")
        return int(headers.get("Nats-Last-Stream", 0)) <= after

    async def _lost(self, sequence: int) -> "_Message":
        """Return a message that the delivering broker skipped from the leader of the stream, which may hold it.

        Raises:
            StreamGap: the leader does not.
            BrokerRefused: the stream is gone.
        """
        name = self._stream.name
        try:
            answer = (await self._broker.api(f"STREAM.MSG.GET.{name}", {"seq": sequence}))["message"]
        except BrokerRefused as error:
            if error.code != _NO_MESSAGE:
                raise
            raise StreamGap(f"stream {name}: message {sequence} is gone: the brokers lost history") from None
        log.error("stream %s: a broker skipped message %d, which its leader holds", name, sequence)
        headers = b64decode(answer.get("hdrs", "")).decode().split("\r\n")
        part = next((line.partition(": ")[2] for line in headers if line.startswith(PART_HEADER)), "")
        return _Message(sequence, b64decode(answer.get("data", "")), part)


async def _next(delivered: asyncio.Queue[Msg]) -> Msg | None:
    """Return the next message; None if there is none for `SILENCE_S`."""
    try:
        async with asyncio.timeout(SILENCE_S):
            return await delivered.get()
    except TimeoutError:
        return None


@dataclass(frozen=True, slots=True)
class _Message:
    """One message of a stream."""

    sequence: int
    data: bytes
    part: str
    """Which part of its entry it is, N/COUNT."""


def _is_last(message: _Message, place: int) -> bool:
    """Return whether a message completes its entry, of which it must be the part at `place`.

    Raises:
        MalformedEntry: it is another part, or none.
    """
    number, _, count = message.part.partition("/")
    if not (number.isdecimal() and count.isdecimal()) or int(number) != place:
        raise MalformedEntry(
            f"message {message.sequence} has {PART_HEADER} {message.part!r}, expected {place}/COUNT"
        )
    return place == int(count)
