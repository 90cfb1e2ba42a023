"""The services of a fake server."""

from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from glasstape._convert.common import problem_to
from glasstape._convert.market import bar_from, bar_to, instrument_from, instrument_to
from glasstape._convert.outgoing import confidence_to, model_to
from glasstape._convert.references import ref_to
from glasstape._fake.failures import abort
from glasstape._fake.feed import FakeFeed
from glasstape._options import MAX_ITEMS, MAX_MESSAGE_BYTES
from glasstape.errors import GlasstapeError
from glasstape.types.inference import Confidence, Model
from glasstape.types.market import Bar, Instrument
from glasstape.v1 import inference_pb2 as ipb
from glasstape.v1 import market_pb2 as mpb
from glasstape.v1 import signals_pb2 as spb

Window = NDArray[np.float32]


@dataclass
class FakeMarket:
    """What was published to a fake server."""

    bars: list[Bar] = field(default_factory=list)
    instruments: dict[str, Instrument] = field(default_factory=dict)
    modes: list[str] = field(default_factory=list)
    """Mode of each published batch."""

    def state(self, instrument: Instrument) -> None:
        """Take over the fields that an instrument states; the others are kept."""
        before = self.instruments.get(instrument.symbol, instrument)
        stated = {name: value for name, value in asdict(instrument).items() if value not in ("", None, ())}
        self.instruments[instrument.symbol] = replace(before, **stated)


class Servicer:
    """All services of a fake server.

    Args:
        model: the only model.
        feed: the journal.
        market: what was published.
        predict: called with the symbol (or "") and the window (or None) of each item.
        explain: called like `predict`; returns a map (time, feature).
    """

    def __init__(
        self,
        model: Model,
        feed: FakeFeed,
        market: FakeMarket,
        predict: Callable[[str, Window | None], Confidence],
        explain: Callable[[str, Window | None], Window],
    ) -> None:
        self._model, self._feed, self._market = model, feed, market
        self._predict, self._explain = predict, explain

    def Predict(self, request: ipb.PredictRequest, context: Any) -> ipb.PredictResponse:
        predictions = [self._prediction(*item) for item in self._items(request.input)]
        return ipb.PredictResponse(predictions=predictions, models=[ref_to(self._model.ref)])

    def Explain(self, request: ipb.ExplainRequest, context: Any) -> ipb.ExplainResponse:
        results = [self._explanation(request, *item) for item in self._items(request.input)]
        return ipb.ExplainResponse(
            results=results,
            method=request.method or ipb.Explanation.METHOD_GRADIENT,
            score=request.score or ipb.Explanation.SCORE_MARGIN,
            models=[ref_to(self._model.ref)],
        )

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

    def PublishBars(self, request: mpb.PublishBarsRequest, context: Any) -> mpb.PublishBarsResponse:
        self._market.modes.append(mpb.BarMode.Name(request.mode).removeprefix("BAR_MODE_").lower())
        self._market.bars += [bar_from(bar) for bar in request.bars]
        for item in request.instruments:
            self._market.state(instrument_from(item))
        return mpb.PublishBarsResponse(stored=len(request.bars))

    def StreamBars(
        self, requests: Iterator[mpb.StreamBarsRequest], context: Any
    ) -> Iterator[mpb.StreamBarsResponse]:
        for request in requests:
            receipt = self.PublishBars(request.batch, context)
            yield mpb.StreamBarsResponse(batch_id=request.batch_id, receipt=receipt)

    def ListBars(self, request: mpb.ListBarsRequest, context: Any) -> mpb.ListBarsResponse:
        key = (request.symbol, request.interval)
        bars = [bar for bar in self._market.bars if (bar.symbol, bar.interval) == key]
        return mpb.ListBarsResponse(bars=[bar_to(bar) for bar in bars])

    def ListInstruments(
        self, request: mpb.ListInstrumentsRequest, context: Any
    ) -> mpb.ListInstrumentsResponse:
        known = {bar.symbol: Instrument(symbol=bar.symbol) for bar in self._market.bars}
        known |= self._market.instruments
        instruments = [instrument_to(_with_zone(known[symbol])) for symbol in sorted(known)]
        return mpb.ListInstrumentsResponse(instruments=instruments)

    def ListSignals(self, request: spb.ListSignalsRequest, context: Any) -> spb.ListSignalsResponse:
        return self._feed.page(request)

    def GetTrackRecord(self, request: spb.GetTrackRecordRequest, context: Any) -> spb.GetTrackRecordResponse:
        return spb.GetTrackRecordResponse()

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

    def _explanation(
        self, request: ipb.ExplainRequest, symbol: str, window: Window | None
    ) -> ipb.ExplanationResult:
        prediction = self._prediction(symbol, window)
        if prediction.HasField("problem"):
            return ipb.ExplanationResult(problem=prediction.problem, symbol=symbol)
        values = np.asarray(self._explain(symbol, window), dtype="<f4")
        shape = ipb.Heatmap.Shape(time=values.shape[0], features=values.shape[1])
        explanation = ipb.Explanation(
            heatmap=ipb.Heatmap(
                values=values.ravel(),
                quantity=ipb.Heatmap.QUANTITY_SENSITIVITY,
                native_shape=shape,
                shape=shape,
            ),
            target=prediction.confidence.direction,
        )
        if not request.include or ipb.ExplainRequest.INCLUDE_PREDICTION in request.include:
            explanation.prediction.CopyFrom(prediction)
        if not request.include or ipb.ExplainRequest.INCLUDE_DRIVERS in request.include:
            explanation.drivers.append(self._driver(values))
        carried = request.input.WhichOneof("source") == "windows"
        if not carried and (not request.include or ipb.ExplainRequest.INCLUDE_WINDOW in request.include):
            explanation.window.extend(np.zeros(values.size, np.float32))
        return ipb.ExplanationResult(explanation=explanation)

    def _driver(self, values: Window) -> ipb.Driver:
        """Return the strongest cell of a map."""
        time, feature = np.unravel_index(np.abs(values).argmax(), values.shape)
        return ipb.Driver(
            feature=self._model.features[feature].name, feature_index=int(feature), time_index=int(time),
            attribution=float(values[time, feature]), span=ipb.Heatmap.Shape(time=1, features=1),
        )  # fmt: skip

    def _items(self, source: ipb.PredictionInput) -> list[tuple[str, Window | None]]:
        match source.WhichOneof("source"):
            case "windows":
                shape = (source.windows.count, self._model.time_steps, len(self._model.features))
                windows = np.frombuffer(source.windows.data, dtype="<f4").reshape(shape)
                return [("", window) for window in windows]
            case "bars":
                return [(series.bars[-1].symbol, None) for series in source.bars.series]
            case "signals":
                return [("", None) for _ in source.signals.sequences]
            case _:
                return [(symbol, None) for symbol in source.symbols.symbols]


def _with_zone(instrument: Instrument) -> Instrument:
    """Return an instrument as servers list it: with a time zone."""
    if instrument.time_zone:
        return instrument
    return replace(instrument, time_zone="UTC", assumed=("time_zone",))
