"""A reader of the feed in one process with it, for tests that put every step in order themselves.

It is the SDK's: what it asks for, what it makes of every message, and from where it goes on. Between it and the hub
are the server's own writer and encoding, and a wire that holds one message.
"""

import asyncio
import base64
import contextlib
from dataclasses import replace

import grpc
from glasstape import Disconnected, EventBatch, Method, Opened, SequenceGap
from glasstape._resume import StreamState
from glasstape.errors import from_rpc
from glasstape.v1 import signals_pb2 as pb
from glasstape_server.domain.errors import GlasstapeError
from glasstape_server.domain.signals import Kind
from glasstape_server.market.clock import Clock
from glasstape_server.rpc.convert.stream import StreamEncoder
from glasstape_server.rpc.convert.subscription import subscription_from
from glasstape_server.rpc.status import code_of, trailing_metadata
from glasstape_server.rpc.stream_writer import StreamWriter
from glasstape_server.signals.delivery import token as tokens


class Wire:
    """A stream between server and client that holds one message; a further one waits until it is read."""

    def __init__(self, hub, subscriber):
        self._held = asyncio.Queue(1)
        encoder = StreamEncoder(Clock(), lambda: None)
        self._writer = asyncio.ensure_future(StreamWriter(self, subscriber, encoder, None, None).run())

    async def write(self, raw):
        await self._held.put(raw)

    async def read(self):
        """The next message; None at the end.

        Raises:
            GlasstapeError: what the server ended it with.
        """
        reading = asyncio.ensure_future(self._held.get())
        await asyncio.wait({reading, self._writer}, return_when=asyncio.FIRST_COMPLETED)
        if not self._held.empty():
            await reading
        if reading.done():
            return reading.result()
        reading.cancel()
        await self._writer

    async def close(self):
        self._writer.cancel()
        with contextlib.suppress(asyncio.CancelledError, GlasstapeError):
            await self._writer


class ToldError(grpc.RpcError):
    """A server's error, as the client's end of the wire has it."""

    def __init__(self, error):
        super().__init__(error.message)
        self.code = lambda: code_of(error)
        self.details = lambda: error.message
        self.trailing_metadata = lambda: trailing_metadata(error)


class Reader:
    """A program that follows the feed with the SDK and may be away for a while."""

    def __init__(self, buys, every_event, start):
        self.wanted = frozenset({Kind.BUY}) if buys else frozenset(Kind)
        self.every_event = every_event
        request = pb.SignalsRequest(
            kinds=[pb.EVENT_KIND_BUY] if buys else [],
            delivery=pb.SignalsRequest.DELIVERY_EVERY_EVENT
            if every_event
            else pb.SignalsRequest.DELIVERY_CONFLATED,
            start=start,
        )
        self.state = StreamState(request, Method.GRADIENT)
        self.events = {}
        self.order = []
        self.epoch = None
        self.wire = None
        self.known_lost = 0
        """Sequences up to here are known to be lost to it."""

    @property
    def through(self):
        return self.state.through_sequence

    def subscription(self):
        request = self.state.request()
        self.live_alone = request.start == pb.SignalsRequest.START_LIVE
        wanted = subscription_from(request)
        return replace(wanted, conflation_seconds=0.0, heartbeat_seconds=0.0)

    def refused(self, error):
        """The stream was ended with an error."""
        told = self.state.failed(from_rpc(ToldError(error)))
        if isinstance(told, SequenceGap):
            assert self.through + 1 == told.first_sequence <= told.last_sequence
            self.known_lost = max(self.known_lost, told.last_sequence)
        else:
            assert isinstance(told, Disconnected)
            assert told.error.reason == "SLOW_CONSUMER"
            raw = base64.b64decode(told.error.metadata["resume_token"])
            assert not raw or tokens.decode(raw, b"", b"").sequence <= self.through, "it would lose events"

    def take(self, raw, *, handled):
        """A message; if it is not `handled`, the program ended over it, and nothing of it counts."""
        response = pb.SignalsResponse.FromString(raw)
        message = self.state.accept(response)
        if not handled:
            return
        match message:
            case Opened():
                if message.result.name == "RESET" or message.epoch != self.epoch:
                    self.events, self.order, self.known_lost = {}, [], 0
                self.epoch = message.epoch
                if message.result.name == "STARTED":
                    before = message.head_sequence if self.live_alone else message.earliest_sequence - 1
                    self.known_lost = max(self.known_lost, before)
            case SequenceGap():
                self.known_lost = max(self.known_lost, message.last_sequence)
            case EventBatch():
                self._take_batch(message, response.through_sequence)
        self.state.handled()

    def _take_batch(self, batch, through):
        for event in batch.events:
            if not batch.snapshot:
                assert event.sequence not in self.events, "twice"
                assert not self.order or event.sequence > self.order[-1], "out of order"
                self.order.append(event.sequence)
            self.events[event.sequence] = event
        if batch.snapshot:
            self.known_lost = max(self.known_lost, through)
            self.order = [through] if through else []
