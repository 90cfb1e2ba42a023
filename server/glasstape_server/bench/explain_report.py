"""The results of `glasstape bench truth` as JSON and as Markdown tables."""

import json
from collections.abc import Iterable
from dataclasses import asdict
from typing import TypeVar

import numpy as np

from glasstape_server.bench.explain_truth import MapScore, Outcome

T = TypeVar("T")
SIGNED = ("fixed", "moving", "rare-time", "rare-feature")
"""Sets in which every known cell speaks for the class: a switch's gate has no sign."""
SCORED = ("fixed", "moving", "rare-time", "rare-feature", "switch")
"""Sets that make up the mean; state3 stands apart, null has nothing to find."""


def to_json(outcomes: list[Outcome]) -> str:
    """Everything that was measured."""
    return json.dumps([_plain(asdict(outcome)) for outcome in outcomes], indent=1) + "\n"


def to_markdown(outcomes: list[Outcome]) -> str:
    """A table for each network and shape: mean per-sample average precision over the seeds."""
    parts = []
    for shape in _unique((o.job.steps, o.job.features) for o in outcomes):
        for name in _unique(o.job.architecture for o in outcomes):
            chosen = [
                o for o in outcomes if (o.job.steps, o.job.features) == shape and o.job.architecture == name
            ]
            if chosen:
                parts.append(_table(name, shape, chosen))
    return "\n\n".join(parts) + "\n"


def _table(name: str, shape: tuple[int, int], outcomes: list[Outcome]) -> str:
    kinds = _unique(o.job.kind for o in outcomes if not o.job.permuted)
    by_kind = {kind: [o for o in outcomes if o.job.kind == kind and not o.job.permuted] for kind in kinds}
    told = [kind for kind in kinds if kind != "null"]
    seeds = len(_unique(o.job.seed for o in outcomes))
    lines = [
        f"### {name}, {shape[0]} × {shape[1]}, {seeds} seed(s)",
        "",
        f"| map | {' | '.join(told)} | mean | ± | sign | deletion |",
        "|---|" + "---:|" * (len(told) + 4),
        _row("accuracy", [[o.accuracy for o in by_kind[kind]] for kind in told], told),
        _row("*a random map*", [[o.random for o in by_kind[kind]] for kind in told], told),
        _row("*best time-only map*", [[o.ceiling for o in by_kind[kind]] for kind in told], told),
    ]
    asked = _unique((s.method, s.score) for o in outcomes for s in o.scores)
    for method, score in asked:
        found = [_of(by_kind[kind], method, score) for kind in told]
        signs = [s.sign for kind, part in zip(told, found, strict=True) if kind in SIGNED for s in part]
        falls = [float(np.mean(s.deletion)) for part in found for s in part]
        lines.append(
            _row(f"{method} of {score}", [[s.precision for s in part] for part in found], told, signs, falls)
        )
    permuted = [o for o in outcomes if o.job.permuted]
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
    falls: list[float] | None = None,
) -> str:
    means = [float(np.mean(column)) if column else float("nan") for column in columns]
    scored = [columns[i] for i, kind in enumerate(kinds) if kind in SCORED]
    mean = error = float("nan")
    if scored and len({len(values) for values in scored}) == 1:  # every seed on every set
        by_seed = np.array(scored).mean(axis=0)
        mean = float(by_seed.mean())
        if len(by_seed) > 1:
            error = float(by_seed.std(ddof=1) / np.sqrt(len(by_seed)))
    rest = [_figure(float(np.mean(part))) if part else "" for part in (signs, falls)]
    cells = [
        *(_figure(value) for value in means),
        f"**{_figure(float(mean))}**",
        _figure(float(error)),
        *rest,
    ]
    return f"| {label} | {' | '.join(cells)} |"


def _shuffled(outcomes: list[Outcome]) -> str:
    """Gradients must fall to the random level; what is multiplied with the input still sees large inputs."""
    level = float(np.mean([o.random for o in outcomes]))
    scores = [s for o in outcomes for s in o.scores]
    pure = [s.precision for s in scores if s.method in ("GRADIENT", "SMOOTHGRAD")]
    times_input = [s.precision for s in scores if s.method in ("OCCLUSION", "INTEGRATED_GRADIENTS")]
    return (
        f"Trained on shuffled labels, gradients reach {_figure(float(np.mean(pure)))} and what is multiplied with "
        f"the input {_figure(float(np.mean(times_input)))}; a random map {_figure(level)}."
    )


def _reliability(by_kind: dict[str, list[Outcome]]) -> str:
    lines = []
    for kind, outcomes in by_kind.items():
        judged = [s for o in outcomes for s in o.scores if not np.isnan(s.reliable)]
        if judged:
            lines.append(
                f"{kind} {np.mean([s.reliable for s in judged]):.0%} ({np.mean([s.agreed for s in judged]):.0%})"
            )
    return (
        "Called reliable by quality FULL (in brackets: without asking whether the model has any skill): "
        f"{', '.join(lines)}."
    )


def _of(outcomes: list[Outcome], method: str, score: str) -> list[MapScore]:
    return [s for o in outcomes for s in o.scores if (s.method, s.score) == (method, score)]


def _figure(value: float) -> str:
    return "–" if np.isnan(value) else f"{value:.3f}"


def _unique(values: Iterable[T]) -> list[T]:
    return list(dict.fromkeys(values))


def _plain(value: object) -> object:
    """NaN is no JSON: null."""
    if isinstance(value, dict):
        return {key: _plain(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_plain(item) for item in value]
    return None if isinstance(value, float) and np.isnan(value) else value
