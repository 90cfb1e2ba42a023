"""Reports of paper books: text, JSON, and an HTML page or section with equity curves."""

import json
from collections.abc import Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from glasstape_server.domain.times import SECOND
from glasstape_server.evaluation import book_plots
from glasstape_server.evaluation.book_result import PaperBookResult

ASSUMPTIONS = (
    "Scores of a close decide, and the next close of each symbol fills, in units fixed at the first one. Units are "
    "fractional, cash earns nothing, and orders move no price. The benchmark is the equal-weighted universe of all "
    "symbols with a score, decided and filled at the same closes, without costs. Taxes on gains and dividends are left "
    "out; dividends count as far as prices are adjusted. The universe is that of the data: symbols that were delisted "
    "before the data was made are missing, and returns are too high. Of several books or models on one period, the "
    "best is better than it will be later; --trials N widens the intervals for it."
)
"""Paragraph on what a paper book leaves out."""


def to_text(result: PaperBookResult) -> str:
    """Return the facts, the figures as a table in Markdown, and what they show."""
    lines = [
        f"paper book: {result.source}",
        *result.facts,
        "",
        "| figure | book | benchmark |",
        "|---|---|---|",
    ]
    lines += [f"| {name} | {own} | {benchmark or '–'} |" for name, own, benchmark in result.rows()]
    return "\n".join([*lines, "", result.sentence, result.korean, "", ASSUMPTIONS])


def to_json(result: PaperBookResult) -> dict[str, Any]:
    """Return everything that JSON can hold: facts, figures, costs, and the curve at every close."""
    curve = result.record.curve
    columns = {name: values for name, values in asdict(curve).items() if name != "time"}
    return {
        "source": result.source,
        "score": result.score,
        "interval": result.interval,
        "rule": {name: value for name, value in asdict(result.rule).items() if value is not None},
        "costs": result.costs.to_json(),
        "verdict": result.figures.verdict.value,
        "sentence": result.sentence,
        "sentence_ko": result.korean,
        "facts": list(result.facts),
        "assumptions": ASSUMPTIONS,
        "figures": {**asdict(result.figures), "costs": result.figures.costs},
        "scored": result.record.scored,
        "unpriced": result.record.unpriced,
        "unfilled": result.record.unfilled,
        "at_limit": result.record.at_limit,
        "ended": list(result.record.ended),
        "curve": {
            "time": [datetime.fromtimestamp(t / SECOND, UTC).isoformat() for t in curve.time.tolist()],
            **{name: values.tolist() for name, values in columns.items()},
        },
    }


def json_text(result: PaperBookResult) -> str:
    """Return `to_json` as a file's content."""
    return json.dumps(to_json(result), indent=1, ensure_ascii=False) + "\n"


def to_html(results: Sequence[PaperBookResult]) -> str:
    """Return a self-contained HTML page of one or more books on one period, without scripts."""
    return _environment().get_template("book_report.html.j2").render(section=to_section(results))


def to_section(results: Sequence[PaperBookResult]) -> Markup:
    """Return the section of a page: a plot of all books, and a table of each."""
    template = _environment().get_template("book_section.html.j2")
    text = template.render(results=results, plot=book_plots.equity(results), assumptions=ASSUMPTIONS)
    return Markup(text)  # noqa: S704 - the template escapes


def _environment() -> Environment:
    return Environment(
        loader=PackageLoader("glasstape_server.evaluation", ""), autoescape=True, undefined=StrictUndefined
    )
