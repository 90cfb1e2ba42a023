"""Reports of an evaluation: metrics.json, report.html, and a table in Markdown."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from glasstape.skill import KOREAN_SENTENCES, SENTENCES, SkillVerdict
from jinja2 import Environment, PackageLoader, StrictUndefined

from glasstape_server.domain.statistics import IntervalEstimate
from glasstape_server.evaluation import book_report, plots
from glasstape_server.evaluation.book_result import PaperBookResult
from glasstape_server.evaluation.evaluation_result import Evaluation
from glasstape_server.evaluation.importance_grid import ImportanceGrid
from glasstape_server.evaluation.rank_scores import LOW_VOLATILITY
from glasstape_server.evaluation.ranking_result import CLASSES, RankingResult
from glasstape_server.models.manifest import Reliability
from glasstape_server.storage import files

METRICS = "metrics.json"
REPORT = "report.html"
SELECTION = (
    "Survivorship and selection: the figures are of the symbols in the data. If symbols that were delisted, merged or "
    "left the index are missing, as in files of today's members, returns and hit rates of UP are too high, and no "
    "figure here can show it. If symbols or the period were chosen by their past, the figures are of that choice. Of "
    "several candidates, seeds or runs on one test period, the best is better than it will be later; intervals do not "
    "account for that choice."
)
"""Paragraph on what the data itself may hide."""


def write(
    evaluation: Evaluation, about: Mapping[str, str], folder: Path, books: Sequence[PaperBookResult] = ()
) -> Path:
    """Write metrics.json and report.html, each whole or not at all; return the path of the report.

    Args:
        evaluation: to report.
        about: description of data and plan, by title.
        folder: created if missing; an earlier report in it is replaced.
        books: paper books of its predictions.

    Raises:
        OSError: the files cannot be written.
    """
    folder.mkdir(parents=True, exist_ok=True)
    contents = {METRICS: to_json(evaluation, about, books), REPORT: to_html(evaluation, about, books)}
    for name, content in contents.items():
        files.write(folder / name, content)
    return folder / REPORT


def to_json(evaluation: Evaluation, about: Mapping[str, str], books: Sequence[PaperBookResult] = ()) -> str:
    """Return the evaluation, and its paper books if there are any, as JSON."""
    everything = {"about": dict(about), "selection": SELECTION, **asdict(evaluation)}
    if books:
        everything["paper_books"] = [book_report.to_json(book) for book in books]
    return json.dumps(everything, indent=1, ensure_ascii=False, default=_json_value) + "\n"


def to_html(evaluation: Evaluation, about: Mapping[str, str], books: Sequence[PaperBookResult] = ()) -> str:
    """Return a self-contained HTML page with tables and plots, without scripts."""
    environment = Environment(
        loader=PackageLoader("glasstape_server.evaluation", ""), autoescape=True, undefined=StrictUndefined
    )
    environment.filters.update(
        percent=_percent, signed_points=_signed_points, number=_number, points=_points, share=_share
    )
    environment.filters.update(share_of=_share_of, value_of=_value_of)
    plot = {
        "reliability": plots.reliability(evaluation),
        "coverage": plots.coverage(evaluation),
        "log_loss_gain": plots.log_loss_gain(evaluation),
    }
    grids = {c.name: ImportanceGrid(c.importance) for c in evaluation.candidates if c.importance}
    return environment.get_template("report.html.j2").render(
        e=evaluation,
        about=about,
        plots=plot,
        importance=grids,
        selection=SELECTION,
        sentences=SENTENCES,
        korean=KOREAN_SENTENCES,
        ranking_note=_ranking_note(evaluation.ranking),
        books=book_report.to_section(books) if books else "",
    )


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
    lines += ["", *_skill_lines(evaluation), "", *_ranking_lines(evaluation.ranking)]
    held_out = f"{evaluation.tested_held_out:,} windows of {len(evaluation.held_out)} held-out symbols: see the report"
    if not evaluation.held_out:
        held_out = f"no held-out symbols among these {evaluation.symbols}"
    lines += ["", held_out, "", SELECTION]
    checks = evaluation.leak_checks
    lines += [
        "",
        *(f"{'FAILED' if check.failed else 'passed'} {check.name}: {check.text}" for check in checks),
    ]
    return "\n".join(lines)


def _skill_lines(evaluation: Evaluation) -> list[str]:
    """Return the table of the two parts of the log loss gain and of UP and DOWN calls, then what they show."""
    lines = [
        "| candidate | log loss gain | = FLAT part | + direction part | hit rate of calls | base rate of calls | "
        "hit - opposite (points) | right when it moved | kept calls |",
        "|---|---|---|---|---|---|---|---|---|",
    ]
    for candidate in evaluation.candidates:
        f, kept = candidate.metrics, candidate.abstaining
        cells = [
            candidate.name,
            *(_number(f.get(name)) for name in ("log_loss_gain", "flat_gain", "direction_gain")),
            _percent(f.get("hit_rate")),
            f"{f['call_base_rate'].value:.2%}" if "call_base_rate" in f else "–",
            _signed_points(f.get("edge")),
            _percent(f.get("moved_hit_rate")),
            f"{kept.calls:,} ({_share(kept.kept_calls)})",
        ]
        lines.append("| " + " | ".join(cells) + " |")
    known = [c for c in evaluation.candidates if c.verdict is not SkillVerdict.UNSPECIFIED]
    return [*lines, "", *(f"{c.name}: {SENTENCES[c.verdict]}" for c in known)]


def _ranking_lines(ranking: RankingResult) -> list[str]:
    """Return the table of the ranking tests."""
    if not ranking.scores:
        return [f"no ranking figures: {ranking.reason}"]
    lines = [
        "| ranked by | Rank IC | Rank ICIR | IC | long-short spread (bp) | monotonicity | top-k excess return (bp) | "
        "turnover of top-k | after costs (bp) | Rank IC - low volatility | - classes |",
        "|---|---|---|---|---|---|---|---|---|---|---|",
    ]
    for score in ranking.scores:
        f = score.metrics
        against = [value for name, value in score.differences.items() if name.endswith(CLASSES)]
        cells = [
            score.name,
            *(_number(f.get(name)) for name in ("rank_ic", "rank_icir", "ic")),
            _points(f.get("spread")),
            _number(f.get("monotonicity"), 2),
            _points(f.get("top_return")),
            _percent(f.get("turnover")),
            _points(f.get("top_net_return")),
            _number(score.differences.get(LOW_VOLATILITY)),
            _number(against[0] if against else None),
        ]
        lines.append("| " + " | ".join(cells) + " |")
    return [*lines, "", _ranking_note(ranking)]


def _ranking_note(ranking: RankingResult) -> str:
    top = "a tenth" if ranking.top is None else str(ranking.top)
    return (
        f"ranking: {ranking.closes:,} closes; returns over {ranking.horizon_bars} bar(s), in excess of the mean of the "
        f"close; top-k: {top} of its symbols; turnover: share of them that is exchanged after the horizon"
    )


def _json_value(value: object) -> object:
    if isinstance(value, Reliability):
        return value.model_dump()
    raise TypeError(f"cannot serialize {type(value).__name__}")


def _share(value: float | None) -> str:
    return "–" if value is None else f"{value:.2%}"


def _share_of(value: IntervalEstimate | None) -> str:
    return "–" if value is None else f"{value.value:.1%}"


def _value_of(value: IntervalEstimate | None) -> str:
    return "–" if value is None else f"{value.value:+.5f}"


def _percent(value: IntervalEstimate | None) -> str:
    return "–" if value is None else f"{value.value:.2%} ({value.low:.2%} … {value.high:.2%})"


def _signed_points(value: IntervalEstimate | None) -> str:
    """Format a difference of shares in points."""
    if value is None:
        return "–"
    return f"{100 * value.value:+.2f} ({100 * value.low:+.2f} … {100 * value.high:+.2f})"


def _number(value: IntervalEstimate | None, digits: int = 4) -> str:
    if value is None:
        return "–"
    return f"{value.value:.{digits}f} ({value.low:.{digits}f} … {value.high:.{digits}f})"


def _points(value: IntervalEstimate | None) -> str:
    """Format in basis points."""
    if value is None:
        return "–"
    return f"{1e4 * value.value:.2f} ({1e4 * value.low:.2f} … {1e4 * value.high:.2f})"
