"""Maps of resolved items: run on the engine, judged, and written into messages."""

import asyncio
import math
from dataclasses import dataclass

import numpy as np
from glasstape.v1 import inference_pb2 as pb

from glasstape_server.domain.errors import FailedPrecondition, InvalidArgument
from glasstape_server.domain.values import Call, Confidence, Float32s
from glasstape_server.engine.engine import Engine
from glasstape_server.engine.job import Lane, Result
from glasstape_server.engine.work import Explain, Maps, forecasts
from glasstape_server.explain import catalog
from glasstape_server.explain.drivers import drivers
from glasstape_server.explain.method import BaselineKind, MethodName, Quantity, Request
from glasstape_server.explain.verdict import Judgment, MapFacts, Verdict, judge_fast, judge_fully
from glasstape_server.models.model import Model
from glasstape_server.rpc.convert.explanations import (
    direction_to,
    driver_to,
    heatmap_to,
    quality_to,
)
from glasstape_server.rpc.convert.inference import prediction_to
from glasstape_server.rpc.convert.market import timestamp
from glasstape_server.serving.carried import reference_windows
from glasstape_server.serving.counterfactuals import flip_class
from glasstape_server.serving.items import MAX_ITEMS, Group, Item, group_by_model

INLINE_ITEMS = 16
"""Explanations written on the event loop; for more of them a thread is worth its start."""
MAX_BACKGROUND = 256


@dataclass(frozen=True, slots=True)
class Wanted:
    """What is asked of a call's items, beside the items."""

    request: Request
    quality: pb.QualityLevel.ValueType = pb.QUALITY_LEVEL_FAST
    baseline_windows: pb.Windows | None = None
    background: pb.Windows | None = None
    with_windows: bool = True
    """Whether the answer carries the windows: the caller does not have them."""


async def explanations(
    engine: Engine, items: list[Item], wanted: Wanted, call: Call
) -> tuple[list[pb.Explanation], list[Result]]:
    """Explain items, in order; an item whose model cannot serve the method gets that as its error.

    Raises:
        InvalidArgument: baseline or background windows that do not fit the model.
    """
    groups = group_by_model(items)
    for group in groups:
        _check_served(items, group, wanted.request.method)
    groups = group_by_model(items)
    for group in groups:
        _check_references(group, wanted, len(items))
    made = [pb.Explanation(prediction=prediction_to(item, None)) for item in items]
    results = []
    for group in groups:
        if wanted.request.method is MethodName.COUNTERFACTUAL:
            results += await flip_class(engine, made, items, group, wanted.request, wanted.quality, call)
        else:
            results.append(await _explain(engine, made, items, group, wanted, call))
        for row in group.rows:
            if items[row].error is None:
                _describe_window(made[row], items[row], wanted.with_windows)
    return made, results


def _check_served(items: list[Item], group: Group, method: MethodName) -> None:
    try:
        catalog.check_served(group.model, method)
    except FailedPrecondition as error:
        for row in group.rows:
            items[row].error = error


def _check_references(group: Group, wanted: Wanted, count: int) -> None:
    if wanted.baseline_windows is not None:
        given = reference_windows(wanted.baseline_windows, group.model, "baseline_windows", MAX_ITEMS)
        if len(given) not in (1, count):
            rule = f"must be 1 or as many as items ({count}), is {len(given)}"
            raise InvalidArgument.field("baseline_windows.count", rule)
    if wanted.background is not None:
        reference_windows(wanted.background, group.model, "background", MAX_BACKGROUND)


async def _explain(
    engine: Engine, made: list[pb.Explanation], items: list[Item], group: Group, wanted: Wanted, call: Call
) -> Result:
    windows = np.stack(group.windows)
    rows: tuple[Float32s, ...] = (windows,)
    kind = catalog.baseline_of(wanted.request)
    if kind is BaselineKind.PREVIOUS:
        rows = (windows, np.stack([_known(items[row].previous) for row in group.rows]))
    elif kind is BaselineKind.CUSTOM and wanted.baseline_windows is not None:
        own = reference_windows(wanted.baseline_windows, group.model, "baseline_windows", MAX_ITEMS)
        rows = (windows, own[group.rows] if len(own) > 1 else np.repeat(own, len(windows), axis=0))
    result = await engine.run(Explain(group.model, wanted.request), rows, Lane.EXPLAIN, call)

    def fill() -> None:
        maps = Maps.of(result.columns)
        stated = forecasts(group.model, windows, maps.logits)
        for place, row in enumerate(group.rows):
            item = items[row]
            confidence = item.journalled or stated.confidence(place)
            made[row].CopyFrom(explained(item, group.model, windows[0], confidence, maps.row(place), wanted))

    if len(windows) <= INLINE_ITEMS:
        fill()
    else:
        await asyncio.to_thread(fill)
    return result


def explained(
    item: Item, model: Model, window: Float32s, confidence: Confidence, maps: Maps, wanted: Wanted
) -> pb.Explanation:
    """The explanation of one item from its map, a batch of one."""
    quantity = catalog.METHODS[wanted.request.method].quantity
    mean, deviation = model.statistics.mean.numpy(), model.statistics.deviation.numpy()
    native = (int(maps.native_shape[0, 0]), int(maps.native_shape[0, 1]))
    values = maps.values[0]
    stability = None if maps.sign_stability is None else maps.sign_stability[0]
    message = pb.Explanation(
        prediction=prediction_to(item, confidence),
        heatmap=heatmap_to(values, quantity, native, stability),
        score=float(maps.score[0]),
        target=direction_to(int(maps.target[0])),
        foil=direction_to(int(maps.foil[0])),
        samples=int(maps.samples[0]),
    )
    judgement = _judge(_facts(message, maps, quantity), maps, model, wanted)
    if wanted.quality != pb.QUALITY_LEVEL_NONE:
        message.quality.CopyFrom(quality_to(judgement, wanted.quality))
    if judgement.verdict is not Verdict.DEGENERATE:
        times = _close_times(item, model.window_shape[0])
        found = drivers(window, values, mean, deviation, quantity, native)
        message.drivers.extend(driver_to(driver, model, times) for driver in found)
    return message


def _facts(message: pb.Explanation, maps: Maps, quantity: Quantity) -> MapFacts:
    """What is known of one map; scores that are defined go into the message on the way."""
    difference = completeness = None
    if not math.isnan(maps.baseline_score[0]):
        message.baseline_score = float(maps.baseline_score[0])
        difference = float(maps.score[0] - maps.baseline_score[0])
    if not math.isnan(maps.completeness_error[0]):
        message.completeness_error = completeness = float(maps.completeness_error[0])
    return MapFacts(maps.values[0], quantity, difference, completeness)


def _judge(facts: MapFacts, maps: Maps, model: Model, wanted: Wanted) -> Judgment:
    if (
        not wanted.request.checked
        or maps.sign_agreement is None
        or maps.occlusion_correlation is None
        or maps.deletion is None
        or maps.random_deletion is None
    ):
        return judge_fast(facts)
    return judge_fully(
        facts,
        float(maps.sign_agreement[0]),
        float(maps.occlusion_correlation[0]),
        maps.deletion[0],
        maps.random_deletion[0],
        model.manifest.checks,
        of_occlusion=wanted.request.method is MethodName.OCCLUSION,
    )


def _describe_window(message: pb.Explanation, item: Item, with_window: bool) -> None:
    if item.model is None or item.window is None:
        return
    times = _close_times(item, item.model.window_shape[0])
    message.bar_close_times.extend(timestamp(time) for time in times)
    if with_window:
        message.window = np.ascontiguousarray(item.window, dtype="<f4").tobytes()


def _close_times(item: Item, count: int) -> list[int]:
    return [] if item.bars is None else item.bars.close_times(count)


def _known(window: Float32s | None) -> Float32s:
    if window is None:
        raise RuntimeError("an item without a previous window has an error and is in no group")
    return window
