"""Writes one subscriber's messages to its stream, and the heat maps it asked for beside them."""

import asyncio
import base64

from glasstape.v1 import signals_pb2 as pb

from glasstape_server.domain import Kind
from glasstape_server.errors import ResourceExhausted
from glasstape_server.explain.method import MethodName
from glasstape_server.feed import messages as feed
from glasstape_server.feed.subscriber import Subscriber
from glasstape_server.rpc.convert.stream import StreamEncoder
from glasstape_server.rpc.handlers import Context
from glasstape_server.rpc.inference import Inference

HEATMAPS_AT_ONCE = 256
"""Maps computed for one batch at most: the newest ones; the rest is shed."""


class StreamWriter:
    """One open stream."""

    def __init__(
        self,
        context: Context,
        encoder: StreamEncoder,
        inference: Inference,
        heatmaps: MethodName | None,
    ) -> None:
        self._context = context
        self._encoder = encoder
        self._inference = inference
        self._heatmaps = heatmaps
        self._explaining: asyncio.Task[None] | None = None
        # Events and heat maps come from two tasks, and a message must be out before the next begins.
        self._writing = asyncio.Lock()
        self._position = (b"", 0)
        """Token and through_sequence of the last message that was written."""

    async def run(self, subscriber: Subscriber) -> None:
        """Write until the stream ends.

        Raises:
            ResourceExhausted: the reader left too many lossless events waiting.
            GlasstapeError: the token cannot be used.
        """
        writer = asyncio.ensure_future(self._write_messages(subscriber))
        overflow = asyncio.ensure_future(subscriber.overflowed.wait())
        try:
            await asyncio.wait({writer, overflow}, return_when=asyncio.FIRST_COMPLETED)
            if writer.done():
                await writer
                return
            raise ResourceExhausted(
                "SLOW_CONSUMER",
                "too many buys and outcomes wait for this reader; nothing is lost: resume from the token",
                metadata={"resume_token": base64.b64encode(self._position[0]).decode()},
            )
        finally:
            writer.cancel()
            overflow.cancel()
            await asyncio.gather(writer, overflow, return_exceptions=True)

    async def _write_messages(self, subscriber: Subscriber) -> None:
        messages = subscriber.messages()
        try:
            async for message in messages:
                await self._write(self._encoder.encode(message), (message.token, message.sequence))
                if isinstance(message.body, feed.Batch):
                    self._start_explaining(message.body)
        finally:
            if self._explaining is not None:
                self._explaining.cancel()
            await messages.aclose()

    async def _write(self, raw: bytes, position: tuple[bytes, int]) -> None:
        async with self._writing:
            self._position = position
            await self._context.write(raw)

    def _start_explaining(self, batch: feed.Batch) -> None:
        """Explain a batch's newest signals, unless the batch before is still being explained."""
        busy = self._explaining is not None and not self._explaining.done()
        records = [r for r in batch.records if r.kind is not Kind.OUTCOME][-HEATMAPS_AT_ONCE:]
        if self._heatmaps is not None and records and not busy:
            sequences = [record.sequence for record in records]
            self._explaining = asyncio.create_task(self._explain(sequences, self._heatmaps))

    async def _explain(self, sequences: list[int], method: MethodName) -> None:
        try:
            made = await self._inference.explain_signals(sequences, method)
        except ResourceExhausted:
            return  # under load maps are the first to be shed
        maps = [
            pb.SignalHeatmap(sequence=sequence, explanation=explanation)
            for sequence, explanation in zip(sequences, made, strict=True)
        ]
        token, through = self._position
        response = pb.SignalsResponse(
            resume_token=token, through_sequence=through, heatmaps=pb.SignalHeatmaps(heatmaps=maps)
        )
        await self._write(response.SerializeToString(), self._position)
