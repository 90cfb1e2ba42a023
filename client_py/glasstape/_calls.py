"""The calls of the contract, built from the arguments of both clients."""

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from functools import partial
from typing import Any

from grpc_health.v1 import health_pb2
from numpy.typing import ArrayLike

from glasstape._call import Call, checked
from glasstape._convert.arrays import windows_to
from glasstape._convert.common import delta_to, member, member_to, time_to
from glasstape._convert.explanation import explanations_from
from glasstape._convert.inference import direction_to, input_to, predictions_from, symbols_to
from glasstape._convert.market import bar_from, batches_to, instrument_from, report_from
from glasstape._convert.models import model_from, server_info_from
from glasstape._convert.signals import page_from, track_records_from
from glasstape._convert.values import flag, items, token_bytes
from glasstape._options import MAX_ITEMS
from glasstape._resume import StreamState
from glasstape._scalars import MAX_UINT32, integer, number_within, text
from glasstape.errors import InvalidRequestError
from glasstape.types.enums import (
    BarMode,
    Baseline,
    Direction,
    EventKind,
    Include,
    Method,
    ModelView,
    QualityLevel,
    Score,
    TrackRecordGroup,
)
from glasstape.types.explanation import Explanation
from glasstape.types.inference import Model, Prediction, ServerInfo
from glasstape.types.market import Bar, Instrument, PublishReport
from glasstape.types.signals import Event
from glasstape.types.stream_enums import Delivery, Start
from glasstape.types.track import TrackRecords
from glasstape.v1 import inference_pb2 as ipb
from glasstape.v1 import market_pb2 as mpb
from glasstape.v1 import signals_pb2 as spb

INFERENCE = "/glasstape.v1.InferenceService/"
MARKET = "/glasstape.v1.MarketService/"
SIGNALS = "/glasstape.v1.SignalService/"
LARGEST_PAGE = 10_000
CONFLATION_INTERVAL_S, HEARTBEAT_INTERVAL_S = (0.0, 60.0), (0.1, 60.0)
"""Seconds that the contract allows for a stream, from and to."""
LARGEST_COST = 0.1
"""Cost of a track record that the contract allows, as a share of the price."""


@checked
def predict(
    windows: ArrayLike | None,
    bars: Sequence[Sequence[Bar]] | None,
    symbols: Sequence[str] | None,
    signals: Sequence[int] | None,
    model: str,
) -> Call[list[Prediction]]:
    """Return the Predict call."""
    request = ipb.PredictRequest(model=text(model, "model"), input=input_to(windows, bars, symbols, signals))
    return Call(INFERENCE + "Predict", request, ipb.PredictResponse, predictions_from)


@checked
def explain(
    windows: ArrayLike | None,
    bars: Sequence[Sequence[Bar]] | None,
    symbols: Sequence[str] | None,
    signals: Sequence[int] | None,
    *,
    model: str,
    method: Method | str,
    score: Score | str,
    target: Direction | str | None,
    foil: Direction | str | None,
    baseline: Baseline | str | None,
    samples: int,
    seed: int,
    quality: QualityLevel | str,
    baseline_windows: ArrayLike | None,
    background: ArrayLike | None,
    include: Iterable[Include | str] | None,
) -> Call[list[Explanation]]:
    """Return the Explain call."""
    kinds = ipb.Explanation
    request = ipb.ExplainRequest(
        model=text(model, "model"),
        input=input_to(windows, bars, symbols, signals),
        method=member_to(kinds.Method, Method, method, "method"),
        score=member_to(kinds.Score, Score, score, "score"),
        target=direction_to(target, "target"),
        foil=direction_to(foil, "foil"),
        baseline=kinds.BASELINE_UNSPECIFIED
        if baseline is None
        else member_to(kinds.Baseline, Baseline, baseline, "baseline"),
        samples=integer(samples, "samples", MAX_UINT32),
        seed=integer(seed, "seed"),
        quality=member_to(ipb.QualityLevel, QualityLevel, quality, "quality"),
        baseline_windows=None
        if baseline_windows is None
        else windows_to(baseline_windows, "baseline_windows"),
        background=None if background is None else windows_to(background, "background"),
        include=_include_to(include),
    )
    return Call(INFERENCE + "Explain", request, ipb.ExplainResponse, explanations_from)


def _include_to(include: Iterable[Include | str] | None) -> list[Any]:
    if include is None:
        return []
    parts = [include] if isinstance(include, str) else items(include, "include", "parts")
    wire = ipb.ExplainRequest.Include
    return [member_to(wire, Include, part, "include") for part in parts] or [ipb.ExplainRequest.INCLUDE_NONE]


@checked
def get_model(name: str) -> Call[Model]:
    """Return the GetModel call."""
    request = ipb.GetModelRequest(model=text(name, "name"))
    return Call(INFERENCE + "GetModel", request, ipb.GetModelResponse, lambda r: model_from(r.model))


@checked
def list_models(view: ModelView | str) -> Call[list[Model]]:
    """Return the ListModels call for the first page."""
    wire = member_to(ipb.ModelView, ModelView, view, "view")
    request = ipb.ListModelsRequest(view=wire)
    return Call(
        INFERENCE + "ListModels", request, ipb.ListModelsResponse, lambda r: [model_from(m) for m in r.models]
    )


def get_server_info() -> Call[ServerInfo]:
    """Return the GetServerInfo call."""
    request = ipb.GetServerInfoRequest()
    return Call(INFERENCE + "GetServerInfo", request, ipb.GetServerInfoResponse, server_info_from)


@checked
def publish_bars(
    bars: Sequence[Bar], instruments: Iterable[Instrument], mode: BarMode | str | None, backfill: bool
) -> list[Call[PublishReport]]:
    """Return a PublishBars call for each batch; `merged` joins their reports.

    StreamBars would send the batches of a client on one stream, but grpc.aio (1.80) reports INTERNAL instead of the
    server's status when a server ends a stream while the client still sends.
    """
    batches = batches_to(bars, instruments, _mode_of(mode, backfill), MAX_ITEMS)
    return [
        Call(
            MARKET + "PublishBars",
            batch,
            mpb.PublishBarsResponse,
            partial(report_from, first=number * MAX_ITEMS),
        )
        for number, batch in enumerate(batches)
    ]


def _mode_of(mode: BarMode | str | None, backfill: bool) -> BarMode:
    """Return the mode of bars; `backfill` stands for one, and excludes the others."""
    short = flag(backfill, "backfill")
    if mode is None:
        return BarMode.BACKFILL if short else BarMode.FINAL
    named = member(BarMode, mode, "mode")
    if short and named is not BarMode.BACKFILL:
        raise InvalidRequestError.field("backfill", f"must be False with mode={named.value!r}, is True")
    return named


@checked
def list_bars(symbol: str, interval: str, start: datetime | None, end: datetime | None) -> Call[list[Bar]]:
    """Return the ListBars call for the first page."""
    request = mpb.ListBarsRequest(
        symbol=text(symbol, "symbol"),
        interval=text(interval, "interval"),
        start_time=None if start is None else time_to(start, "start"),
        end_time=None if end is None else time_to(end, "end"),
        page_size=LARGEST_PAGE,
    )
    return Call(MARKET + "ListBars", request, mpb.ListBarsResponse, lambda r: [bar_from(b) for b in r.bars])


def list_instruments() -> Call[list[Instrument]]:
    """Return the ListInstruments call for the first page."""
    request = mpb.ListInstrumentsRequest()
    return Call(
        MARKET + "ListInstruments",
        request,
        mpb.ListInstrumentsResponse,
        lambda r: [instrument_from(item) for item in r.instruments],
    )


@checked
def follow_signals(
    symbols: Sequence[str],
    kinds: Iterable[EventKind | str],
    *,
    min_confidence: float,
    start: Start | str,
    resume_token: bytes,
    delivery: Delivery | str,
    conflation_interval: timedelta | float,
    heartbeat_interval: timedelta | float,
    heatmap_method: Method | str | None,
    quotes: bool,
    silence_timeout: timedelta | float | None,
) -> StreamState:
    """Return the state of a Signals stream that was not opened yet."""
    method = (
        Method.UNSPECIFIED if heatmap_method is None else member(Method, heatmap_method, "heatmap_method")
    )
    request = spb.SignalsRequest(
        symbols=symbols_to(symbols),
        kinds=_kinds_to(kinds),
        min_confidence=number_within(min_confidence, "min_confidence", 0.0, 1.0),
        start=member_to(spb.SignalsRequest.Start, Start, start, "start"),
        resume_token=token_bytes(resume_token, "resume_token"),
        delivery=member_to(spb.SignalsRequest.Delivery, Delivery, delivery, "delivery"),
        conflation_interval=delta_to(conflation_interval, "conflation_interval", *CONFLATION_INTERVAL_S),
        heartbeat_interval=delta_to(heartbeat_interval, "heartbeat_interval", *HEARTBEAT_INTERVAL_S),
        heatmap_method=member_to(ipb.Explanation.Method, Method, method, "heatmap_method"),
        quotes=flag(quotes, "quotes"),
    )
    return StreamState(request, method, silence_timeout)


def _kinds_to(kinds: Iterable[EventKind | str]) -> list[Any]:
    named = [kinds] if isinstance(kinds, str) else items(kinds, "kinds", "kinds")
    return [member_to(spb.EventKind, EventKind, kind, "kinds") for kind in named]


@checked
def list_signals(
    symbols: Sequence[str],
    kinds: Iterable[EventKind | str],
    *,
    min_confidence: float,
    start_sequence: int,
    end_sequence: int,
    descending: bool,
) -> Call[list[Event]]:
    """Return the ListSignals call for the first page."""
    request = spb.ListSignalsRequest(
        symbols=symbols_to(symbols),
        kinds=_kinds_to(kinds),
        min_confidence=number_within(min_confidence, "min_confidence", 0.0, 1.0),
        start_sequence=integer(start_sequence, "start_sequence"),
        end_sequence=integer(end_sequence, "end_sequence"),
        descending=flag(descending, "descending"),
    )
    return Call(SIGNALS + "ListSignals", request, spb.ListSignalsResponse, page_from)


@checked
def get_track_record(
    model: str,
    symbols: Sequence[str],
    *,
    exclude_abstained: bool,
    group_by: Iterable[TrackRecordGroup | str],
    cost: float,
) -> Call[TrackRecords]:
    """Return the GetTrackRecord call."""
    groups = [group_by] if isinstance(group_by, str) else items(group_by, "group_by", "groups")
    request = spb.GetTrackRecordRequest(
        model=text(model, "model"),
        symbols=symbols_to(symbols),
        exclude_abstained=flag(exclude_abstained, "exclude_abstained"),
        group_by=[member_to(spb.TrackRecordGroup, TrackRecordGroup, group, "group_by") for group in groups],
        cost=number_within(cost, "cost", 0.0, LARGEST_COST),
    )
    return Call(SIGNALS + "GetTrackRecord", request, spb.GetTrackRecordResponse, track_records_from)


@checked
def check_health(service: str) -> Call[health_pb2.HealthCheckResponse]:
    """Return the Check call of grpc.health.v1; `health_from` converts its answer with the trailing metadata."""
    request = health_pb2.HealthCheckRequest(service=text(service, "service"))
    return Call("/grpc.health.v1.Health/Check", request, health_pb2.HealthCheckResponse, lambda r: r)
