"""Counterfactuals of items: what the search found, as explanations."""

from collections.abc import Sequence

import numpy as np

from glasstape_server.domain.errors import InvalidArgument
from glasstape_server.domain.signals import Direction
from glasstape_server.engine.flip_class import Flips
from glasstape_server.engine.work import Arrays, forecasts
from glasstape_server.explain.edits import MAX_EDIT
from glasstape_server.explain.method import Quantity
from glasstape_server.explain.verdict import QualityVerdict, Verdict
from glasstape_server.serving.explanation import Counterfactual, Explanation
from glasstape_server.serving.items import Item
from glasstape_server.serving.plan import EngineStep
from glasstape_server.serving.requests import ExplainRequest, QualityLevel


def flip_explanations(
    step: EngineStep, outputs: Arrays, items: Sequence[Item], request: ExplainRequest
) -> list[Explanation | None]:
    """Return the counterfactual of each row of a step; None: the item failed, and has an error.

    An item whose winner is the requested foil gets that as its error.
    """
    flips = Flips(*outputs)
    foil = request.method_request.score_spec.foil
    before = forecasts(step.model, step.windows, flips.logits)
    edited = np.where(np.isnan(flips.window), step.windows, flips.window)
    after = forecasts(step.model, edited, np.nan_to_num(flips.edited_logits))
    explanations: list[Explanation | None] = []
    for place, index in enumerate(step.item_indices):
        item, winner = items[index], int(flips.logits[place].argmax())
        if foil is not None and winner == int(foil):
            rule = f"must differ from the winner, both are DIRECTION_{foil.name}"
            item.error = InvalidArgument.field("foil", rule)
            explanations.append(None)
            continue
        found, hypothetical = not bool(np.isnan(flips.size[place])), bool(flips.hypothetical[place])
        direction = Direction(int(flips.edited_logits[place].argmax())) if found else None
        flip = Counterfactual(
            found=found,
            hypothetical=hypothetical,
            direction=direction,
            size=float(flips.size[place]) if found else 0.0,
            bar=None if hypothetical else flips.bars[place, 0],
            edited_bar=flips.bars[place, 1] if found and not hypothetical else None,
            confidence=after.confidence(place) if found else None,
        )
        reached = direction if direction is not None else foil
        explanations.append(
            Explanation(
                item=item,
                confidence=item.journaled or before.confidence(place),
                values=edited[place] - step.windows[place],
                quantity=Quantity.CHANGE,
                native_shape=step.model.window_shape,
                target=winner,
                foil=-1 if reached is None else int(reached),
                quality=_judge(flip, request.quality, foil),
                counterfactual=flip,
            )
        )
    return explanations


def _judge(flip: Counterfactual, quality: QualityLevel, foil: Direction | None) -> QualityVerdict | None:
    """Judge a flip that a forward pass has verified: whether it could happen."""
    if quality is QualityLevel.NONE:
        return None
    if not flip.found:
        what = "flips the class" if foil is None else f"leads to {foil.name}"
        reason = f"no edit of the last bar within {MAX_EDIT:g} standard deviations was found that {what}"
        return QualityVerdict(Verdict.DEGENERATE, (reason,))
    reasons = ["hypothetical: features were edited, which no real bar may match"] if flip.hypothetical else []
    if quality is not QualityLevel.FULL:
        reasons.append("quality FAST calls nothing reliable")
    return QualityVerdict(Verdict.CAUTION if reasons else Verdict.RELIABLE, tuple(reasons))
