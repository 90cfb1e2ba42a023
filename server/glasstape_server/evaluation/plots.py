"""The report's pictures, as SVG in the page."""

from collections.abc import Callable
from io import StringIO

from matplotlib import rc_context
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from glasstape_server.evaluation.baselines import RULES
from glasstape_server.evaluation.evaluate import KEPT_SHARES, Evaluation, Judged

SIZE = (7.0, 4.2)
"""Inches."""


def reliability(evaluation: Evaluation) -> str:
    """What was said against what came, of the winning class."""

    def draw(axes: Axes) -> None:
        points = [point for judged in _told(evaluation) for point in judged.reliability]
        if points:
            low = min(min(p.stated, p.realised) for p in points) - 0.02
            high = max(max(p.stated, p.realised) for p in points) + 0.02
            axes.plot([low, high], [low, high], color="grey", linestyle=":", label="perfect")
        for judged in _told(evaluation):
            axes.plot(
                [p.stated for p in judged.reliability], [p.realised for p in judged.reliability], marker="o",
                markersize=3, linewidth=1, label=judged.name,
            )  # fmt: skip
        axes.set_xlabel("said (confidence of the winner)")
        axes.set_ylabel("came true")

    return _svg("reliability", draw)


def coverage(evaluation: Evaluation) -> str:
    """Accuracy of the surest windows against how many they are."""

    def draw(axes: Axes) -> None:
        for judged in _told(evaluation):
            axes.plot(
                [kept.coverage for kept in judged.kept], [kept.accuracy for kept in judged.kept], marker="o",
                markersize=3, linewidth=1, label=judged.name,
            )  # fmt: skip
        axes.set_xscale("log")
        axes.set_xticks(KEPT_SHARES, [f"{share:.0%}" for share in KEPT_SHARES], minor=False)
        axes.set_xticks([], minor=True)
        axes.set_xlabel("share of windows kept")
        axes.set_ylabel("accuracy")

    return _svg("coverage", draw)


def gained(evaluation: Evaluation) -> str:
    """Log loss saved against the prior, with intervals."""

    def draw(axes: Axes) -> None:
        told = _told(evaluation)
        for number, judged in enumerate(told):
            found = judged.figures["log_loss_gained"]
            axes.plot([found.low, found.high], [number, number], color="tab:blue", linewidth=2)
            axes.plot([found.value], [number], marker="o", color="tab:blue")
        axes.axvline(0, color="grey", linestyle=":")
        axes.set_yticks(range(len(told)), [judged.name for judged in told])
        axes.set_xlabel("log loss saved against the class prior, nats")

    return _svg("gained", draw, legend=False)


def _told(evaluation: Evaluation) -> list[Judged]:
    return [judged for judged in evaluation.judged if judged.name not in RULES]


def _svg(name: str, draw: Callable[[Axes], None], *, legend: bool = True) -> str:
    figure = Figure(figsize=SIZE, layout="constrained")
    axes = figure.subplots()
    draw(axes)
    if legend and axes.get_legend_handles_labels()[0]:
        axes.legend(fontsize=7)
    axes.grid(alpha=0.3)
    out = StringIO()
    # Text stays text; the salt keeps ids of one picture apart from another's on the same page.
    with rc_context({"svg.fonttype": "none", "svg.hashsalt": name}):
        figure.savefig(out, format="svg", metadata={"Date": None})
    _, tag, rest = out.getvalue().partition("<svg")
    return tag + rest
