"""An evaluation of a small synthetic market with a known signal."""

from functools import cache

from glasstape_server.evaluation.candidates import SHUFFLED, EvaluationPlan
from glasstape_server.evaluation.evaluate import BASELINES, evaluate
from glasstape_server.evaluation.synthetic import INTERVAL, RULE, known_signal, market
from glasstape_server.features.spec import FeatureSpec
from glasstape_server.training import dataset

PLAN = EvaluationPlan(
    candidates=(*BASELINES, "linear", f"{SHUFFLED}linear"), folds=2, epochs=3, windows=6000, rule=RULE
)


@cache
def known_market():
    return market(known_signal, 60, 360, seed=2)


@cache
def known_data():
    return dataset.build(known_market(), INTERVAL, FeatureSpec(), RULE)


@cache
def known_evaluation():
    return evaluate(known_data(), PLAN, cost=0.001)


def candidate(evaluation, name):
    return next(item for item in evaluation.candidates if item.name == name)
