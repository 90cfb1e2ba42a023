"""SignalService: the feed and its history."""

import asyncio
import contextlib
from collections.abc import Callable

import grpc
from glasstape.v1 import signals_pb2 as pb
from glasstape.v1 import signals_pb2_grpc as pb_grpc

from glasstape_server.access.authorizer import check_may_explain
from glasstape_server.domain.backlog import Backlog
from glasstape_server.domain.errors import GlasstapeError, InvalidArgument
from glasstape_server.domain.limits import MAX_SEQUENCE
from glasstape_server.explain.catalog import check_served
from glasstape_server.explain.method import MethodName
from glasstape_server.models.repository import Repository
from glasstape_server.rpc.convert.predictions import ModelTable
from glasstape_server.rpc.convert.requests import method_from
from glasstape_server.rpc.convert.signals import decode_event, event_message
from glasstape_server.rpc.convert.stream import StreamEncoder
from glasstape_server.rpc.convert.subscription import selection_from, subscription_from
from glasstape_server.rpc.convert.track import TrackQuestion, question_from, track_record_to
from glasstape_server.rpc.handlers import (
    Context,
    abort,
    abort_internal,
    caller,
    page_size,
    parsed,
    translate_errors,
)
from glasstape_server.rpc.stream_writer import StreamWriter
from glasstape_server.serving.inference import Inference
from glasstape_server.signals.delivery.hub import Hub
from glasstape_server.signals.journal.records import Selection
from glasstape_server.signals.performance.track_record import Scored, track_record


class SignalServicer(pb_grpc.SignalServiceServicer):
    """The gRPC adapter of the feed."""

    def __init__(
        self,
        hub: Hub,
        encoder: Callable[[], StreamEncoder],
        inference: Inference,
        repository: Repository,
        ready: asyncio.Event,
        backlog: Callable[[], Backlog],
    ) -> None:
        """Make a servicer.

        Args:
            hub: the feed.
            encoder: makes the encoder of a stream.
            inference: computes heat maps.
            repository: states what the models of past signals were trained on.
            ready: set once the active model is known. A stream waits for it, since it opens with that model.
            backlog: bars and signals that a track record does not have yet.
        """
        self._backlog = backlog
        self._repository = repository
        self._hub = hub
        self._ready = ready
        self._encoder = encoder
        self._inference = inference

    async def Signals(  # type: ignore[override]  # the stub knows generators of messages only
        self, payload: bytes, context: Context
    ) -> None:
        """See signals.proto. Takes and writes bytes: events were encoded when they were journaled."""
        with contextlib.ExitStack() as held:  # until the call ends, since its end may stay unread
            try:
                request = parsed(pb.SignalsRequest, payload)
                wanted = subscription_from(request)
                held.enter_context(self._inference.quotas.stream(caller.get()))
                await self._ready.wait()
                method = self._heatmaps(request)
                subscriber = self._hub.subscribe(wanted)
                await StreamWriter(context, subscriber, self._encoder(), self._inference, method).run()
            except GlasstapeError as error:
                await abort(context, error)
            except (grpc.aio.AbortError, grpc.RpcError):
                raise
            except Exception as error:
                await abort_internal(context, error, "Signals")

    def _heatmaps(self, request: pb.SignalsRequest) -> MethodName | None:
        if not request.heatmap_method:
            return None
        check_may_explain(caller.get())
        method = method_from(request.heatmap_method, "heatmap_method")
        check_served(self._inference.inputs.model(""), method)
        return method

    @translate_errors
    async def ListSignals(self, request: pb.ListSignalsRequest, context: Context) -> pb.ListSignalsResponse:
        """See signals.proto."""
        selection = selection_from(request.symbols, request.kinds, request.min_confidence)
        size, bounds = page_size(request.page_size), self._hub.bounds
        if request.start_sequence > MAX_SEQUENCE:
            rule = f"must be 0-{MAX_SEQUENCE}, is {request.start_sequence}"
            raise InvalidArgument.field("start_sequence", rule)
        first, last = (
            request.start_sequence or 1,
            min(request.end_sequence or bounds.head, bounds.head),
        )
        if request.page_token:
            epoch, _, position = request.page_token.partition(":")
            if epoch != bounds.epoch.hex() or not _is_position(position):
                raise InvalidArgument.field("page_token", "must be a next_page_token of this epoch")
            if request.descending:
                last = min(last, int(position))
            else:
                first = max(first, int(position))
        records = await self._hub.run_on_reader_thread(
            self._hub.history.page, selection, first, last, size + 1, request.descending
        )
        table = ModelTable()
        events = [event_message(record.payload, table.index(record.model)) for record in records[:size]]
        response = pb.ListSignalsResponse(events=events, models=table.messages(), epoch=bounds.epoch.hex())
        if len(records) > size:
            response.next_page_token = f"{bounds.epoch.hex()}:{records[size].sequence}"
        return response

    @translate_errors
    async def GetTrackRecord(
        self, request: pb.GetTrackRecordRequest, context: Context
    ) -> pb.GetTrackRecordResponse:
        """See signals.proto."""
        question = question_from(request)
        selection = selection_from(request.symbols, [pb.EVENT_KIND_OUTCOME], 0.0)
        backlog = self._backlog()
        return await self._hub.run_on_reader_thread(self._track_record, selection, question, backlog)

    def _track_record(
        self, selection: Selection, question: TrackQuestion, backlog: Backlog
    ) -> pb.GetTrackRecordResponse:
        """Compute on a journal reader thread."""
        bounds = self._hub.bounds
        records = self._hub.history.page(selection, 1, bounds.head, 1 << 62, False)
        scored = [
            Scored.of(decode_event(r.payload, r.model))
            for r in records
            if question.model in ("", r.model.name)
        ]
        kept = [
            item for item in scored if not (question.exclude_abstained and item.outcome.confidence.abstained)
        ]
        unseen = [
            item
            for item in kept
            if not self._repository.was_trained_on(
                item.model.digest, item.symbol, item.outcome.signal_close_time
            )
        ]
        track = track_record(unseen, question.group_by, question.cost, self._repository.training_shares)
        return track_record_to(track, left_out=len(kept) - len(unseen), backlog=backlog)


def _is_position(text: str) -> bool:
    return text.isascii() and text.isdigit() and len(text) < 19
