"""Results of `glasstape bench truth` as JSON and Markdown."""

import json
from collections.abc import Iterable
from dataclasses import asdict
from typing import TypeVar

import numpy as np

from glasstape_server.bench.explain_truth import TruthResult
from glasstape_server.bench.known_truth.sets import SIGNED
from glasstape_server.bench.map_score import MapScore

T = TypeVar("T")
SCORED = ("fixed", "moving", "rare-time", "rare-feature", "switch")
"""Sets in the mean: all but state3, which is a different task, and null, which has no salient cells."""


def to_json(results: list[TruthResult]) -> str:
    """Return all results as JSON."""
    return json.dumps([_json_value(asdict(result)) for result in results], indent=1) + "\n"


def to_markdown(results: list[TruthResult]) -> str:
    """Return a table for each network and shape: mean average precision over the seeds."""
    parts = []
    for shape in _unique((o.task.steps, o.task.features) for o in results):
        for name in _unique(o.task.architecture for o in results):
            chosen = [
                o for o in results if (o.task.steps, o.task.features) == shape and o.task.architecture == name
            ]
            if chosen:
                parts.append(_table(name, shape, chosen))
    return "\n\n".join(parts) + "\n"


def _table(name: str, shape: tuple[int, int], results: list[TruthResult]) -> str:
    kinds = _unique(o.task.kind for o in results if not o.task.permuted)
    by_kind = {kind: [o for o in results if o.task.kind == kind and not o.task.permuted] for kind in kinds}
    shown = [kind for kind in kinds if kind != "null"]
    seeds = len(_unique(o.task.seed for o in results))
    lines = [
        f"### {name}, {shape[0]} × {shape[1]}, {seeds} seed(s)",
        "",
        f"| map | {' | '.join(shown)} | mean | ± | sign | deletion |",
        "|---|" + "---:|" * (len(shown) + 4),
        _row("accuracy", [[o.accuracy for o in by_kind[kind]] for kind in shown], shown),
        _row("*a random map*", [[o.random for o in by_kind[kind]] for kind in shown], shown),
        _row("*best time-only map*", [[o.ceiling for o in by_kind[kind]] for kind in shown], shown),
    ]
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
    lines.append("")
    lines.append(_reliability(by_kind))
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
    mean = error = float("nan")
    if scored and len({len(values) for values in scored}) == 1:  # every seed on every set
        by_seed = np.array(scored).mean(axis=0)
        mean = float(by_seed.mean())
        if len(by_seed) > 1:
            error = float(by_seed.std(ddof=1) / np.sqrt(len(by_seed)))
    rest = [_number(float(np.mean(part))) if part else "" for part in (signs, deletions)]
    cells = [
        *(_number(value) for value in means),
        f"**{_number(float(mean))}**",
        _number(float(error)),
        *rest,
    ]
    return f"| {label} | {' | '.join(cells)} |"


def _shuffled(results: list[TruthResult]) -> str:
    """Report the label randomization check: gradients must reach the random level only."""
    level = float(np.mean([o.random for o in results]))
    scores = [s for o in results for s in o.scores]
    pure = [s.precision for s in scores if s.method in ("GRADIENT", "SMOOTHGRAD")]
    times_input = [s.precision for s in scores if s.method in ("OCCLUSION", "INTEGRATED_GRADIENTS")]
    return (
        f"With shuffled labels: gradients {_number(float(np.mean(pure)))}, methods that depend on the input's size "
        f"{_number(float(np.mean(times_input)))}, random maps {_number(level)}."
    )


def _reliability(by_kind: dict[str, list[TruthResult]]) -> str:
    lines = []
    for kind, results in by_kind.items():
        judged = [s for o in results for s in o.scores if not np.isnan(s.reliable)]
        if judged:
            reliable = np.mean([s.reliable for s in judged])
            without_model = np.mean([s.reliable_without_model for s in judged])
            lines.append(f"{kind} {reliable:.0%} ({without_model:.0%})")
    return (
        "Share of maps judged RELIABLE by quality FULL (in parentheses: without the checks of the model): "
        f"{', '.join(lines)}."
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
