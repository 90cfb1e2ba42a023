"""Evidence of quality FULL and the verdict of each map, as columns of the benchmark's records."""

import torch
from torch import Tensor

from glasstape_server.bench.truth_models import TruthModel
from glasstape_server.domain.arrays import Floats
from glasstape_server.explain.catalog import METHODS
from glasstape_server.explain.evidence import Evidence, measure
from glasstape_server.explain.method import Attribution, Request, Rows
from glasstape_server.explain.verdict import MapFacts, judge_fully
from glasstape_server.models.manifest import Check

FILLS = ("mean", "resampled")
"""Fills of the two deletions."""
SMALLEST = 1e-12
"""Divisor of a deletion ratio whose random deletion changes nothing."""

Columns = dict[str, Floats | list[str]]
"""Column of each name: one value per map."""


def map_columns(attribution: Attribution, ranked: Tensor, temperature: float) -> Columns:
    """Return what a map and its prediction tell without further passes.

    Args:
        attribution: the maps.
        ranked: the maps in units that are comparable across features, (batch, time, feature).
        temperature: of the model's probabilities.
    """
    top = attribution.logits.double().topk(2, dim=1).values
    probabilities = torch.softmax(attribution.logits.double() / temperature, 1)
    shares = ranked.nan_to_num().abs().double().flatten(1)
    shares = shares / shares.sum(dim=1, keepdim=True).clamp_min(1e-300)
    return {
        "probability": probabilities.amax(dim=1).numpy(),
        "margin": (top[:, 0] - top[:, 1]).numpy(),
        "concentration": (shares**2).sum(dim=1).numpy(),
    }


def evidence_columns(model: TruthModel, rows: Rows, attribution: Attribution, request: Request) -> Columns:
    """Measure and judge a batch of maps.

    Args:
        model: that was explained, with its checks.
        rows: that were explained.
        attribution: the maps.
        request: their parameters.
    """
    evidence = measure(model.scorer, rows, model.scorer.mean, attribution, request)
    columns: Columns = {
        "sign_agreement": evidence.sign_agreement.double().numpy(),
        "occlusion_correlation": evidence.occlusion_correlation.double().numpy(),
    }
    for fill, strongest, random in zip(
        FILLS, evidence.deletion.T.double(), evidence.random_deletion.T.double(), strict=True
    ):
        columns[f"deletion_{fill}"] = strongest.numpy()
        columns[f"random_deletion_{fill}"] = random.numpy()
        columns[f"ratio_{fill}"] = (strongest / random.clamp_min(SMALLEST)).numpy()
    columns["verdict"] = _verdicts(attribution, request, evidence, model.checks)
    columns["verdict_without_model"] = _verdicts(attribution, request, evidence, ())
    return columns


def _verdicts(
    attribution: Attribution, request: Request, evidence: Evidence, checks: tuple[Check, ...]
) -> list[str]:
    verdicts = []
    for row in range(len(attribution.values)):
        difference = error = None
        if attribution.baseline_score is not None and attribution.completeness_error is not None:
            difference = float(attribution.score[row] - attribution.baseline_score[row])
            error = float(attribution.completeness_error[row])
        values = attribution.values[row].numpy()
        facts = MapFacts(values, METHODS[request.method].quantity, difference, error)
        judged = judge_fully(
            facts,
            float(evidence.sign_agreement[row]),
            float(evidence.occlusion_correlation[row]),
            evidence.deletion[row].double().numpy(),
            evidence.random_deletion[row].double().numpy(),
            checks,
        )
        verdicts.append(judged.verdict.name)
    return verdicts
