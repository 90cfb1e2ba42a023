"""Plots of the report, as inline SVG."""

from collections.abc import Callable
from io import StringIO

from matplotlib import rc_context
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from glasstape_server.evaluation.baselines import RULES
from glasstape_server.evaluation.evaluate import COVERAGES
from glasstape_server.evaluation.evaluation_result import CandidateResult, Evaluation

SIZE = (7.0, 4.2)
"""Inches."""
_PARTS = {"log_loss_gain": "tab:blue", "flat_gain": "tab:gray", "direction_gain": "tab:orange"}
"""The log loss gain and its parts, with their colors."""


def reliability(evaluation: Evaluation) -> str:
    """Plot realized frequency against confidence of the predicted class."""

    def draw(axes: Axes) -> None:
        points = [point for candidate in _plotted(evaluation) for point in candidate.reliability]
        if points:
            low = min(min(p.stated, p.realized) for p in points) - 0.02
            high = max(max(p.stated, p.realized) for p in points) + 0.02
            axes.plot([low, high], [low, high], color="gray", linestyle=":", label="perfect")
        for candidate in _plotted(evaluation):
            axes.plot(
                [p.stated for p in candidate.reliability], [p.realized for p in candidate.reliability], marker="o",
                markersize=3, linewidth=1, label=candidate.name,
            )  # fmt: skip
        axes.set_xlabel("confidence of the predicted class")
        axes.set_ylabel("realized frequency")

    return _svg("reliability", draw)


def coverage(evaluation: Evaluation) -> str:
    """Plot accuracy against coverage of the windows of highest confidence."""

    def draw(axes: Axes) -> None:
        for candidate in _plotted(evaluation):
            points = [
                (each.coverage, each.accuracy) for each in candidate.selective if each.accuracy is not None
            ]
            axes.plot(
                [coverage for coverage, _ in points],
                [accuracy for _, accuracy in points],
                marker="o", markersize=3, linewidth=1, label=candidate.name,
            )  # fmt: skip
        axes.set_xscale("log")
        axes.set_xticks(COVERAGES, [f"{share:.0%}" for share in COVERAGES], minor=False)
        axes.set_xticks([], minor=True)
        axes.set_xlabel("coverage")
        axes.set_ylabel("accuracy")

    return _svg("coverage", draw)


def log_loss_gain(evaluation: Evaluation) -> str:
    """Plot the log loss gain over the prior and its two parts, with intervals."""

    def draw(axes: Axes) -> None:
        plotted = _plotted(evaluation)
        for number, candidate in enumerate(plotted):
            for shift, (name, color) in enumerate(_PARTS.items()):
                gain, at = candidate.metrics[name], number + 0.2 * (1 - shift)
                axes.plot([gain.low, gain.high], [at, at], color=color, linewidth=2)
                label = name.replace("_", " ") if not number else None
                axes.plot([gain.value], [at], marker="o", color=color, linestyle="", label=label)
        axes.axvline(0, color="gray", linestyle=":")
        axes.set_yticks(range(len(plotted)), [candidate.name for candidate in plotted])
        axes.set_xlabel("log loss gain over the class prior, nats")

    return _svg("log_loss_gain", draw)


def _plotted(evaluation: Evaluation) -> list[CandidateResult]:
    return [candidate for candidate in evaluation.candidates if candidate.name not in RULES]


def _svg(name: str, draw: Callable[[Axes], None]) -> str:
    figure = Figure(figsize=SIZE, layout="constrained")
    axes = figure.subplots()
    draw(axes)
    if axes.get_legend_handles_labels()[0]:
        axes.legend(fontsize=7)
    axes.grid(alpha=0.3)
    return to_svg(name, figure)


def to_svg(name: str, figure: Figure) -> str:
    """Return a figure as inline SVG.

    Args:
        name: of the figure, unique on its page.
        figure: to draw.
    """
    out = StringIO()
    # Text stays text, and the salt makes ids unique on the page.
    with rc_context({"svg.fonttype": "none", "svg.hashsalt": name}):
        figure.savefig(out, format="svg", metadata={"Date": None})
    _, tag, rest = out.getvalue().partition("<svg")
    return tag + rest
