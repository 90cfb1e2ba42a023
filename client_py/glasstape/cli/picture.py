"""Heat maps as PNG or SVG, with matplotlib."""

import logging
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, tzinfo
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from glasstape import Explanation, Model
from glasstape.cli.render import bar_spans, feature_spans, native_label, quantity_label, verdict_label

if TYPE_CHECKING:
    from matplotlib.axes import Axes

COLORS = "PRGn"
"""ColorBrewer's purple to green, centered at 0: safe for color blindness, and neither red nor blue as in markets."""
FONTS = ["DejaVu Sans", "Noto Sans CJK KR", "Malgun Gothic", "Apple SD Gothic Neo", "NanumGothic"]
COLUMNS = 4
STABLE = 0.8
"""Sign stability below which a cell is hatched."""


@dataclass(frozen=True)
class Picture:
    """One map to draw."""

    title: str
    explanation: Explanation
    model: Model
    zone: tzinfo = UTC
    """Time zone of the exchange, for the names of bars."""
    outlined: np.ndarray[tuple[int, int], np.dtype[np.bool_]] | None = None
    """Cells (time, feature) to outline."""


def save(path: Path, pictures: Sequence[Picture], title: str) -> None:
    """Draw maps side by side, each scaled to its own peak, and write a .png or .svg file.

    A map that is coarser than the window is drawn at its native shape.
    """
    import matplotlib
    from matplotlib.figure import Figure

    columns = min(COLUMNS, len(pictures))
    rows = -(-len(pictures) // columns)
    style: Any = {"font.family": FONTS, "svg.hashsalt": "glasstape", "hatch.linewidth": 0.4}
    with matplotlib.rc_context(style), _quiet_fonts():
        figure = Figure(figsize=(3.6 * columns, 3.1 * rows + 0.4), layout="constrained")
        figure.suptitle(title, fontsize=11, parse_math=False)  # a symbol may hold dollar signs
        figure.supxlabel(
            "green: for, purple: against (importance, sensitivity: what an increase counts for); relevance is "
            "unsigned; each map scaled to its own peak",
            fontsize=7,
        )
        axes = np.atleast_1d(figure.subplots(rows, columns)).ravel()
        for axis, picture in zip(axes, pictures, strict=False):
            _draw(axis, picture)
        for axis in axes[len(pictures) :]:
            axis.axis("off")
        metadata = {"Date": None} if path.suffix.lower() == ".svg" else {}
        figure.savefig(path, dpi=130, metadata=metadata)


def _draw(axis: "Axes", picture: Picture) -> None:
    explanation = picture.explanation
    heatmap = explanation.heatmap
    if heatmap is None:
        axis.axis("off")
        return
    native, peak = heatmap.native_comparable, heatmap.full_color
    edges = [np.array(part, dtype=float) for part in heatmap.edges]
    axis.pcolormesh(
        edges[0], edges[1], native.T, cmap=COLORS, vmin=-peak, vmax=peak, edgecolors="white", linewidth=0.6
    )
    axis.invert_yaxis()
    axis.set_xticks((edges[0][:-1] + edges[0][1:]) / 2, bar_spans(explanation, picture.zone), fontsize=6)
    names = feature_spans(explanation, picture.model)
    axis.set_yticks((edges[1][:-1] + edges[1][1:]) / 2, names, fontsize=6)
    axis.tick_params(length=0)
    if heatmap.sign_stability is not None and not heatmap.upsampled:
        for time, feature in np.argwhere(heatmap.sign_stability < STABLE):
            _box(axis, int(time), int(feature), fill=False, hatch="////", linewidth=0, edgecolor="#777777")
    if picture.outlined is not None:
        for time, feature in np.argwhere(picture.outlined):
            _box(axis, int(time), int(feature), fill=False, edgecolor="#222222", linewidth=1.4)
    facts = [native_label(explanation), f"{quantity_label(heatmap)} ±{peak:.3g}", verdict_label(explanation)]
    axis.set_title(
        f"{picture.title}\n{' · '.join(fact for fact in facts if fact)}",
        fontsize=7,
        parse_math=False,
    )


def _box(axis: "Axes", time: int, feature: int, **style: object) -> None:
    from matplotlib.patches import Rectangle

    axis.add_patch(Rectangle((time, feature), 1, 1, **style))  # type: ignore[arg-type]


@contextmanager
def _quiet_fonts() -> Iterator[None]:
    """Silence matplotlib's log entry for each font of the list that is not installed."""
    log = logging.getLogger("matplotlib.font_manager")
    level = log.level
    log.setLevel(logging.ERROR)
    try:
        yield
    finally:
        log.setLevel(level)
