"""Paired comparison of two methods over known-truth sets, networks and shapes."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from glasstape_server.bench.explain_truth import TruthResult
from glasstape_server.bench.known_truth.sets import LABEL_NOISE, WITHOUT_CELLS
from glasstape_server.bench.map_score import map_names
from glasstape_server.bench.truth_task import BAYES
from glasstape_server.domain.statistics import interval

MIN_ACCURACY = 0.75
"""Accuracy of a network from which on its maps are judged."""
MIN_ACCURACY_OF_NOISE = 0.5
"""The same on sets with label noise, whose Bayes-optimal classifier is below `MIN_ACCURACY` or little above."""
DRAWS = 10_000
"""Bootstrap samples."""

MapName = tuple[str, str]
"""Method and score of a map, in upper case."""
Cell = tuple[str, str, str]
"""Set, shape and network."""
PAIRS: tuple[tuple[MapName, MapName], ...] = tuple(
    ((left, left_score), (right, right_score))
    for left, left_score, right, right_score in (
        ("SCALED_GRADIENT", "MARGIN", "GRADIENT", "MARGIN"),
        ("SCALED_PATH_GRADIENT", "MARGIN", "INTEGRATED_GRADIENTS", "MARGIN"),
        ("SCALED_PATH_GRADIENT", "MARGIN", "OCCLUSION", "MARGIN"),
        ("SCALED_PATH_GRADIENT", "MARGIN", "OCCLUSION", "LOG_PROBABILITY"),
        ("INTEGRATED_GRADIENTS", "MARGIN", "GRADIENT", "MARGIN"),
        ("INTEGRATED_GRADIENTS", "MARGIN", "OCCLUSION", "LOG_PROBABILITY"),
    )
)
"""Maps that are compared by default."""


@dataclass(frozen=True, slots=True)
class Comparison:
    """Difference of the mean average precision of two maps, left minus right, with seeds averaged."""

    left: MapName
    right: MapName
    sets_won: int
    """Sets of one shape on which the left map is better, averaged over networks."""
    sets: int
    cells_won: int
    """Networks on one such set on which the left map is better."""
    cells: int
    difference: float
    """Mean over the sets; shapes and networks of a set are averaged first."""
    low: float
    """Lower bound of the 95 % interval of a paired bootstrap over sets."""
    high: float
    """Upper bound."""


def judged(results: Iterable[TruthResult]) -> set[Cell]:
    """Return the networks, not Bayes-optimal, that are accurate enough for their maps to be judged by the truth."""
    accuracies: dict[Cell, list[float]] = defaultdict(list)
    for result in results:
        task = result.task
        if not task.permuted and task.architecture != BAYES and task.kind not in WITHOUT_CELLS:
            accuracies[task.kind, task.shape, task.architecture].append(result.accuracy)
    return {cell for cell, values in accuracies.items() if np.mean(values) >= _limit(cell[0])}


def _limit(kind: str) -> float:
    return MIN_ACCURACY_OF_NOISE if kind in LABEL_NOISE else MIN_ACCURACY


def compare(results: list[TruthResult], left: MapName, right: MapName) -> Comparison | None:
    """Compare two maps on the judged networks that serve both; None if there is none.

    Args:
        results: of every task.
        left: map that a positive difference favors.
        right: map that it is compared with.
    """
    differences = _differences(results, left, right)
    if not differences:
        return None
    by_set, by_kind = (_means(differences, length) for length in (2, 1))
    values = np.array(list(by_kind.values()))
    drawn = np.random.default_rng(0).integers(0, len(values), (DRAWS, len(values)))
    low, high = interval(values[drawn].mean(axis=1))
    return Comparison(
        left,
        right,
        sets_won=sum(value > 0 for value in by_set.values()),
        sets=len(by_set),
        cells_won=sum(value > 0 for value in differences.values()),
        cells=len(differences),
        difference=float(values.mean()),
        low=low,
        high=high,
    )


def _differences(results: list[TruthResult], left: MapName, right: MapName) -> dict[Cell, float]:
    chosen = judged(results)
    by_seed: dict[Cell, list[float]] = defaultdict(list)
    for result in results:
        cell = (result.task.kind, result.task.shape, result.task.architecture)
        precision = {(score.method, score.score): score.precision for score in result.scores}
        if cell in chosen and not result.task.permuted and left in precision and right in precision:
            by_seed[cell].append(precision[left] - precision[right])
    return {cell: float(np.mean(values)) for cell, values in by_seed.items()}


def _means(differences: dict[Cell, float], length: int) -> dict[tuple[str, ...], float]:
    """Return the mean difference of each group of cells that share their first `length` parts."""
    groups: dict[tuple[str, ...], list[float]] = defaultdict(list)
    for cell, value in differences.items():
        groups[cell[:length]].append(value)
    return {group: float(np.mean(values)) for group, values in groups.items()}


def parse_pairs(texts: list[str]) -> list[tuple[MapName, MapName]]:
    """Return the pairs of texts such as "occlusion.log_probability/gradient"; a score left out is the margin.

    Raises:
        ValueError: a text does not have two parts, or a part names no map.
    """
    pairs = []
    for text in texts:
        parts = text.split("/")
        if len(parts) != 2:
            raise ValueError(f"pairs: must look like occlusion.log_probability/gradient, is {text!r}")
        pairs.append((_parse(parts[0]), _parse(parts[1])))
    return pairs


def _parse(text: str) -> MapName:
    method, _, score = text.upper().partition(".")
    name = method, score or "MARGIN"
    if name not in map_names():
        known = ", ".join(".".join(known).lower() for known in map_names())
        raise ValueError(f"pairs: must be of {known}, is {text!r}")
    return name


def to_markdown(results: list[TruthResult], pairs: Sequence[tuple[MapName, MapName]] = PAIRS) -> str:
    """Return a table with a row for each pair that some network serves; empty if there is none."""
    compared = [comparison for pair in pairs if (comparison := compare(results, *pair)) is not None]
    if not compared:
        return ""
    lines = [
        "### Paired comparisons",
        "",
        "| map | compared with | sets won | networks won | difference | 95 % interval |",
        "|---|---|---:|---:|---:|---:|",
    ]
    for c in compared:
        sets = f"{c.sets_won}/{c.sets} ({c.sets_won / c.sets:.0%})"
        cells = f"{c.cells_won}/{c.cells} ({c.cells_won / c.cells:.0%})"
        values = f"{c.difference:+.3f} | {c.low:+.3f} … {c.high:+.3f}"
        lines.append(f"| {_text(c.left)} | {_text(c.right)} | {sets} | {cells} | {values} |")
    return "\n".join(lines)


def _text(name: MapName) -> str:
    return f"{name[0]} of {name[1]}"
