"""Reports of a search: search.json, report.html, and lines for the terminal."""

import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

from glasstape.skill import KOREAN_SENTENCES, SENTENCES, SkillVerdict, skill_verdict
from jinja2 import Environment, PackageLoader, StrictUndefined

from glasstape_server.domain.statistics import IntervalEstimate
from glasstape_server.evaluation.search import SearchResult
from glasstape_server.evaluation.selected_best import METRICS, SelectedEstimate
from glasstape_server.evaluation.study import Trial
from glasstape_server.storage import files

JSON = "search.json"
REPORT = "report.html"
METHOD = (
    "The best of several trials looks better than it is, the more so the more trials. The intervals of the best trial "
    "hold for all trials at once, and so for the one that was selected: the largest error over the trials is taken "
    "from a block bootstrap that all trials share (White 2000, A reality check for data snooping; studentized as in "
    "Romano and Wolf 2005). Test windows of the search are earlier than those of the model's validation and check."
)
"""Paragraph on the intervals."""


def write(result: SearchResult, folder: Path) -> Path:
    """Write search.json and report.html; return the path of the report.

    Raises:
        OSError: they cannot be written.
    """
    files.write(folder / JSON, to_json(result))
    files.write(folder / REPORT, to_html(result))
    return folder / REPORT


def metrics(result: SearchResult) -> dict[str, float]:
    """Return the metrics for the manifest of the model that is trained with the best options."""
    figures: dict[str, float] = {"search/trials": len(result.trials)}
    for name, estimate in result.figures.items():
        low, high = estimate.selected.low, estimate.selected.high
        figures |= {
            f"search/{name}": estimate.value, f"search/{name}_low": low, f"search/{name}_high": high,
        }  # fmt: skip
    return figures


def verdict(result: SearchResult) -> SkillVerdict:
    """Return what the best trial shows, by the intervals that allow for the selection."""
    moved = result.figures.get("moved_hit_rate")
    low, high = (moved.selected.low, moved.selected.high) if moved else (0.0, 1.0)
    flat, direction = (result.figures[name].selected.low for name in ("flat_gain", "direction_gain"))
    return skill_verdict(flat, direction, low, high)


def saved(trial: Trial) -> float | None:
    """Return the log loss that a trial saved, nats; None: it failed."""
    return None if trial.sums is None else float(METRICS["log_loss_gain"](trial.sums.sum(axis=0)))


def trial_text(trial: Trial, result_text: str, count: int) -> str:
    """Return the line of one trial, given the text of its choice."""
    value = saved(trial)
    outcome = f"failed: {trial.error}" if value is None else f"log loss saved {value:+.5f} nats"
    return f"trial {trial.number} of {count}: {result_text}: {outcome}"


def to_text(result: SearchResult) -> str:
    """Return the figures of the best trial."""
    best, count = result.best, len(result.trials)
    failed = sum(trial.sums is None for trial in result.trials)
    lines = [
        f"best of {count} trials ({failed} failed): trial {best.number}, "
        f"{result.plan.space.to_text(best.choice)}",
        f"walk-forward on {result.windows:,} test windows of {result.days} days before the validation period; 95 % "
        f"intervals allow for the choice among {count} trials:",
    ]
    lines += [
        f"  {title}: {_text(result.figures[n], n)}" for n, title in _TITLES.items() if n in result.figures
    ]
    if result.over_default is not None:
        text = _text(result.over_default, "log_loss_gain")
        lines.append(f"  log loss saved against trial 1, the default options: {text}")
    lines.append(f"the best trial {SENTENCES[verdict(result)]}")
    return "\n".join(lines)


_TITLES = {
    "log_loss_gain": "log loss saved, nats",
    "flat_gain": "= FLAT part",
    "direction_gain": "+ direction part",
    "moved_hit_rate": "right when it moved",
}


def to_json(result: SearchResult) -> str:
    """Return the search as JSON: settings, seeds, every trial, and the figures of the best."""
    plan = result.plan
    content = {
        "best": result.best.number,
        "figures": {name: asdict(estimate) for name, estimate in result.figures.items()},
        "over_default": None if result.over_default is None else asdict(result.over_default),
        "verdict": verdict(result).value,
        "method": METHOD,
        "windows": result.windows,
        "days": result.days,
        "block": result.block,
        "seeds": list(range(plan.seed, plan.seed + plan.seeds)),
        "folds": plan.walk_forward.folds,
        "rolling_us": plan.walk_forward.rolling,
        "trials": [_trial(result, trial) for trial in result.trials],
    }
    return json.dumps(content, indent=1) + "\n"


def to_html(result: SearchResult) -> str:
    """Return a self-contained HTML page without scripts."""
    environment = Environment(
        loader=PackageLoader("glasstape_server.evaluation", ""), autoescape=True, undefined=StrictUndefined
    )
    shown = verdict(result)
    return environment.get_template("search.html.j2").render(
        r=result,
        trials=[(trial, result.plan.space.to_text(trial.choice), saved(trial)) for trial in result.trials],
        figures=[
            (
                title,
                _interval(result.figures[name].alone, name),
                _interval(result.figures[name].selected, name),
            )
            for name, title in _TITLES.items()
            if name in result.figures
        ],
        over_default=result.over_default and _interval(result.over_default.selected, "log_loss_gain"),
        method=METHOD,
        english=SENTENCES[shown],
        korean=KOREAN_SENTENCES[shown],
    )


def _trial(result: SearchResult, trial: Trial) -> dict[str, Any]:
    choice = trial.choice
    options = asdict(choice.boosting if choice.boosted else choice.fit)
    del options["seed"]
    return {
        "number": trial.number,
        "architecture": choice.architecture,
        "options": options,
        "log_loss_gain": saved(trial),
        "error": trial.error,
    }


def _text(estimate: SelectedEstimate, name: str) -> str:
    alone = _interval(estimate.alone, name).partition(" ")[2]
    return f"{_interval(estimate.selected, name)}; without the choice {alone}"


def _interval(estimate: IntervalEstimate, name: str) -> str:
    if name == "moved_hit_rate":
        return f"{estimate.value:.2%} ({estimate.low:.2%} … {estimate.high:.2%})"
    return f"{estimate.value:+.5f} ({estimate.low:+.5f} … {estimate.high:+.5f})"
