"""`glasstape bench trust`: fit and judge the trust in maps on records of maps with known truth.

The target of a map is its average precision, corrected for chance: (precision - chance) / (1 - chance), at least 0.
Maps of networks that have learned noise (sets without salient cells, or with shuffled labels) count 0. Every set has
the same weight, and within it every network and method. A set's own maps never choose the regression that judges it
(left one set out).
"""

from dataclasses import dataclass

import numpy as np
import polars as pl

from glasstape_server.domain.arrays import Floats
from glasstape_server.explain.trust import Bin, MapEvidence, TrustModel

RIDGE = 1e-3
"""Penalty of squared standardized coefficients, relative to the mean deviance."""
ITERATIONS = 50
BINS = 10
"""Bins of the calibration table, of equal width."""
LEAST_MAPS = 30
"""Maps that a bin needs, so that its mean tells something."""


@dataclass(frozen=True, slots=True)
class TrustTable:
    """Records of maps as arrays."""

    predictors: Floats
    """(n, predictor)."""
    target: Floats
    """0-1, (n,)."""
    precision: Floats
    """Average precision, 0 without salient cells, (n,)."""
    weight: Floats
    """Sum 1, (n,)."""
    sets: np.ndarray[tuple[int], np.dtype[np.str_]]
    """Name of each map's set, (n,)."""
    names: tuple[str, ...]
    """Of the predictors."""
    noise: np.ndarray[tuple[int], np.dtype[np.bool_]]
    """Whether the network has learned noise, (n,)."""


@dataclass(frozen=True, slots=True)
class TrustScores:
    """How good the trust is on sets that it was not fitted on."""

    spearman: float
    """Rank correlation with the chance-corrected precision, over all maps with salient cells."""
    noise_median: float
    """Median trust of maps of noise."""
    values: Floats
    """Trust of each map, (n,)."""


def table_of(records: pl.DataFrame) -> TrustTable:
    """Return the maps that have evidence.

    Args:
        records: as of `map_records.SCHEMA` with the columns of their task.

    Raises:
        ValueError: no map has evidence.
    """
    records = records.filter(pl.col("trust").is_not_null()).with_columns(
        set=pl.when("permuted").then(pl.col("set") + " shuffled").otherwise("set"),
        ranked_precision=pl.when(~pl.col("permuted")).then("ranked_precision"),
    )
    if records.is_empty():
        raise ValueError("records: must have maps with evidence, have none")
    evidence = [_evidence(row) for row in records.iter_rows(named=True)]
    predictors = [one.predictors() for one in evidence]
    names = tuple(predictors[0])
    noise = records["ranked_precision"].is_null().to_numpy()
    precision = records["ranked_precision"].fill_null(0.0).to_numpy().astype(np.float64)
    chance = records["chance"].fill_null(0.0).to_numpy().astype(np.float64)
    return TrustTable(
        np.array([[one[name] for name in names] for one in predictors]),
        np.clip((precision - chance) / (1 - chance), 0, 1),
        precision,
        _weights(records),
        records["set"].to_numpy().astype(np.str_),
        names,
        noise,
    )


def fit_trust(table: TrustTable) -> TrustModel:
    """Return the regression fitted on all maps, with its calibration table from sets left out."""
    left_out = judge(table).values
    intercept, slopes = _fit(table.predictors, table.target, table.weight)
    return TrustModel(
        intercept=round(intercept, 4),
        coefficients={name: round(float(s), 4) for name, s in zip(table.names, slopes, strict=True)},
        bins=_bins(left_out, table.precision),
    )


def judge(table: TrustTable) -> TrustScores:
    """Return the trust of each map by a regression that has not seen its set."""
    values = np.empty(len(table.target))
    for name in np.unique(table.sets):
        own = table.sets == name
        intercept, slopes = _fit(table.predictors[~own], table.target[~own], table.weight[~own])
        values[own] = _sigmoid(intercept + table.predictors[own] @ slopes)
    known = ~table.noise
    noise_median = float(np.median(values[table.noise])) if table.noise.any() else float("nan")
    return TrustScores(rank_correlation(values[known], table.target[known]), noise_median, values)


def to_markdown(table: TrustTable) -> str:
    """Return how good the trust is on sets that it was not fitted on, and its calibration table."""
    scores, model = judge(table), fit_trust(table)
    head = "| trust below | " + " | ".join(f"{min(part.below, 1):.1f}" for part in model.bins) + " |"
    return "\n".join(
        [
            f"{len(table.target):,} maps of {len(np.unique(table.sets))} sets, each set left out in turn.",
            f"Spearman correlation with AUPRC beyond chance: {scores.spearman:.3f}.",
            f"Median trust of maps of noise: {scores.noise_median:.3f}.",
            "",
            head,
            "|---|" + "---:|" * len(model.bins),
            "| maps | " + " | ".join(f"{part.maps:,}" for part in model.bins) + " |",
            "| AUPRC | " + " | ".join(f"{part.average_precision:.2f}" for part in model.bins) + " |",
        ]
    )


def rank_correlation(left: Floats, right: Floats) -> float:
    """Return Spearman's correlation, -1 to 1; ties share their mean rank."""
    frame = pl.DataFrame({"left": left, "right": right})
    return float(frame.select(pl.corr("left", "right", method="spearman")).item())


def _evidence(row: dict[str, float]) -> MapEvidence:
    return MapEvidence(
        deletion=np.array([row["deletion_mean"], row["deletion_resampled"]]),
        random_deletion=np.array([row["random_deletion_mean"], row["random_deletion_resampled"]]),
        sign_agreement=row["sign_agreement"],
        concentration=row["concentration"],
        probability=row["probability"],
        native_cells=int(row["native_cells"]),
        cells=int(row["cells"]),
    )


def _weights(records: pl.DataFrame) -> Floats:
    """Return weights that give every set the same sum, and every network and method of a set."""
    group = ["set", "shape", "network", "seed", "method", "score"]
    counted = records.select(
        pl.len().over(group).alias("maps"), pl.struct(group).n_unique().over("set").alias("groups")
    )
    weight = 1 / (counted["maps"].to_numpy() * counted["groups"].to_numpy())
    return np.asarray(weight / weight.sum(), dtype=np.float64)


def _fit(predictors: Floats, target: Floats, weight: Floats) -> tuple[float, Floats]:
    """Return intercept and slopes of a logistic regression on targets in 0-1, by Newton's method."""
    weight = weight / weight.sum()
    center = weight @ predictors
    scale = np.sqrt(weight @ (predictors - center) ** 2)
    scale[scale == 0] = 1.0  # a predictor that never varies
    design = np.column_stack([np.ones(len(target)), (predictors - center) / scale])
    penalty = np.diag([0.0, *[RIDGE] * predictors.shape[1]])
    coefficients = np.zeros(design.shape[1])
    for _ in range(ITERATIONS):
        fitted = _sigmoid(design @ coefficients)
        gradient = design.T @ (weight * (target - fitted)) - penalty @ coefficients
        curvature = design.T @ (design * (weight * fitted * (1 - fitted))[:, None]) + penalty
        step = np.linalg.solve(curvature, gradient)
        coefficients += step
        if np.abs(step).max() < 1e-10:
            break
    slopes = coefficients[1:] / scale
    return float(coefficients[0] - center @ slopes), slopes


def _bins(values: Floats, precision: Floats) -> tuple[Bin, ...]:
    """Return the calibration table; a bin with few maps joins the one below it."""
    edges: list[float] = []
    counts: list[int] = []
    totals: list[float] = []
    for number in range(BINS):
        low, high = number / BINS, (number + 1) / BINS if number + 1 < BINS else 2.0
        inside = (values >= low) & (values < high)
        count, total = int(inside.sum()), float(precision[inside].sum())
        if edges and (count < LEAST_MAPS or counts[-1] < LEAST_MAPS):
            edges[-1], counts[-1], totals[-1] = high, counts[-1] + count, totals[-1] + total
        else:
            edges.append(high)
            counts.append(count)
            totals.append(total)
    return tuple(
        Bin(below=edge, maps=count, average_precision=round(total / max(count, 1), 3))
        for edge, count, total in zip(edges, counts, totals, strict=True)
    )


def _sigmoid(scores: Floats) -> Floats:
    return np.asarray(1 / (1 + np.exp(-np.clip(scores, -30, 30))))
