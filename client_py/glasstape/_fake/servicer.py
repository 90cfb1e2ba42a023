"""The wire's side of `glasstape.testing.FakeServer`."""

from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from functools import partial
from typing import TYPE_CHECKING, Any

import grpc
import numpy as np
from google.protobuf.any_pb2 import Any as AnyMessage
from google.rpc import error_details_pb2, status_pb2
from numpy.typing import NDArray

from glasstape._convert.market import bar_from, bar_to
from glasstape._convert.outgoing import confidence_to, model_to, ref_to
from glasstape._convert.signals import matches
from glasstape.types.inference import Model
from glasstape.v1 import inference_pb2 as ipb
from glasstape.v1 import market_pb2 as mpb
from glasstape.v1 import signals_pb2 as spb

if TYPE_CHECKING:
    from glasstape.testing import FakeServer


class NeedsToken(grpc.ServerInterceptor):
    """Answers UNAUTHENTICATED to whoever does not bear the token."""

    def __init__(self, token: str) -> None:
        self._wanted = ("authorization", f"Bearer {token}")

    def intercept_service(self, continuation: Callable[[Any], Any], details: Any) -> Any:
        handler = continuation(details)
        if handler is None or self._wanted in [tuple(item) for item in details.invocation_metadata]:
            return handler

        def refuse(request: Any, context: grpc.ServicerContext) -> None:
            context.abort(grpc.StatusCode.UNAUTHENTICATED, "a valid bearer token is needed")

        kinds = ("unary_unary", "unary_stream", "stream_unary", "stream_stream")
        return handler._replace(**{kind: refuse for kind in kinds if getattr(handler, kind) is not None})


class Servicer:
    """The three services over a `FakeServer`'s script."""

    def __init__(self, fake: "FakeServer", model: Model) -> None:
        self._fake, self._model = fake, model

    def Predict(self, request: ipb.PredictRequest, context: Any) -> ipb.PredictResponse:
        items = _items(request.input, self._model)
        return ipb.PredictResponse(predictions=[self._prediction(*item) for item in items])

    def Explain(self, request: ipb.ExplainRequest, context: Any) -> ipb.ExplainResponse:
        made = []
        for item in _items(request.input, self._model):
            values = np.asarray(self._fake.explain(*item), dtype="<f4")
            shape = ipb.Shape(time=values.shape[0], features=values.shape[1])
            heatmap = ipb.Heatmap(
                values=values.tobytes(), quantity=ipb.QUANTITY_SENSITIVITY, native_shape=shape, shape=shape
            )
            prediction = self._prediction(*item)
            time, feature = np.unravel_index(np.abs(values).argmax(), values.shape)
            driver = ipb.Driver(
                feature=self._model.features[feature].name, feature_index=int(feature), time_index=int(time),
                attribution=float(values[time, feature]), span=ipb.Shape(time=1, features=1),
            )  # fmt: skip
            made.append(
                ipb.Explanation(
                    prediction=prediction,
                    heatmap=heatmap,
                    target=prediction.confidence.direction,
                    drivers=[driver],
                )
            )
        method = request.method or ipb.METHOD_GRADIENT
        return ipb.ExplainResponse(explanations=made, method=method, score=request.score or ipb.SCORE_MARGIN)

    def GetModel(self, request: ipb.GetModelRequest, context: Any) -> ipb.GetModelResponse:
        return ipb.GetModelResponse(model=model_to(self._model))

    def ListModels(self, request: ipb.ListModelsRequest, context: Any) -> ipb.ListModelsResponse:
        return ipb.ListModelsResponse(models=[model_to(self._model)])

    def PublishBars(
        self, requests: Iterator[mpb.PublishBarsRequest], context: Any
    ) -> Iterator[mpb.PublishBarsResponse]:
        for request in requests:
            self._fake.published += [bar_from(bar) for bar in request.bars]
            yield mpb.PublishBarsResponse(batch_id=request.batch_id, stored=len(request.bars))

    def ListBars(self, request: mpb.ListBarsRequest, context: Any) -> mpb.ListBarsResponse:
        wanted = (request.symbol, request.interval)
        bars = [bar for bar in self._fake.published if (bar.symbol, bar.interval) == wanted]
        return mpb.ListBarsResponse(bars=[bar_to(bar) for bar in bars])

    def ListInstruments(
        self, request: mpb.ListInstrumentsRequest, context: Any
    ) -> mpb.ListInstrumentsResponse:
        symbols = sorted({bar.symbol for bar in self._fake.published})
        return mpb.ListInstrumentsResponse(instruments=[mpb.Instrument(symbol=s) for s in symbols])

    def ListSignals(self, request: spb.ListSignalsRequest, context: Any) -> spb.ListSignalsResponse:
        events = [event for event in self._fake._events if matches(event, request)]
        return spb.ListSignalsResponse(events=events[::-1] if request.descending else events)

    def GetTrackRecord(self, request: spb.GetTrackRecordRequest, context: Any) -> spb.GetTrackRecordResponse:
        return spb.GetTrackRecordResponse()

    def Signals(self, request: spb.SignalsRequest, context: Any) -> Iterator[spb.SignalsResponse]:
        fake = self._fake
        with fake._changed:
            connection, epoch, position = fake._connections, fake.epoch, len(fake._events)
        result, reason = spb.OPEN_RESULT_STARTED, spb.RESET_REASON_UNSPECIFIED
        if request.resume_token:
            token_epoch, token_position = map(int, request.resume_token.split(b":"))
            if token_epoch != epoch:
                result, reason = spb.OPEN_RESULT_RESET, spb.RESET_REASON_EPOCH_CHANGED
            elif token_position < fake._earliest - 1:
                _abort_too_old(context, fake._earliest, token_position)
            else:
                result, position = spb.OPEN_RESULT_RESUMED, token_position
        elif request.start == spb.START_EARLIEST:
            position = fake._earliest - 1
        opened = spb.Opened(
            result=result,
            reset_reason=reason,
            epoch=f"{epoch:016x}",
            head_sequence=len(fake._events),
            earliest_sequence=fake._earliest,
            contract_version=fake.contract_version,
            model=ref_to(self._model.ref),
        )
        yield self._response(epoch, position, opened=opened)
        fresh = result == spb.OPEN_RESULT_STARTED and request.start in (0, spb.START_SNAPSHOT)
        if fresh or result == spb.OPEN_RESULT_RESET:
            batch = spb.EventBatch(events=_snapshot(fake._events[:position], request), snapshot=True)
            yield self._response(epoch, position, batch=batch)
        while True:
            heartbeat = (request.heartbeat_interval.ToMicroseconds() or 1_000_000) / 1e6
            with fake._changed:
                fake._changed.wait_for(partial(self._due, position, connection), timeout=heartbeat)
                found, broken = fake._events[position:], fake._connections != connection or fake._stopped
            position += len(found)
            events = [event for event in found if matches(event, request)]
            if events:
                yield self._response(epoch, position, batch=spb.EventBatch(events=events))
            if broken or not context.is_active():
                context.abort(grpc.StatusCode.UNAVAILABLE, "the fake server broke this stream")
            if not events:
                beat = spb.Heartbeat(data_state=mpb.DATA_STATE_LIVE)
                beat.server_time.FromDatetime(datetime.now(UTC))
                beat.market_time.CopyFrom(beat.server_time)
                yield self._response(epoch, position, heartbeat=beat)

    def _due(self, position: int, connection: int) -> bool:
        fake = self._fake
        return len(fake._events) > position or fake._stopped or fake._connections != connection

    def _response(self, epoch: int, position: int, **body: Any) -> spb.SignalsResponse:
        return spb.SignalsResponse(
            resume_token=b"%d:%d" % (epoch, position), through_sequence=position, **body
        )

    def _prediction(self, symbol: str, window: NDArray[np.float32] | None) -> ipb.Prediction:
        confidence = confidence_to(self._fake.predict(symbol, window))
        return ipb.Prediction(model=ref_to(self._model.ref), confidence=confidence, symbol=symbol)


def _items(source: ipb.Input, model: Model) -> list[tuple[str, NDArray[np.float32] | None]]:
    if source.WhichOneof("source") == "windows":
        windows = np.frombuffer(source.windows.data, dtype="<f4")
        shape = (source.windows.count, model.time_steps, len(model.features))
        return [("", window) for window in windows.reshape(shape)]
    if source.WhichOneof("source") == "bars":
        return [(series.bars[-1].symbol, None) for series in source.bars.series]
    if source.WhichOneof("source") == "signals":
        return [("", None) for _ in source.signals.sequences]
    return [(symbol, None) for symbol in source.symbols.symbols]


def _snapshot(events: list[spb.Event], request: spb.SignalsRequest) -> list[spb.Event]:
    """The newest confidence and buy of each symbol."""
    newest = {(event.symbol, event.WhichOneof("kind")): event for event in events if matches(event, request)}
    chosen = [event for (_, kind), event in newest.items() if kind != "outcome"]
    return sorted(chosen, key=lambda event: event.sequence)


def _abort_too_old(context: Any, earliest: int, position: int) -> None:
    detail = AnyMessage()
    metadata = {"earliest_sequence": str(earliest), "sequence": str(position)}
    detail.Pack(error_details_pb2.ErrorInfo(reason="TOKEN_TOO_OLD", domain="glasstape", metadata=metadata))
    status = status_pb2.Status(code=11, message="resume_token: too old", details=[detail])
    context.set_trailing_metadata((("grpc-status-details-bin", status.SerializeToString()),))
    context.abort(grpc.StatusCode.OUT_OF_RANGE, status.message)
