"""Requests from the clients' arguments, the same for both clients. Nothing is sent from here."""

import functools
from collections.abc import Callable, Iterable, Sequence
from datetime import datetime, timedelta
from typing import ParamSpec, TypeVar

from numpy.typing import ArrayLike

from glasstape._convert.common import delta_to, enum_to, member, time_to
from glasstape._convert.inference import direction_to, input_to, windows_to
from glasstape._convert.market import publish_requests
from glasstape.errors import InvalidRequestError
from glasstape.types.enums import (
    Baseline,
    Delivery,
    Direction,
    EventKind,
    Method,
    QualityLevel,
    Score,
    Start,
    TrackRecordGroup,
)
from glasstape.types.market import Bar
from glasstape.v1 import inference_pb2 as ipb
from glasstape.v1 import market_pb2 as mpb
from glasstape.v1 import signals_pb2 as spb

P = ParamSpec("P")
R = TypeVar("R")


def checked(build: Callable[P, R]) -> Callable[P, R]:
    """Arguments of a wrong type are InvalidRequestError, like all that is wrong with a request."""

    @functools.wraps(build)
    def wrapper(*args: P.args, **kwargs: P.kwargs) -> R:
        try:
            return build(*args, **kwargs)
        except (TypeError, ValueError, AttributeError, OverflowError) as error:
            raise InvalidRequestError.field("arguments", str(error)) from error

    return wrapper


@checked
def predict(
    windows: ArrayLike | None,
    bars: Sequence[Sequence[Bar]] | None,
    symbols: Sequence[str] | None,
    signals: Sequence[int] | None,
    model: str,
) -> ipb.PredictRequest:
    """A Predict request."""
    return ipb.PredictRequest(model=model, input=input_to(windows, bars, symbols, signals))


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
) -> ipb.ExplainRequest:
    """An Explain request."""
    for name, value in (("samples", samples), ("seed", seed)):
        if value < 0:
            raise InvalidRequestError.field(name, f"must be 0 or more, is {value}")
    return ipb.ExplainRequest(
        model=model,
        input=input_to(windows, bars, symbols, signals),
        method=enum_to(ipb.Method, "METHOD_", member(Method, method, "method")),
        score=enum_to(ipb.Score, "SCORE_", member(Score, score, "score")),
        target=direction_to(target, "target"),
        foil=direction_to(foil, "foil"),
        baseline=enum_to(
            ipb.Baseline,
            "BASELINE_",
            member(Baseline, baseline, "baseline") if baseline else None,
        ),
        samples=samples,
        seed=seed,
        quality=enum_to(ipb.QualityLevel, "QUALITY_LEVEL_", member(QualityLevel, quality, "quality")),
        baseline_windows=_windows_or_none(baseline_windows, "baseline_windows"),
        background=_windows_or_none(background, "background"),
    )


def _windows_or_none(windows: ArrayLike | None, field: str) -> ipb.Windows | None:
    return None if windows is None else windows_to(windows, field)


def symbols_to(symbols: Sequence[str]) -> Sequence[str]:
    """The symbols, unless they are one text.

    Raises:
        InvalidRequestError: a text is a sequence of letters, which nobody means.
    """
    if isinstance(symbols, str):
        raise InvalidRequestError.field("symbols", f"must be a sequence of symbols, is the text {symbols!r}")
    return symbols


def kinds_to(kinds: Iterable[EventKind | str]) -> list[spb.EventKind.ValueType]:
    """Wire kinds."""
    members = [member(EventKind, kind, "kinds") for kind in kinds]
    return [enum_to(spb.EventKind, "EVENT_KIND_", kind) for kind in members]


@checked
def signals(
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
) -> spb.SignalsRequest:
    """A Signals request."""
    method = member(Method, heatmap_method, "heatmap_method") if heatmap_method else None
    return spb.SignalsRequest(
        symbols=symbols_to(symbols),
        kinds=kinds_to(kinds),
        min_confidence=min_confidence,
        start=enum_to(spb.Start, "START_", member(Start, start, "start")),
        resume_token=resume_token,
        delivery=enum_to(spb.Delivery, "DELIVERY_", member(Delivery, delivery, "delivery")),
        conflation_interval=delta_to(conflation_interval),
        heartbeat_interval=delta_to(heartbeat_interval),
        heatmap_method=enum_to(ipb.Method, "METHOD_", method),
    )


@checked
def list_signals(
    symbols: Sequence[str],
    kinds: Iterable[EventKind | str],
    *,
    min_confidence: float,
    start_sequence: int,
    end_sequence: int,
    descending: bool,
) -> spb.ListSignalsRequest:
    """A ListSignals request for the first page."""
    return spb.ListSignalsRequest(
        symbols=symbols_to(symbols),
        kinds=kinds_to(kinds),
        min_confidence=min_confidence,
        start_sequence=start_sequence,
        end_sequence=end_sequence,
        descending=descending,
    )


@checked
def track_record(
    model: str,
    symbols: Sequence[str],
    *,
    exclude_abstained: bool,
    group_by: Iterable[TrackRecordGroup | str],
    cost: float,
) -> spb.GetTrackRecordRequest:
    """A GetTrackRecord request."""
    groups = [
        member(TrackRecordGroup, group, "group_by")
        for group in ([group_by] if isinstance(group_by, str) else group_by)
    ]
    return spb.GetTrackRecordRequest(
        model=model,
        symbols=symbols_to(symbols),
        exclude_abstained=exclude_abstained,
        group_by=[enum_to(spb.TrackRecordGroup, "TRACK_RECORD_GROUP_", group) for group in groups],
        cost=cost,
    )


@checked
def list_bars(
    symbol: str, interval: str, start: datetime | None, end: datetime | None
) -> mpb.ListBarsRequest:
    """A ListBars request for the first page."""
    return mpb.ListBarsRequest(
        symbol=symbol,
        interval=interval,
        start_time=time_to(start, "start") if start else None,
        end_time=time_to(end, "end") if end else None,
        page_size=10_000,
    )


publish = checked(publish_requests)
"""PublishBars requests."""
