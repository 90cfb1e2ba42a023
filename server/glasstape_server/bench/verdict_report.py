"""Tables of how verdicts, deletion ratios and trust agree with the known truth, from the records of single maps."""

from itertools import pairwise

import numpy as np
import polars as pl
from sklearn.metrics import roc_auc_score

from glasstape_server.bench.map_comparison import Cell

POOR = 0.5
"""Average precision below which a map is called poor."""
RATIOS = (1.0, 1.5, 2.0, 2.5, 3.0, 4.0, 6.0)
"""Bounds of the classes of deletion ratios."""
TRUST_CLASSES = 10
"""Classes of trust, of equal width."""
RELIABLE = "RELIABLE"

RATIO = pl.min_horizontal("ratio_mean", "ratio_resampled").alias("ratio")
"""The worse ratio of the two fills, which the verdict depends on."""
CORRECTED = ((pl.col("ranked_precision") - pl.col("chance")) / (1 - pl.col("chance"))).alias("corrected")
"""Average precision as a share of what is possible beyond chance."""
RESULT = (
    pl.len().alias("maps"),
    pl.col("ranked_precision").mean().alias("mean"),
    (pl.col("ranked_precision") < POOR).mean().alias("poor"),
)


def to_markdown(maps: pl.DataFrame, cells: set[Cell]) -> str:
    """Return the tables; those without maps are left out.

    Args:
        maps: records of every task; see `map_records`.
        cells: judged networks; see `map_comparison.judged`.
    """
    measured = maps.filter(pl.col("verdict").is_not_null() & ~pl.col("permuted")).with_columns(
        RATIO, CORRECTED
    )
    known = pl.DataFrame(
        sorted(cells), schema=dict.fromkeys(("set", "shape", "network"), pl.String), orient="row"
    )
    truth = measured.join(known, on=["set", "shape", "network"], how="semi", maintain_order="left")
    noise = measured.filter(pl.col("precision").is_null())
    parts = []
    if len(truth):
        parts += [_verdicts(truth, noise), _ratios(truth)]
    if truth["trust"].is_not_null().any():
        parts.append(_trust(truth, noise))
    return "\n\n".join(parts)


def _verdicts(truth: pl.DataFrame, noise: pl.DataFrame) -> str:
    lines = [
        "### Verdicts",
        "",
        f"AUPRC: mean average precision of maps in units that are comparable across features; poor: below {POOR:g}.",
        "AUC of the verdict: probability that of two maps of different verdict the reliable one has the higher AUPRC.",
        "AUC of the ratio: probability that of two maps the one that is not poor has the higher deletion ratio.",
        "",
        "| map | maps | reliable | AUPRC | poor | other: AUPRC | poor | AUC of the verdict | AUC of the ratio "
        "| reliable on noise |",
        "|---|" + "---:|" * 9,
    ]
    for (method, score), part in truth.group_by("method", "score", maintain_order=True):
        reliable = part["verdict"] == RELIABLE
        groups = [part.filter(rows).select(RESULT).row(0, named=True) for rows in (reliable, ~reliable)]
        good = part["ranked_precision"] >= POOR
        on_noise = (
            noise.filter((pl.col("method") == method) & (pl.col("score") == score))["verdict"] == RELIABLE
        )
        values = [
            str(len(part)),
            _share(float(reliable.to_numpy().mean())),
            *(text for group in groups for text in (_number(group["mean"]), _share(group["poor"]))),
            _number(auc(part["ranked_precision"], reliable)),
            _number(auc(part["ratio"], good)),
            f"{on_noise.sum()}/{len(on_noise)}" if len(on_noise) else "–",
        ]
        lines.append(f"| {method} of {score} | {' | '.join(values)} |")
    return "\n".join(lines)


def _ratios(truth: pl.DataFrame) -> str:
    number = pl.Series("class", np.searchsorted(RATIOS, truth["ratio"].to_numpy(), side="right"))
    table = truth.with_columns(number).group_by("class").agg(RESULT).sort("class")
    labels = _labels(RATIOS)
    head = ["deletion ratio", *(labels[c] for c in table["class"])]
    rows = [
        ["maps", *map(str, table["maps"])],
        ["AUPRC", *map(_number, table["mean"])],
        ["poor", *map(_share, table["poor"])],
    ]
    return "\n".join(["### Deletion ratios", "", *_table(head, rows)])


def _trust(truth: pl.DataFrame, noise: pl.DataFrame) -> str:
    known = truth.filter(pl.col("trust").is_not_null())
    number = (pl.col("trust") * TRUST_CLASSES).floor().clip(0, TRUST_CLASSES - 1).alias("class")
    stated = pl.col("trust").mean().alias("stated")
    table = known.group_by(number).agg(*RESULT, stated, pl.col("corrected").mean()).sort("class")
    rows = [
        ["maps", *map(str, table["maps"])],
        ["mean trust", *map(_number, table["stated"])],
        ["AUPRC", *map(_number, table["mean"])],
        ["AUPRC beyond chance", *map(_number, table["corrected"])],
        ["poor", *map(_share, table["poor"])],
    ]
    bounds = [f"{c / TRUST_CLASSES:g}–{(c + 1) / TRUST_CLASSES:g}" for c in table["class"]]
    rank = float(known.select(pl.corr("trust", "corrected", method="spearman")).item())
    text = f"Spearman correlation of trust and AUPRC beyond chance: {_number(rank)}."
    of_noise = noise["trust"].drop_nulls().to_numpy()
    if len(of_noise):
        text += f" Median trust on noise: {_number(float(np.median(of_noise)))}."
    return "\n".join(["### Trust", "", text, "", *_table(["trust", *bounds], rows)])


def auc(values: pl.Series, positive: pl.Series) -> float:
    """Return the probability that a positive row has the higher value of two; ties count half; NaN for one class.

    Args:
        values: (n,).
        positive: bool, (n,).
    """
    if positive.all() or not positive.any():
        return float("nan")
    return float(roc_auc_score(positive.to_numpy(), values.to_numpy()))


def _labels(bounds: tuple[float, ...]) -> list[str]:
    middle = [f"{low:g}–{high:g}" for low, high in pairwise(bounds)]
    return [f"< {bounds[0]:g}", *middle, f"≥ {bounds[-1]:g}"]


def _table(head: list[str], rows: list[list[str]]) -> list[str]:
    return [
        f"| {' | '.join(head)} |",
        "|---|" + "---:|" * (len(head) - 1),
        *(f"| {' | '.join(row)} |" for row in rows),
    ]


def _number(value: float | None) -> str:
    return "–" if value is None or np.isnan(value) else f"{value:.3f}"


def _share(value: float | None) -> str:
    return "–" if value is None or np.isnan(value) else f"{value:.0%}"
