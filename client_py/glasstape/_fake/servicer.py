"""The services of a fake server."""

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from glasstape._convert.common import problem_to
from glasstape._convert.importance import filter_from, importance_to
from glasstape._convert.outgoing import confidence_to, model_to, quality_to, track_records_to
from glasstape._convert.references import ref_to
from glasstape._fake.failures import abort
from glasstape._fake.feed import FakeFeed
from glasstape._fake.market import FakeMarket, FakeMarketServicer
from glasstape._fake.windows import windows_from
from glasstape._options import MAX_ITEMS, MAX_MESSAGE_BYTES
from glasstape.errors import GlasstapeError, InvalidRequestError
from glasstape.types.explanation import Quality
from glasstape.types.importance import Importance, WindowFilter
from glasstape.types.inference import Confidence, Model
from glasstape.types.track import TrackRecords
from glasstape.v1 import inference_pb2 as ipb
from glasstape.v1 import signals_pb2 as spb

Window = NDArray[np.float32]
CONTRIBUTIONS = (
    ipb.Explanation.METHOD_INTEGRATED_GRADIENTS,
    ipb.Explanation.METHOD_EXPECTED_GRADIENTS,
    ipb.Explanation.METHOD_TREE_SHAP,
)
"""Methods whose maps are sent as contributions; those of all others are importance."""


class Servicer(FakeMarketServicer):
    """All services of a fake server.

    Args:
        model: the only model.
        feed: the journal.
        market: what was published.
        predict: called with the symbol (or "") and the window (or None) of each item.
        rank: called like `predict`; returns the rank score, or None.
        explain: called like `predict`; returns a map (time, feature).
        importance: called with the filter and the reference (or None).
        track: returns the track record.
        judge: called like `predict` at quality FULL; returns the verdict on the map, or None.
    """

    def __init__(
        self,
        model: Model,
        feed: FakeFeed,
        market: FakeMarket,
        predict: Callable[[str, Window | None], Confidence],
        rank: Callable[[str, Window | None], float | None],
        explain: Callable[[str, Window | None], Window],
        importance: Callable[[WindowFilter, WindowFilter | None], Importance],
        track: Callable[[], TrackRecords],
        judge: Callable[[str, Window | None], Quality | None],
    ) -> None:
        self._model, self._feed, self._market = model, feed, market
        self._predict, self._rank, self._explain, self._importance = predict, rank, explain, importance
        self._track, self._judge = track, judge

    def Predict(self, request: ipb.PredictRequest, context: Any) -> ipb.PredictResponse:
        predictions = [self._ranked(*item) for item in self._items(request.input, context)]
        return ipb.PredictResponse(predictions=predictions, models=[ref_to(self._model.ref)])

    def Explain(self, request: ipb.ExplainRequest, context: Any) -> ipb.ExplainResponse:
        for path in ("baseline_windows", "background"):
            if request.HasField(path):
                self._windows(getattr(request, path), path, context)
        results = [self._explanation(request, *item) for item in self._items(request.input, context)]
        return ipb.ExplainResponse(
            results=results,
            method=request.method or ipb.Explanation.METHOD_SCALED_GRADIENT,
            score=request.score or ipb.Explanation.SCORE_MARGIN,
            models=[ref_to(self._model.ref)],
        )

    def GetImportance(self, request: ipb.GetImportanceRequest, context: Any) -> ipb.GetImportanceResponse:
        reference = filter_from(request.reference) if request.HasField("reference") else None
        try:
            return importance_to(self._importance(filter_from(request.filter), reference))
        except GlasstapeError as error:
            abort(context, error)
            raise

    def GetModel(self, request: ipb.GetModelRequest, context: Any) -> ipb.GetModelResponse:
        return ipb.GetModelResponse(model=model_to(self._model))

    def ListModels(self, request: ipb.ListModelsRequest, context: Any) -> ipb.ListModelsResponse:
        return ipb.ListModelsResponse(models=[model_to(self._model)])

    def GetServerInfo(self, request: ipb.GetServerInfoRequest, context: Any) -> ipb.GetServerInfoResponse:
        limits = ipb.ServerLimits(max_items=MAX_ITEMS, max_message_bytes=MAX_MESSAGE_BYTES)
        return ipb.GetServerInfoResponse(
            contract_version=self._feed.contract_version,
            server_version="fake",
            limits=limits,
            wires=["grpcio"],
        )

    def ListSignals(self, request: spb.ListSignalsRequest, context: Any) -> spb.ListSignalsResponse:
        return self._feed.page(request)

    def GetTrackRecord(self, request: spb.GetTrackRecordRequest, context: Any) -> spb.GetTrackRecordResponse:
        return track_records_to(self._track())

    def Signals(self, request: spb.SignalsRequest, context: Any) -> Iterator[spb.SignalsResponse]:
        try:
            yield from self._feed.follow(request, context.is_active)
        except GlasstapeError as error:
            abort(context, error)

    def _prediction(self, symbol: str, window: Window | None) -> ipb.Prediction:
        """Return the prediction of an item, or its problem if the script raises a GlasstapeError."""
        try:
            confidence = confidence_to(self._predict(symbol, window))
        except GlasstapeError as error:
            return ipb.Prediction(problem=problem_to(error), symbol=symbol)
        return ipb.Prediction(confidence=confidence, symbol=symbol)

    def _ranked(self, symbol: str, window: Window | None) -> ipb.Prediction:
        """Return the prediction of an item with its rank score, which explanations lack."""
        prediction = self._prediction(symbol, window)
        if prediction.HasField("confidence"):
            score = self._rank(symbol, window)
            if score is not None:
                prediction.rank_score = score
        return prediction

    def _explanation(
        self, request: ipb.ExplainRequest, symbol: str, window: Window | None
    ) -> ipb.ExplanationResult:
        prediction = self._prediction(symbol, window)
        if prediction.HasField("problem"):
            return ipb.ExplanationResult(problem=prediction.problem, symbol=symbol)
        values = np.asarray(self._explain(symbol, window), dtype="<f4")
        shape = ipb.Heatmap.Shape(time=values.shape[0], features=values.shape[1])
        adds_up = request.method in CONTRIBUTIONS
        explanation = ipb.Explanation(
            heatmap=ipb.Heatmap(
                values=values.ravel(),
                quantity=ipb.Heatmap.QUANTITY_CONTRIBUTION if adds_up else ipb.Heatmap.QUANTITY_IMPORTANCE,
                native_shape=shape,
                shape=shape,
            ),
            target=prediction.confidence.direction,
        )
        quality = self._judge(symbol, window) if request.quality == ipb.QUALITY_LEVEL_FULL else None
        if quality is not None:
            explanation.quality.CopyFrom(quality_to(quality))
        if not request.include or ipb.ExplainRequest.INCLUDE_PREDICTION in request.include:
            explanation.prediction.CopyFrom(prediction)
        if not request.include or ipb.ExplainRequest.INCLUDE_DRIVERS in request.include:
            explanation.drivers.append(self._driver(values))
        carried = request.input.WhichOneof("source") == "windows"
        if not carried and (not request.include or ipb.ExplainRequest.INCLUDE_WINDOW in request.include):
            explanation.window.extend(np.zeros(values.size, np.float32))
        return ipb.ExplanationResult(explanation=explanation)

    def _windows(self, message: ipb.Windows, path: str, context: Any) -> Window:
        """Return windows (count, time, feature); end the call if they break a rule."""
        try:
            return windows_from(message, self._model, path)
        except InvalidRequestError as error:
            abort(context, error)

    def _driver(self, values: Window) -> ipb.Driver:
        """Return the strongest cell of a map."""
        time, feature = np.unravel_index(np.abs(values).argmax(), values.shape)
        return ipb.Driver(
            feature=self._model.features[feature].name, feature_index=int(feature), time_index=int(time),
            attribution=float(values[time, feature]), span=ipb.Heatmap.Shape(time=1, features=1),
        )  # fmt: skip

    def _items(self, source: ipb.PredictionInput, context: Any) -> list[tuple[str, Window | None]]:
        match source.WhichOneof("source"):
            case "windows":
                return [("", window) for window in self._windows(source.windows, "input.windows", context)]
            case "bars":
                return [(series.bars[-1].symbol, None) for series in source.bars.series]
            case "signals":
                return [("", None) for _ in source.signals.sequences]
            case _:
                return [(symbol, None) for symbol in source.symbols.symbols]
