"""Counterfactuals of resolved items: the search on the engine, the flips in messages."""

import numpy as np
from glasstape.v1 import inference_pb2 as pb

from glasstape_server.domain import Call
from glasstape_server.engine.edit import FlipClass, Flips
from glasstape_server.engine.engine import Engine, Lane, Result
from glasstape_server.engine.work import Columns, forecasts
from glasstape_server.explain.edits import LARGEST
from glasstape_server.explain.method import Quantity, Request
from glasstape_server.explain.verdict import Judgement, Verdict
from glasstape_server.rpc.convert.explanations import (
    bar_values_to,
    direction_to,
    heatmap_to,
    quality_to,
)
from glasstape_server.rpc.convert.inference import prediction_to
from glasstape_server.rpc.convert.signals import confidence_to
from glasstape_server.rpc.items import Bars, Group, Item


async def flip_class(
    engine: Engine,
    made: list[pb.Explanation],
    items: list[Item],
    group: Group,
    request: Request,
    quality: pb.QualityLevel.ValueType,
    call: Call,
) -> Result:
    """Search the smallest edits of a group's last bars and write them into their explanations."""
    windows = np.stack(group.windows)
    bars = [items[row].bars for row in group.rows]
    known = [item for item in bars if item is not None]
    with_bars = len(known) == len(bars)
    rows: Columns = (windows, *_columns(known, group.model.spec.min_bars)) if with_bars else (windows,)
    work = FlipClass(group.model, request.question.foil, request.seed, with_bars)
    result = await engine.run(work, rows, Lane.EXPLAIN, call)
    flips = Flips(*result.columns)
    before = forecasts(group.model, windows, flips.logits)
    edited = np.where(np.isnan(flips.window), windows, flips.window)
    after = forecasts(group.model, edited, np.nan_to_num(flips.edited_logits))
    for place, row in enumerate(group.rows):
        message, item = made[row], items[row]
        confidence = item.journalled or before.confidence(place)
        message.prediction.CopyFrom(prediction_to(item, confidence))
        change = edited[place] - windows[place]
        message.heatmap.CopyFrom(heatmap_to(change, Quantity.CHANGE, group.model.window_shape))
        message.target = direction_to(int(flips.logits[place].argmax()))
        found = not np.isnan(flips.edited_logits[place, 0])
        flip = message.counterfactual
        flip.found = bool(found)
        flip.hypothetical = bool(flips.hypothetical[place])
        if not flip.hypothetical:
            flip.bar.CopyFrom(bar_values_to(flips.bars[place, 0]))
        if found:
            flip.direction = message.foil = direction_to(int(flips.edited_logits[place].argmax()))
            flip.size = float(np.linalg.norm(flips.edit[place]))
            flip.confidence.CopyFrom(confidence_to(after.confidence(place)))
            if not flip.hypothetical:
                flip.edited_bar.CopyFrom(bar_values_to(flips.bars[place, 1]))
        if quality != pb.QUALITY_LEVEL_NONE:
            message.quality.CopyFrom(quality_to(_judge(flip, group, quality), quality))
    return result


def _judge(flip: pb.Counterfactual, group: Group, quality: pb.QualityLevel.ValueType) -> Judgement:
    """A flip was verified by a forward pass; what remains is whether it could happen, and to whom."""
    if not flip.found:
        reason = f"no edit of the last bar within {LARGEST:g} standard deviations flips the class"
        return Judgement(Verdict.DEGENERATE, (reason,))
    reasons = (
        ["hypothetical: features were edited, no real bar need look like it"] if flip.hypothetical else []
    )
    if quality == pb.QUALITY_LEVEL_FULL:
        reasons += [check.text for check in group.model.manifest.checks if not check.passed]
    else:
        reasons.append("the model's own checks were not asked for (quality FAST)")
    return Judgement(Verdict.CAUTION if reasons else Verdict.RELIABLE, tuple(reasons))


def _columns(bars: list[Bars], count: int) -> Columns:
    """Close time, open, high, low, close, volume and session (n, 7, bar); tick, limit, close before (n, 3)."""
    columns = np.stack([np.concatenate([b.columns, b.session[None]])[:, -count:] for b in bars])
    rules = np.array([(b.tick, b.price_limit, b.previous_session_close) for b in bars])
    return columns, rules
