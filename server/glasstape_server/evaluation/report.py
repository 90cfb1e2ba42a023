"""An evaluation on paper: metrics.json for programs, report.html for people."""

import json
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined

from glasstape_server.evaluation import plots
from glasstape_server.evaluation.evaluate import Evaluation
from glasstape_server.evaluation.figures import Estimate
from glasstape_server.models.manifest import Reliability
from glasstape_server.storage import files

METRICS = "metrics.json"
REPORT = "report.html"


def write(evaluation: Evaluation, about: Mapping[str, str], folder: Path) -> Path:
    """Write both files to `folder`, each whole; return the path of the report.

    Args:
        evaluation: what was found.
        about: data and plan in words, by title.
        folder: made if it is not there; an earlier report in it is replaced.
    """
    folder.mkdir(parents=True, exist_ok=True)
    contents = {METRICS: to_json(evaluation, about), REPORT: to_html(evaluation, about)}
    for name, content in contents.items():
        files.write(folder / name, content)
    return folder / REPORT


def to_json(evaluation: Evaluation, about: Mapping[str, str]) -> str:
    """Everything, for programs."""
    everything = {"about": dict(about), **asdict(evaluation)}
    return json.dumps(everything, indent=1, ensure_ascii=False, default=_plain) + "\n"


def to_html(evaluation: Evaluation, about: Mapping[str, str]) -> str:
    """One page with tables and plots, without scripts and without anything from elsewhere."""
    environment = Environment(
        loader=PackageLoader("glasstape_server.evaluation", ""), autoescape=True, undefined=StrictUndefined
    )
    environment.filters.update(percent=_percent, number=_number, points=_points)
    pictures = {
        "reliability": plots.reliability(evaluation),
        "coverage": plots.coverage(evaluation),
        "gained": plots.gained(evaluation),
    }
    return environment.get_template("report.html.j2").render(e=evaluation, about=about, pictures=pictures)


def to_text(evaluation: Evaluation) -> str:
    """The main table in Markdown."""
    lines = [
        "| candidate | accuracy | base rate | macro-F1 | MCC | log loss saved against prior | Brier | ECE | ECE if "
        "calibrated | not beaten |",
        "|---|---|---|---|---|---|---|---|---|---|",
    ]
    for judged in evaluation.judged:
        f: dict[str, Any] = dict(judged.figures)
        cells = [
            judged.name,
            _percent(f["accuracy"]),
            f"{f['base_rate'].value:.2%}",
            _number(f["macro_f1"], 3),
            _number(f["mcc"], 3),
            _number(f.get("log_loss_gained")),
            _number(f.get("brier")),
            _number(f.get("ece")),
            _number(judged.ece_if_calibrated),
            ", ".join(name for name, beaten in judged.beaten.items() if not beaten) or "–",
        ]
        lines.append("| " + " | ".join(cells) + " |")
    held = f"{evaluation.tested_held_out:,} windows of {len(evaluation.held_out)} held-out symbols: see the report"
    if not evaluation.held_out:
        held = f"none of these {evaluation.symbols} symbols is one of the tenth that is held out"
    lines += ["", held]
    lines += [
        "",
        *(f"{'ALARM' if alarm.rang else 'quiet'} {alarm.name}: {alarm.text}" for alarm in evaluation.alarms),
    ]
    return "\n".join(lines)


def _plain(value: object) -> object:
    if isinstance(value, Reliability):
        return value.model_dump()
    raise TypeError(f"no JSON for {type(value).__name__}")


def _percent(found: Estimate | None) -> str:
    return "–" if found is None else f"{found.value:.2%} ({found.low:.2%} … {found.high:.2%})"


def _number(found: Estimate | None, digits: int = 4) -> str:
    if found is None:
        return "–"
    return f"{found.value:.{digits}f} ({found.low:.{digits}f} … {found.high:.{digits}f})"


def _points(found: Estimate | None) -> str:
    """Basis points."""
    return (
        "–" if found is None else f"{1e4 * found.value:.2f} ({1e4 * found.low:.2f} … {1e4 * found.high:.2f})"
    )
