"""Writes a subscriber's messages to its stream, and the heat maps that it requested."""

import asyncio
import base64
import logging

from glasstape.v1 import signals_pb2 as pb

from glasstape_server.domain.errors import ResourceExhausted
from glasstape_server.domain.signals import Kind
from glasstape_server.explain.method import MethodName
from glasstape_server.rpc.convert.explanations import heatmaps_to
from glasstape_server.rpc.convert.stream import StreamEncoder
from glasstape_server.rpc.handlers import Context, call_from
from glasstape_server.serving.inference import Inference
from glasstape_server.signals.delivery import messages as feed
from glasstape_server.signals.delivery.subscriber import Subscriber

log = logging.getLogger(__name__)

HEATMAPS_AT_ONCE = 256
"""Maps computed for one batch: the newest ones; the others are shed."""


class StreamWriter:
    """One open stream."""

    def __init__(
        self,
        context: Context,
        subscriber: Subscriber,
        encoder: StreamEncoder,
        inference: Inference,
        heatmaps: MethodName | None,
    ) -> None:
        self._context = context
        self._subscriber = subscriber
        self._encoder = encoder
        self._inference = inference
        self._heatmaps = heatmaps
        self._explaining: asyncio.Task[None] | None = None
        # Events and heat maps come from two tasks; messages must not interleave.
        self._writing = asyncio.Lock()
        self._position = (b"", 0)
        """Token and through_sequence of the last message that the wire has accepted."""

    async def run(self) -> None:
        """Write until the stream ends.

        Raises:
            ResourceExhausted: too many lossless events wait for the subscriber, or a message was unread for too long.
            GlasstapeError: the token cannot be used.
        """
        writer = asyncio.ensure_future(self._write_messages())
        too_slow = asyncio.ensure_future(self._subscriber.too_slow.wait())
        try:
            await asyncio.wait({writer, too_slow}, return_when=asyncio.FIRST_COMPLETED)
            if not self._subscriber.too_slow.is_set():
                await writer
                return
            raise ResourceExhausted(
                "SLOW_CONSUMER",
                "the subscriber does not keep up with the feed; nothing is lost: resume from the token",
                metadata={"resume_token": base64.b64encode(self._position[0]).decode()},
            )
        finally:
            writer.cancel()
            too_slow.cancel()
            await asyncio.gather(writer, too_slow, return_exceptions=True)

    async def _write_messages(self) -> None:
        messages = self._subscriber.messages()
        try:
            async for message in messages:
                async with self._writing:
                    await self._write(self._encoder.encode(message))
                    self._position = (message.token, message.sequence)
                if isinstance(message.body, feed.Batch):
                    self._start_explaining(message.body)
        finally:
            if self._explaining is not None:
                self._explaining.cancel()
            await messages.aclose()

    async def _write(self, raw: bytes) -> None:
        try:
            async with asyncio.timeout(self._subscriber.patience):
                await self._context.write(raw)
        except TimeoutError:
            self._subscriber.disconnect_slow()
            raise asyncio.CancelledError from None  # `run` ends the stream and cancels this task

    def _start_explaining(self, batch: feed.Batch) -> None:
        """Explain a batch's newest signals, unless the batch before is still being explained."""
        busy = self._explaining is not None and not self._explaining.done()
        records = [r for r in batch.records if r.kind is not Kind.OUTCOME][-HEATMAPS_AT_ONCE:]
        if self._heatmaps is not None and records and not busy:
            sequences = [record.sequence for record in records]
            self._explaining = asyncio.create_task(self._explain(sequences, self._heatmaps))

    async def _explain(self, sequences: list[int], method: MethodName) -> None:
        try:
            maps = await self._inference.explain_signals(sequences, method, call_from(self._context))
        except ResourceExhausted:
            return  # maps are dropped under overload and beyond the caller's quota
        except Exception:
            log.exception("heat maps of %d signals failed", len(sequences))
            return
        async with self._writing:
            token, through = self._position
            response = pb.SignalsResponse(
                resume_token=token, through_sequence=through, heatmaps=heatmaps_to(maps)
            )
            await self._write(response.SerializeToString())
