"""Results of `glasstape bench truth` as JSON and Markdown."""

import json
from collections.abc import Iterable, Sequence
from dataclasses import asdict, replace
from typing import TypeVar

import numpy as np
import polars as pl

from glasstape_server.bench import map_comparison, verdict_report
from glasstape_server.bench.explain_truth import TruthResult
from glasstape_server.bench.known_truth.sets import SIGNED
from glasstape_server.bench.map_comparison import PAIRS, MapName, judged
from glasstape_server.bench.map_score import MapScore
from glasstape_server.bench.truth_task import BAYES

T = TypeVar("T")
SCORED = ("fixed", "moving", "rare-time", "rare-feature", "switch")
"""Sets of the first mean, which stays comparable when sets are added."""
EMPTY = pl.DataFrame()


def to_json(results: list[TruthResult]) -> str:
    """Return all results without the records of single maps as JSON."""
    rows = [{**asdict(replace(result, maps=EMPTY)), "maps": len(result.maps)} for result in results]
    return json.dumps(_json_value(rows), indent=1) + "\n"


def to_markdown(results: list[TruthResult], pairs: Sequence[tuple[MapName, MapName]] = PAIRS) -> str:
    """Return the report: a table for each network and shape, comparisons of pairs of maps, verdicts and trust.

    Args:
        results: of every task.
        pairs: maps to compare.
    """
    parts = []
    for shape in _unique(o.task.shape for o in results):
        of_shape = [o for o in results if o.task.shape == shape]
        bayes = [o for o in of_shape if o.task.architecture == BAYES]
        for name in _unique(o.task.architecture for o in of_shape):
            chosen = [o for o in of_shape if o.task.architecture == name]
            parts.append(_table(name, shape, chosen, bayes))
    cells = judged(results)
    maps = pl.concat([o.maps for o in results])
    parts += [map_comparison.to_markdown(results, pairs), verdict_report.to_markdown(maps, cells)]
    return "\n\n".join(part for part in parts if part) + "\n"


def _table(name: str, shape: str, results: list[TruthResult], bayes: list[TruthResult]) -> str:
    kinds = _unique(o.task.kind for o in results if not o.task.permuted)
    by_kind = {kind: [o for o in results if o.task.kind == kind and not o.task.permuted] for kind in kinds}
    shown = [kind for kind in kinds if kind != "null"]
    seeds = len(_unique(o.task.seed for o in results))
    lines = [
        f"### {name}, {shape.replace('x', ' × ')}, {seeds} seed(s)",
        "",
        f"| map | {' | '.join(shown)} | mean of {len(SCORED)} | ± | mean of all | sign | deletion |",
        "|---|" + "---:|" * (len(shown) + 5),
        _row("accuracy", [[o.accuracy for o in by_kind[kind]] for kind in shown], shown),
        _row("*a random map*", [[o.random for o in by_kind[kind]] for kind in shown], shown),
        _row("*best time-only map*", [[o.ceiling for o in by_kind[kind]] for kind in shown], shown),
    ]
    if bayes and name != BAYES:
        best = [[o.accuracy for o in bayes if o.task.kind == kind] for kind in shown]
        lines.insert(-2, _row("*Bayes accuracy*", best, shown))
    pairs = _unique((s.method, s.score) for o in results for s in o.scores)
    for method, score in pairs:
        scores = [_of(by_kind[kind], method, score) for kind in shown]
        signs = [s.sign for kind, part in zip(shown, scores, strict=True) if kind in SIGNED for s in part]
        deletions = [float(np.mean(s.deletion)) for part in scores for s in part]
        lines.append(
            _row(
                f"{method} of {score}",
                [[s.precision for s in part] for part in scores],
                shown,
                signs,
                deletions,
            )
        )
    permuted = [o for o in results if o.task.permuted]
    if permuted:
        lines.append("")
        lines.append(_shuffled(permuted))
    return "\n".join(lines)


def _row(
    label: str,
    columns: list[list[float]],
    kinds: list[str],
    signs: list[float] | None = None,
    deletions: list[float] | None = None,
) -> str:
    means = [float(np.mean(column)) if column else float("nan") for column in columns]
    scored = [columns[i] for i, kind in enumerate(kinds) if kind in SCORED]
    mean, error = _mean_and_error(scored)
    of_all, _ = _mean_and_error(columns)
    rest = [_number(float(np.mean(part))) if part else "" for part in (signs, deletions)]
    cells = [*map(_number, means), f"**{_number(mean)}**", _number(error), _number(of_all), *rest]
    return f"| {label} | {' | '.join(cells)} |"


def _mean_and_error(columns: list[list[float]]) -> tuple[float, float]:
    """Return the mean over sets and seeds and its standard error over seeds; NaN unless every set has every seed."""
    if not columns or len({len(values) for values in columns}) != 1 or not columns[0]:
        return float("nan"), float("nan")
    by_seed = np.array(columns).mean(axis=0)
    error = by_seed.std(ddof=1) / np.sqrt(len(by_seed)) if len(by_seed) > 1 else float("nan")
    return float(by_seed.mean()), float(error)


def _shuffled(results: list[TruthResult]) -> str:
    """Report the label randomization check: gradients must reach the random level only."""
    level = float(np.mean([o.random for o in results]))
    scores = [s for o in results for s in o.scores]
    pure = [s.precision for s in scores if s.method in ("GRADIENT", "SMOOTHGRAD")]
    times_input = [s.precision for s in scores if s.method in ("OCCLUSION", "INTEGRATED_GRADIENTS")]
    gradients = f"gradients {_number(float(np.mean(pure)))}, " if pure else ""
    return (
        f"With shuffled labels: {gradients}methods that depend on the input's size "
        f"{_number(float(np.mean(times_input)))}, random maps {_number(level)}."
    )


def _of(results: list[TruthResult], method: str, score: str) -> list[MapScore]:
    return [s for o in results for s in o.scores if (s.method, s.score) == (method, score)]


def _number(value: float) -> str:
    return "–" if np.isnan(value) else f"{value:.3f}"


def _unique(values: Iterable[T]) -> list[T]:
    return list(dict.fromkeys(values))


def _json_value(value: object) -> object:
    """Replace NaN by None, because JSON has no NaN."""
    if isinstance(value, dict):
        return {key: _json_value(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_json_value(item) for item in value]
    return None if isinstance(value, float) and np.isnan(value) else value
