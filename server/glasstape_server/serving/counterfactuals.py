"""Counterfactuals of resolved items: the search on the engine, the flips in messages."""

import numpy as np
from glasstape.v1 import inference_pb2 as pb

from glasstape_server.domain.errors import InvalidArgument
from glasstape_server.domain.values import Call, Direction, Float32s
from glasstape_server.engine.engine import Engine
from glasstape_server.engine.flip_class import FlipClass, Flips
from glasstape_server.engine.job import Lane, Result
from glasstape_server.engine.work import Columns, forecasts
from glasstape_server.explain.edits import MAX_EDIT
from glasstape_server.explain.method import Quantity, Request
from glasstape_server.explain.verdict import Judgment, Verdict, failure
from glasstape_server.rpc.convert.explanations import (
    bar_values_to,
    direction_to,
    heatmap_to,
    quality_to,
)
from glasstape_server.rpc.convert.inference import prediction_to
from glasstape_server.rpc.convert.signals import confidence_to
from glasstape_server.serving.items import Bars, Group, Item


async def flip_class(
    engine: Engine,
    made: list[pb.Explanation],
    items: list[Item],
    group: Group,
    request: Request,
    quality: pb.QualityLevel.ValueType,
    call: Call,
) -> list[Result]:
    """Search the smallest edits of a group's last bars and write them into their explanations."""
    results = []
    # Items without bars are searched apart, so that they change nothing for their neighbours.
    for with_bars in (True, False):
        places = [p for p, row in enumerate(group.rows) if (items[row].bars is not None) is with_bars]
        if not places:
            continue
        part = Group(group.model, [group.rows[p] for p in places], [group.windows[p] for p in places])
        windows = np.stack(part.windows)
        columns = _columns([items[row].bars for row in part.rows], group.model.spec.min_bars)
        work = FlipClass(group.model, request.score_spec.foil, request.seed, with_bars)
        result = await engine.run(work, (windows, *columns), Lane.EXPLAIN, call)
        _fill(made, items, part, windows, Flips(*result.columns), request.score_spec.foil, quality)
        results.append(result)
    return results


def _fill(
    made: list[pb.Explanation],
    items: list[Item],
    group: Group,
    windows: Float32s,
    flips: Flips,
    foil: Direction | None,
    quality: pb.QualityLevel.ValueType,
) -> None:
    before = forecasts(group.model, windows, flips.logits)
    edited = np.where(np.isnan(flips.window), windows, flips.window)
    after = forecasts(group.model, edited, np.nan_to_num(flips.edited_logits))
    for place, row in enumerate(group.rows):
        message, item = made[row], items[row]
        winner = int(flips.logits[place].argmax())
        if foil is not None and winner == int(foil):
            rule = f"must differ from the winner, both are DIRECTION_{foil.name}"
            item.error = InvalidArgument.field("foil", rule)
            message.prediction.CopyFrom(prediction_to(item, None))
            continue
        confidence = item.journalled or before.confidence(place)
        message.prediction.CopyFrom(prediction_to(item, confidence))
        change = edited[place] - windows[place]
        message.heatmap.CopyFrom(heatmap_to(change, Quantity.CHANGE, group.model.window_shape))
        message.target = direction_to(winner)
        message.foil = direction_to(-1 if foil is None else int(foil))
        flip = message.counterfactual
        flip.found = not bool(np.isnan(flips.size[place]))
        flip.hypothetical = bool(flips.hypothetical[place])
        if not flip.hypothetical:
            flip.bar.CopyFrom(bar_values_to(flips.bars[place, 0]))
        if flip.found:
            flip.direction = message.foil = direction_to(int(flips.edited_logits[place].argmax()))
            flip.size = float(flips.size[place])
            flip.confidence.CopyFrom(confidence_to(after.confidence(place)))
            if not flip.hypothetical:
                flip.edited_bar.CopyFrom(bar_values_to(flips.bars[place, 1]))
        if quality != pb.QUALITY_LEVEL_NONE:
            message.quality.CopyFrom(quality_to(_judge(flip, group, quality, foil), quality))


def _judge(
    flip: pb.Counterfactual, group: Group, quality: pb.QualityLevel.ValueType, foil: Direction | None
) -> Judgment:
    """A flip was verified by a forward pass; what remains is whether it could happen, and to whom."""
    if not flip.found:
        what = "flips the class" if foil is None else f"leads to {foil.name}"
        reason = f"no edit of the last bar within {MAX_EDIT:g} standard deviations was found that {what}"
        return Judgment(Verdict.DEGENERATE, (reason,))
    reasons = (
        ["hypothetical: features were edited, no real bar need look like it"] if flip.hypothetical else []
    )
    if quality == pb.QUALITY_LEVEL_FULL:
        reasons += [failure(check) for check in group.model.manifest.checks if not check.passed]
    else:
        reasons.append("the model's own checks were not asked for (quality FAST)")
    return Judgment(Verdict.CAUTION if reasons else Verdict.RELIABLE, tuple(reasons))


def _columns(bars: list[Bars | None], count: int) -> Columns:
    """Close time, open, high, low, close, volume and session (n, 7, bar); tick, limit, close before (n, 3).

    Nothing where there are no bars.
    """
    known = [item for item in bars if item is not None]
    if not known:
        return ()
    columns = np.stack([np.concatenate([b.columns, b.session[None]])[:, -count:] for b in known])
    rules = np.array([(b.tick, b.price_limit, b.previous_session_close) for b in known])
    return columns, rules
