"""Ranking tests: rank heads, classes of models, and baselines without a model, on the same closes."""

from collections.abc import Sequence

import numpy as np

from glasstape_server.domain.arrays import Float32s, Floats
from glasstape_server.domain.ranking import RankingEstimates
from glasstape_server.domain.statistics import IntervalEstimate
from glasstape_server.evaluation.candidates import SHUFFLED, EvaluationPlan, FoldResult
from glasstape_server.evaluation.rank_scores import LOW_VOLATILITY, REVERSAL, baseline_scores
from glasstape_server.evaluation.ranking_result import CLASSES, HEAD, RankedScore, RankingResult
from glasstape_server.training.dataset import Dataset
from glasstape_server.training.rank_head import class_scores, scored_returns


def evaluate_ranking(
    tests: Sequence[Dataset], results: Sequence[FoldResult], plan: EvaluationPlan, cost: float, block: int
) -> RankingResult:
    """Measure every score on the symbols that were trained on.

    Args:
        tests: test windows of each fold.
        results: of all candidates.
        plan: candidates and folds.
        cost: of a change of position, as a share of the price.
        block: days per bootstrap block.
    """
    masks = [~test.held_out_mask() for test in tests]
    kept = [test.select(mask) for test, mask in zip(tests, masks, strict=True)]

    def estimates(scores: Sequence[tuple[int, Floats | Float32s]]) -> RankingEstimates:
        parts = [scored_returns(kept[fold], plan.rule, own.astype(np.float64)) for fold, own in scores]
        return RankingEstimates(parts, block, top=plan.top, horizon=plan.rule.horizon_bars, cost=cost)

    found: dict[str, RankingEstimates] = {}
    try:
        for name in (LOW_VOLATILITY, REVERSAL):
            scores = [(fold, baseline_scores(test)[name]) for fold, test in enumerate(kept)]
            # As often as a candidate has seeds, so that both are measured on the same rows.
            found[name] = estimates(scores * plan.seeds)
    except ValueError as error:
        return RankingResult(0, plan.rule.horizon_bars, plan.top, (), str(error))
    for name in plan.candidates:
        own = sorted(
            (r for r in results if r.task.candidate == name), key=lambda r: (r.task.seed, r.task.fold)
        )
        if name.startswith(SHUFFLED) or not own[0].probabilistic or _constant(own[0].probabilities):
            continue
        if own[0].rank_scores is not None:
            heads = [(r.task.fold, r.rank_scores) for r in own if r.rank_scores is not None]
            found[f"{name}: {HEAD}"] = estimates([(fold, part[masks[fold]]) for fold, part in heads])
        classes = [(r.task.fold, class_scores(r.probabilities.astype(np.float64))) for r in own]
        found[f"{name}: {CLASSES}"] = estimates([(fold, part[masks[fold]]) for fold, part in classes])
    ranked = tuple(
        RankedScore(name, each.estimates, _differences(name, found)) for name, each in found.items()
    )
    return RankingResult(found[LOW_VOLATILITY].closes // plan.seeds, plan.rule.horizon_bars, plan.top, ranked)


def _constant(probabilities: Float32s) -> bool:
    return bool((probabilities == probabilities[:1]).all())


def _differences(name: str, found: dict[str, RankingEstimates]) -> dict[str, IntervalEstimate]:
    others = [LOW_VOLATILITY, REVERSAL]
    if name.endswith(HEAD):
        others.insert(0, f"{name.removesuffix(HEAD)}{CLASSES}")
    return {
        other: found[name].difference(found[other], "rank_ic")
        for other in others
        if other in found and other != name
    }
