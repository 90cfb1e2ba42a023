"""Signals and heat maps as text, with rich."""

from collections.abc import Sequence
from datetime import datetime

import numpy as np
from rich.table import Table
from rich.text import Text

from glasstape import Confidence, Direction, Explanation, Model

ARROWS = {Direction.DOWN: "▼", Direction.FLAT: "■", Direction.UP: "▲"}
STYLES = {Direction.DOWN: "blue", Direction.FLAT: "bright_black", Direction.UP: "red"}
BAR_CELLS = 12


def confidence_bar(value: float, low: float, high: float) -> Text:
    """A probability as a bar from the base rate to the top of the model's ramp, with its number."""
    filled = round(BAR_CELLS * min(1.0, max(0.0, (value - low) / max(high - low, 1e-9))))
    return Text.assemble(
        ("█" * filled, "red"), ("░" * (BAR_CELLS - filled), "bright_black"), f" up {value:.1%}"
    )


def direction_text(confidence: Confidence) -> Text:
    """Arrow and name of the winner; dim when abstained."""
    direction = confidence.direction
    style = f"dim {STYLES[direction]}" if confidence.abstained else f"bold {STYLES[direction]}"
    return Text(
        f"{ARROWS[direction]} {direction.name}{' (abstained)' if confidence.abstained else ''}",
        style,
    )


def heatmap_table(
    explanation: Explanation, model: Model, times: Sequence[datetime] = (), title: str = ""
) -> Table:
    """A map as a coloured grid: features down, bars across, the newest on the right.

    Green supports the explained class, purple speaks against it; the colour is full at the map's
    largest cell, whose number is printed with all others.
    """
    table = Table(title=title, title_justify="left", padding=(0, 1), show_edge=False)
    table.add_column("feature", no_wrap=True)
    heatmap = explanation.heatmap
    if heatmap is None:
        return table
    steps = heatmap.values.shape[0]
    clocks = {f"{moment:%H:%M}" for moment in times}
    labels = [f"{moment:%m-%d}" if len(clocks) <= 2 else f"{moment:%d. %H:%M}" for moment in times[-steps:]]
    if len(labels) != steps:
        labels = [f"t-{steps - 1 - step}" if step < steps - 1 else "t" for step in range(steps)]
    for label in labels:
        table.add_column(label, justify="right", no_wrap=True)
    peak = float(np.abs(heatmap.values).max()) or 1.0
    for column, feature in enumerate(model.features):
        cells = [_cell(float(value), peak) for value in heatmap.values[:, column]]
        table.add_row(feature.name, *cells)
    return table


def caption(explanation: Explanation) -> str:
    """What a map explains, how, and how far it can be trusted."""
    against = f" against {explanation.foil.name}" if explanation.foil is not None else ""
    target = explanation.target.name if explanation.target is not None else "?"
    text = f"{explanation.method.value} of the {explanation.score_kind.value} for {target}{against}"
    if explanation.heatmap is not None:
        text += f": {explanation.heatmap.quantity.value}"
    if explanation.score is not None:
        text += f"; score {explanation.score:+.4f}"
    if explanation.baseline_score is not None:
        text += f", baseline score {explanation.baseline_score:+.4f}"
    if explanation.completeness_error is not None:
        text += f", completeness error {explanation.completeness_error:.1e}"
    if explanation.quality is not None:
        text += f"; {explanation.quality.verdict.value}: {'; '.join(explanation.quality.reasons)}"
    return text


def _cell(value: float, peak: float) -> Text:
    strength = min(1.0, abs(value) / peak)
    # Between black and a green or purple of equal lightness: neither market convention is touched.
    full = (40, 150, 60) if value >= 0 else (150, 60, 180)
    red, green, blue = (round(channel * strength) for channel in full)
    return Text(f"{value:+.3f}", f"white on rgb({red},{green},{blue})")
