"""Evidence of quality FULL and the verdict of each map, as columns of the benchmark's records."""

import numpy as np
import torch
from torch import Tensor

from glasstape_server.bench.truth_models import TruthModel
from glasstape_server.domain.arrays import Floats
from glasstape_server.explain.catalog import METHODS
from glasstape_server.explain.evidence import Evidence, measure
from glasstape_server.explain.method import Attribution, Request, Rows, Shape
from glasstape_server.explain.trust import MapEvidence
from glasstape_server.explain.verdict import MapFacts, judge_fully

FILLS = ("mean", "resampled")
"""Fills of the two deletions."""

Columns = dict[str, Floats | list[str] | list[float | None]]
"""Column of each name: one value per map."""


def map_columns(attribution: Attribution, temperature: float) -> Columns:
    """Return what a map and its prediction tell without further passes.

    Args:
        attribution: the maps.
        temperature: of the model's probabilities.
    """
    top = attribution.logits.double().topk(2, dim=1).values
    probabilities = torch.softmax(attribution.logits.double() / temperature, 1)
    return {
        "probability": probabilities.amax(dim=1).numpy(),
        "margin": (top[:, 0] - top[:, 1]).numpy(),
    }


def evidence_columns(
    model: TruthModel, rows: Rows, attribution: Attribution, ranked: Tensor, request: Request
) -> Columns:
    """Measure and judge a batch of maps.

    Args:
        model: that was explained.
        rows: that were explained.
        attribution: the maps.
        ranked: the maps in units that are comparable across features, (batch, time, feature).
        request: their parameters.
    """
    evidence = measure(model.scorer, rows, model.scorer.mean, attribution, request)
    probabilities = torch.softmax(attribution.logits.double() / model.temperature, 1).amax(dim=1)
    native = attribution.native_shape or rows.shape
    maps = [_evidence_of(evidence, probabilities, row, native, rows.shape) for row in range(len(rows))]
    judged = [judge_fully(_facts(attribution, ranked, request, row), one) for row, one in enumerate(maps)]
    columns: Columns = {
        "sign_agreement": evidence.sign_agreement.double().numpy(),
        "concentration": evidence.concentration.double().numpy(),
        "native_cells": np.array([one.native_cells for one in maps]),
        "cells": np.array([one.cells for one in maps]),
        "verdict": [one.verdict.name for one in judged],
        "trust": [None if one.trust is None else one.trust.value for one in judged],
    }
    for place, fill in enumerate(FILLS):
        columns[f"deletion_{fill}"] = evidence.deletion[:, place].double().numpy()
        columns[f"random_deletion_{fill}"] = evidence.random_deletion[:, place].double().numpy()
        columns[f"ratio_{fill}"] = np.array([one.ratios[place] for one in maps])
    return columns


def _evidence_of(
    evidence: Evidence, probabilities: Tensor, row: int, native: Shape, shape: Shape
) -> MapEvidence:
    return MapEvidence(
        deletion=evidence.deletion[row].double().numpy(),
        random_deletion=evidence.random_deletion[row].double().numpy(),
        sign_agreement=float(evidence.sign_agreement[row]),
        concentration=float(evidence.concentration[row]),
        probability=float(probabilities[row]),
        native_cells=native[0] * native[1],
        cells=shape[0] * shape[1],
    )


def _facts(attribution: Attribution, ranked: Tensor, request: Request, row: int) -> MapFacts:
    difference = error = None
    if attribution.baseline_score is not None and attribution.completeness_error is not None:
        difference = float(attribution.score[row] - attribution.baseline_score[row])
        error = float(attribution.completeness_error[row])
    quantity = METHODS[request.method].quantity
    return MapFacts(ranked[row].numpy(), quantity, difference, error, attribution.native_shape)
