"""Scores of maps against known salient cells: precision, signs, deletion curves and evidence."""

from dataclasses import dataclass

import numpy as np
import polars as pl
import torch
from torch import Tensor

from glasstape_server.bench.known_truth.truth_set import KnownTruth
from glasstape_server.bench.map_evidence import evidence_columns, map_columns
from glasstape_server.bench.map_records import SCHEMA
from glasstape_server.bench.ranking import average_precision, chance_levels
from glasstape_server.bench.truth_models import TruthModel
from glasstape_server.domain.arrays import Floats
from glasstape_server.explain.catalog import METHODS, baseline_of
from glasstape_server.explain.method import Attribution, BaselineKind, MethodName, Quantity, Request, Rows
from glasstape_server.explain.scores import Score, ScoreSpec
from glasstape_server.explain.units import feature_scale
from glasstape_server.models.scorer import Scorer

SCORES: dict[MethodName, tuple[Score, ...]] = {
    MethodName.OCCLUSION: (Score.LOG_PROBABILITY, Score.MARGIN),
    MethodName.GRADIENT: (Score.LOGIT, Score.MARGIN, Score.LOG_PROBABILITY),
    MethodName.GRAD_CAM: (Score.LOGIT,),
    MethodName.ATTENTION: (Score.LOGIT,),
}
"""Scores for which the maps of a method differ notably. Other methods explain the margin."""
SAMPLES = {MethodName.EXPECTED_GRADIENTS: 4}
"""Steps of methods whose default takes too long."""
CURVE_POINTS = 12
"""Points of a deletion curve."""
BACKGROUND = 16
"""Validation windows that are the background of methods with one."""


def map_names() -> list[tuple[str, str]]:
    """Return method and score of each map."""
    return [(name.name, score.name) for name in METHODS for score in _scores(name)]


def _scores(name: MethodName) -> tuple[Score, ...]:
    return SCORES.get(name, (Score.MARGIN,))


@dataclass(frozen=True)
class MapScore:
    """Score of one method on one model."""

    method: str
    score: str
    precision: float
    """Mean average precision of |map|, 0-1; NaN without salient cells."""
    sign: float
    """Share of salient cells with the right sign, 0-1; NaN for relevance, which has no sign."""
    deletion: list[float]
    """Mean probability of the explained class as the strongest cells of the map are set to the mean, from none to all.

    A faster decrease is better."""


def map_scores(model: TruthModel, test: KnownTruth) -> tuple[list[MapScore], pl.DataFrame]:
    """Score the maps of every method that a model serves.

    Args:
        model: to explain. The mean and deviation of its training windows are the baseline, the fill of deletions and
            the unit of noise.
        test: windows to explain.

    Returns:
        scores of each method, and a record of each map; see `map_records.SCHEMA`.
    """
    windows = torch.from_numpy(test.windows)
    background = torch.from_numpy(model.validation.windows[:BACKGROUND])
    scores, records = [], []
    for name, method in METHODS.items():
        if not method.serves(model.scorer, (windows.shape[1], windows.shape[2])):
            continue
        for score in _scores(name):
            request = Request(name, ScoreSpec(score), samples=SAMPLES.get(name, 0))
            rows = Rows(
                windows, _baseline(model.scorer, windows, request), model.scorer.deviation, background
            )
            attribution = method.attribute(model.scorer, rows, request)
            records.append(_records(model, rows, test, attribution, request))
            scores.append(
                MapScore(
                    name.name,
                    score.name,
                    _mean(records[-1]["precision"]),
                    _sign(attribution, test, method.quantity),
                    _deletion(model.scorer, rows, attribution),
                )
            )
    return scores, pl.concat(records)


def _baseline(scorer: Scorer, windows: Tensor, request: Request) -> Tensor:
    """Return what a method gets as its baseline when a client selects none."""
    if baseline_of(request) is BaselineKind.ZERO:
        return torch.zeros_like(windows)
    return scorer.mean.expand_as(windows)


def _records(
    model: TruthModel, rows: Rows, test: KnownTruth, attribution: Attribution, request: Request
) -> pl.DataFrame:
    """Return a record of each map, without the columns of the task."""
    scale = feature_scale(METHODS[request.method].quantity, rows.deviation.numpy())
    ranked = attribution.values if scale is None else attribution.values * torch.from_numpy(scale)
    columns: dict[str, object] = {
        "window": np.arange(len(test)),
        "label": test.labels,
        **map_columns(attribution, model.temperature),
    }
    if test.cells.any():
        columns["precision"] = _precision(attribution.values, test)
        columns["ranked_precision"] = _precision(ranked, test)
        columns["chance"] = chance_levels(test.cells)
    columns |= evidence_columns(model, rows, attribution, ranked, request)
    frame = pl.DataFrame(columns).with_columns(
        pl.lit(request.method.name).alias("method"), pl.lit(request.score_spec.score.name).alias("score")
    )
    missing = [pl.lit(None).alias(name) for name in SCHEMA if name not in frame.columns]
    return frame.with_columns(missing).select(pl.col(name).cast(kind) for name, kind in SCHEMA.items())


def _precision(values: Tensor, test: KnownTruth) -> Floats:
    strength = values.abs().double().flatten(1).numpy()
    return average_precision(strength, test.cells.reshape(len(test), -1))


def _mean(values: pl.Series) -> float:
    return float("nan") if values.is_null().all() else float(values.cast(pl.Float64).to_numpy().mean())


def _sign(attribution: Attribution, test: KnownTruth, quantity: Quantity) -> float:
    """Return the share of salient cells with the right sign.

    Salient cells are shifted towards their class, so that they support it, and increasing them supports UP.
    """
    if quantity is Quantity.RELEVANCE or not test.cells.any():
        return float("nan")
    supports = quantity in (Quantity.CONTRIBUTION, Quantity.EFFECT)
    expected = np.ones(len(test)) if supports else test.labels - 1.0
    right = attribution.values.numpy() * expected[:, None, None] > 0
    return float(right[test.cells].mean())


@torch.no_grad()
def _deletion(scorer: Scorer, rows: Rows, attribution: Attribution) -> list[float]:
    cells = rows.shape[0] * rows.shape[1]
    order = attribution.values.abs().flatten(1).argsort(dim=1, descending=True, stable=True)
    rank = order.argsort(dim=1).view_as(rows.windows)
    curve = []
    for removed in np.linspace(0, cells, CURVE_POINTS + 1).round():
        kept = torch.where(rank < removed, scorer.mean, rows.windows)
        probability = torch.softmax(scorer(kept), 1).gather(1, attribution.frozen.target[:, None])
        curve.append(round(float(probability.mean()), 4))
    return curve
