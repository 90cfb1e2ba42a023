"""Scores of maps against known salient cells: precision, signs, deletion curves and verdicts."""

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from glasstape_server.bench.known_truth.truth_set import KnownTruth
from glasstape_server.bench.ranking import average_precision
from glasstape_server.domain.arrays import Floats
from glasstape_server.explain.catalog import METHODS
from glasstape_server.explain.evidence import measure
from glasstape_server.explain.method import Attribution, MethodName, Quantity, Request, Rows
from glasstape_server.explain.scores import Score, ScoreSpec
from glasstape_server.explain.verdict import MapFacts, Verdict, judge_fully
from glasstape_server.models.manifest import Check
from glasstape_server.models.scorer import Scorer

METHODS_AND_SCORES: tuple[tuple[MethodName, Score], ...] = (
    (MethodName.OCCLUSION, Score.LOG_PROBABILITY),
    (MethodName.OCCLUSION, Score.MARGIN),
    (MethodName.GRADIENT, Score.LOGIT),
    (MethodName.GRADIENT, Score.MARGIN),
    (MethodName.GRADIENT, Score.LOG_PROBABILITY),
    (MethodName.GRADIENT_X_INPUT, Score.MARGIN),
    (MethodName.SMOOTHGRAD, Score.MARGIN),
    (MethodName.INTEGRATED_GRADIENTS, Score.MARGIN),
    (MethodName.EXPECTED_GRADIENTS, Score.MARGIN),
    (MethodName.SHAPLEY_BARS, Score.MARGIN),
    (MethodName.SHAPLEY_FEATURES, Score.MARGIN),
    (MethodName.GRAD_CAM, Score.LOGIT),
    (MethodName.GRAD_CAM_X_GRADIENT, Score.MARGIN),
    (MethodName.ATTENTION, Score.LOGIT),
    (MethodName.ATTENTION_X_GRADIENT, Score.MARGIN),
)
"""Every method, with the scores for which its maps differ notably."""
JUDGED = {
    (MethodName.GRADIENT, Score.MARGIN),
    (MethodName.INTEGRATED_GRADIENTS, Score.MARGIN),
    (MethodName.OCCLUSION, Score.MARGIN),
}
"""Maps that quality FULL is computed for."""
SAMPLES = {MethodName.INTEGRATED_GRADIENTS: 32, MethodName.EXPECTED_GRADIENTS: 4}
"""Steps of sampling methods."""
CURVE_POINTS = 12
"""Points of a deletion curve."""


@dataclass(frozen=True)
class MapScore:
    """Score of one method on one trained network."""

    method: str
    score: str
    precision: float
    """Mean average precision of |map|, 0-1; NaN without salient cells."""
    sign: float
    """Share of salient cells with the right sign, 0-1: of contributions, effects and sensitivities; else NaN."""
    deletion: list[float]
    """Mean probability of the explained class as the strongest cells of the map are set to the mean, from none to all.

    A faster decrease is better."""
    reliable: float = float("nan")
    """Share of maps that quality FULL judges RELIABLE, 0-1."""
    reliable_without_model: float = float("nan")
    """The same without the checks of the model."""


def map_scores(
    scorer: Scorer, test: KnownTruth, background: Tensor, checks: tuple[Check, ...]
) -> list[MapScore]:
    """Score the maps of every method that a network serves.

    Args:
        scorer: of the network, with the mean and deviation of each feature of its training windows. They are the
            baseline, the fill of deletions and the unit of noise.
        test: windows to explain.
        background: windows (n, time, feature) for methods that use them.
        checks: of the model, for quality FULL.
    """
    windows = torch.from_numpy(test.windows)
    rows = Rows(windows, scorer.mean.expand_as(windows), scorer.deviation, background)
    scores = []
    for name, score in METHODS_AND_SCORES:
        method = METHODS[name]
        if not method.serves(scorer, rows.shape):
            continue
        request = Request(name, ScoreSpec(score), samples=SAMPLES.get(name, 0))
        attribution = method.attribute(scorer, rows, request)
        judged = (float("nan"), float("nan"))
        if (name, score) in JUDGED:
            judged = _reliable(scorer, rows, attribution, request, checks)
        scores.append(
            MapScore(
                name.name,
                score.name,
                _precision(attribution, test),
                _sign(attribution, test, method.quantity),
                _deletion(scorer, rows, attribution),
                *judged,
            )
        )
    return scores


def _precision(attribution: Attribution, test: KnownTruth) -> float:
    if not test.cells.any():
        return float("nan")
    strength = attribution.values.abs().double().flatten(1).numpy()
    return float(average_precision(strength, test.cells.reshape(len(test), -1)).mean())


def _sign(attribution: Attribution, test: KnownTruth, quantity: Quantity) -> float:
    """Return the share of salient cells with the right sign.

    Salient cells are shifted towards their class, so that they support it, and increasing them supports UP.
    """
    if quantity is Quantity.RELEVANCE or not test.cells.any():
        return float("nan")
    expected = np.ones(len(test)) if quantity is not Quantity.SENSITIVITY else test.labels - 1.0
    right = attribution.values.numpy() * expected[:, None, None] > 0
    return float(right[test.cells].mean())


@torch.no_grad()
def _deletion(scorer: Scorer, rows: Rows, attribution: Attribution) -> list[float]:
    cells = rows.shape[0] * rows.shape[1]
    order = attribution.values.abs().flatten(1).argsort(dim=1, descending=True, stable=True)
    rank = order.argsort(dim=1).view_as(rows.windows)
    curve = []
    for removed in np.linspace(0, cells, CURVE_POINTS + 1).round():
        kept = torch.where(rank < removed, rows.baseline, rows.windows)
        probability = torch.softmax(scorer(kept), 1).gather(1, attribution.frozen.target[:, None])
        curve.append(round(float(probability.mean()), 4))
    return curve


def _reliable(
    scorer: Scorer, rows: Rows, attribution: Attribution, request: Request, checks: tuple[Check, ...]
) -> tuple[float, float]:
    quantity = METHODS[request.method].quantity
    evidence = measure(scorer, rows, scorer.mean, attribution, request)
    judged: list[list[bool]] = []
    for row in range(len(rows)):
        difference = error = None
        if attribution.baseline_score is not None and attribution.completeness_error is not None:
            difference = float(attribution.score[row] - attribution.baseline_score[row])
            error = float(attribution.completeness_error[row])
        facts = MapFacts(attribution.values[row].numpy(), quantity, difference, error)
        measured: tuple[float, float, Floats, Floats] = (
            float(evidence.sign_agreement[row]),
            float(evidence.occlusion_correlation[row]),
            evidence.deletion[row].double().numpy(),
            evidence.random_deletion[row].double().numpy(),
        )
        verdicts = [judge_fully(facts, *measured, of_model).verdict for of_model in (checks, ())]
        judged.append([verdict is Verdict.RELIABLE for verdict in verdicts])
    reliable, reliable_without_model = np.mean(judged, axis=0)
    return float(reliable), float(reliable_without_model)
