"""Plot of paper books, as inline SVG."""

from collections.abc import Sequence
from datetime import UTC, datetime

import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import LogFormatter, PercentFormatter

from glasstape_server.domain.times import SECOND
from glasstape_server.evaluation.book_result import PaperBookResult
from glasstape_server.evaluation.plots import to_svg

SIZE = (9.0, 5.4)
"""Inches."""
MOST_POINTS = 2000
"""Points of a line, at most: drawdowns are of all closes."""


def equity(results: Sequence[PaperBookResult]) -> str:
    """Plot equity of books and of their benchmarks on a logarithmic scale, and their drawdowns below."""
    figure = Figure(figsize=SIZE, layout="constrained")
    upper, lower = figure.subplots(2, 1, sharex=True, height_ratios=(3, 1))
    shown = set()
    for number, result in enumerate(results):
        curve = result.record.curve
        closes = np.unique(np.linspace(0, len(curve.time) - 1, MOST_POINTS).astype(int))
        times = [datetime.fromtimestamp(time / SECOND, UTC) for time in curve.time[closes].tolist()]
        lines = [(curve.equity, result.source, f"C{number}", "-")]
        if curve.benchmark.tobytes() not in shown:
            shown.add(curve.benchmark.tobytes())
            lines.append((curve.benchmark, "equal-weighted universe, without costs", "gray", "--"))
        for values, label, color, style in lines:
            upper.plot(times, values[closes], color=color, linestyle=style, linewidth=1, label=label)
            fall = values / np.maximum.accumulate(values) - 1
            lower.plot(times, fall[closes], color=color, linestyle=style, linewidth=0.8)
    upper.set_yscale("log")
    upper.yaxis.set_major_formatter(LogFormatter())
    upper.yaxis.set_minor_formatter(LogFormatter())
    upper.set_ylabel("equity, 1 at the start")
    upper.legend(fontsize=7)
    lower.set_ylabel("drawdown")
    lower.yaxis.set_major_formatter(PercentFormatter(1.0, 0))
    for axes in (upper, lower):
        axes.grid(alpha=0.3)
    return to_svg("book_equity", figure)
