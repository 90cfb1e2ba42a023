"""Reports of an evaluation: metrics.json, report.html, and a table in Markdown."""

import json
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined

from glasstape_server.domain.statistics import IntervalEstimate
from glasstape_server.evaluation import plots
from glasstape_server.evaluation.evaluation_result import Evaluation
from glasstape_server.models.manifest import Reliability
from glasstape_server.storage import files

METRICS = "metrics.json"
REPORT = "report.html"


def write(evaluation: Evaluation, about: Mapping[str, str], folder: Path) -> Path:
    """Write metrics.json and report.html, each whole or not at all; return the path of the report.

    Args:
        evaluation: to report.
        about: description of data and plan, by title.
        folder: created if missing; an earlier report in it is replaced.

    Raises:
        OSError: the files cannot be written.
    """
    folder.mkdir(parents=True, exist_ok=True)
    contents = {METRICS: to_json(evaluation, about), REPORT: to_html(evaluation, about)}
    for name, content in contents.items():
        files.write(folder / name, content)
    return folder / REPORT


def to_json(evaluation: Evaluation, about: Mapping[str, str]) -> str:
    """Return the evaluation as JSON."""
    everything = {"about": dict(about), **asdict(evaluation)}
    return json.dumps(everything, indent=1, ensure_ascii=False, default=_json_value) + "\n"


def to_html(evaluation: Evaluation, about: Mapping[str, str]) -> str:
    """Return a self-contained HTML page with tables and plots, without scripts."""
    environment = Environment(
        loader=PackageLoader("glasstape_server.evaluation", ""), autoescape=True, undefined=StrictUndefined
    )
    environment.filters.update(percent=_percent, number=_number, points=_points, share=_share)
    plot = {
        "reliability": plots.reliability(evaluation),
        "coverage": plots.coverage(evaluation),
        "log_loss_gain": plots.log_loss_gain(evaluation),
    }
    return environment.get_template("report.html.j2").render(e=evaluation, about=about, plots=plot)


def to_text(evaluation: Evaluation) -> str:
    """Return the main table in Markdown."""
    lines = [
        "| candidate | accuracy | base rate | macro-F1 | MCC | log loss gain | Brier | ECE | ECE if calibrated | "
        "not significantly better than |",
        "|---|---|---|---|---|---|---|---|---|---|",
    ]
    for candidate in evaluation.candidates:
        f: dict[str, Any] = dict(candidate.metrics)
        cells = [
            candidate.name,
            _percent(f["accuracy"]),
            f"{f['base_rate'].value:.2%}",
            _number(f["macro_f1"], 3),
            _number(f["mcc"], 3),
            _number(f.get("log_loss_gain")),
            _number(f.get("brier")),
            _number(f.get("ece")),
            _number(candidate.ece_if_calibrated),
            ", ".join(name for name, better in candidate.significant.items() if not better) or "–",
        ]
        lines.append("| " + " | ".join(cells) + " |")
    held_out = f"{evaluation.tested_held_out:,} windows of {len(evaluation.held_out)} held-out symbols: see the report"
    if not evaluation.held_out:
        held_out = f"no held-out symbols among these {evaluation.symbols}"
    lines += ["", held_out]
    checks = evaluation.leak_checks
    lines += [
        "",
        *(f"{'FAILED' if check.failed else 'passed'} {check.name}: {check.text}" for check in checks),
    ]
    return "\n".join(lines)


def _json_value(value: object) -> object:
    if isinstance(value, Reliability):
        return value.model_dump()
    raise TypeError(f"cannot serialize {type(value).__name__}")


def _share(value: float | None) -> str:
    return "–" if value is None else f"{value:.2%}"


def _percent(value: IntervalEstimate | None) -> str:
    return "–" if value is None else f"{value.value:.2%} ({value.low:.2%} … {value.high:.2%})"


def _number(value: IntervalEstimate | None, digits: int = 4) -> str:
    if value is None:
        return "–"
    return f"{value.value:.{digits}f} ({value.low:.{digits}f} … {value.high:.{digits}f})"


def _points(value: IntervalEstimate | None) -> str:
    """Format in basis points."""
    if value is None:
        return "–"
    return f"{1e4 * value.value:.2f} ({1e4 * value.low:.2f} … {1e4 * value.high:.2f})"
