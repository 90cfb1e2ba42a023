"""Signals and heat maps as text, with rich."""

from collections.abc import Callable, Sequence
from datetime import UTC, tzinfo
from itertools import pairwise

import numpy as np
from rich.console import Console, ConsoleOptions, Group, RenderResult
from rich.measure import Measurement
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from glasstape import Confidence, Direction, Explanation, Heatmap, Model, Quantity
from glasstape.words import bar_labels

ARROWS = {Direction.DOWN: "▼", Direction.FLAT: "■", Direction.UP: "▲"}
STYLES = {Direction.DOWN: "blue", Direction.FLAT: "bright_black", Direction.UP: "red"}
BAR_CELLS = 12
NUMBERED_BARS = 20
"""Bars of a small map up to which its cells have numbers."""


def confidence_bar(value: float, low: float, high: float) -> Text:
    """Return a probability as a bar from `low` (empty) to `high` (full), with its number."""
    filled = round(BAR_CELLS * min(1.0, max(0.0, (value - low) / max(high - low, 1e-9))))
    return Text.assemble(
        ("█" * filled, "red"), ("░" * (BAR_CELLS - filled), "bright_black"), f" up {value:.1%}"
    )


def missing_text(missing_bars: int, missing_symbols: int = 0) -> str:
    """Return the numbers of bars and symbols missing in a window, with two blanks before them; "" without any."""
    counts = ((missing_bars, "bar"), (missing_symbols, "symbol"))
    parts = [f"{count:,} {noun if count == 1 else noun + 's'}" for count, noun in counts if count]
    return f"  {' and '.join(parts)} missing" if parts else ""


def rank_text(rank_score: float | None, close_rank: int | None = None, close_size: int | None = None) -> str:
    """Return the place within the close, or else the rank score; "" without a rank head."""
    if close_rank is not None:
        return f"{close_rank} / {close_size}"
    return "" if rank_score is None else f"{rank_score:+.3f}"


def direction_text(confidence: Confidence) -> Text:
    """Return arrow and name of the winning class; dim if abstained."""
    direction = confidence.direction
    style = f"dim {STYLES[direction]}" if confidence.abstained else f"bold {STYLES[direction]}"
    return Text(
        f"{ARROWS[direction]} {direction.name}{' (abstained)' if confidence.abstained else ''}",
        style,
    )


class HeatmapTable:
    """A map as a colored grid: a row per feature, a column per bar, the newest on the right.

    Green is for the explained class, purple against it; the color is full at the map's largest cell. A map that is
    coarser than the window is drawn at its native shape. Bars that do not fit into the width follow below. Without
    `names`, the rows are those of a table beside it.
    """

    def __init__(
        self,
        explanation: Explanation,
        model: Model,
        title: str = "",
        zone: tzinfo = UTC,
        *,
        names: bool = True,
    ) -> None:
        self._heatmap, self._title, self._names = explanation.heatmap, title, names
        self._bars, self._features = bar_spans(explanation, zone), feature_spans(explanation, model)

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        """Yield one table, or several below each other."""
        first = 0
        while first < len(self._bars) or not first:
            end = first + 1
            while end < len(self._bars) and self._width(range(first, end + 1)) <= options.max_width:
                end += 1
            yield self._table(range(first, min(end, len(self._bars))), self._title if not first else "")
            first = end

    def __rich_measure__(self, console: Console, options: ConsoleOptions) -> Measurement:
        """Return the width of the whole map in one table."""
        width = max(self._width(range(len(self._bars))), len(self._title))
        return Measurement(width, width)

    def _width(self, bars: range) -> int:
        names = max(map(len, self._features), default=0) + 2 if self._names else 0
        return names + sum(max(len(self._bars[bar]), 6) + 3 for bar in bars)

    def _table(self, bars: range, title: str) -> Table:
        table = Table(title=Text(title), title_justify="left", padding=(0, 1), show_edge=False)
        if self._names:
            table.add_column("feature", no_wrap=True)
        if self._heatmap is None:
            return table
        for bar in bars:
            table.add_column(self._bars[bar], justify="right", no_wrap=True)
        native, peak = self._heatmap.native_comparable, self._heatmap.full_color
        for column, name in enumerate(self._features):
            cells = (_cell(float(native[bar, column]), peak) for bar in bars)
            table.add_row(*([name] if self._names else []), *cells)
        return table


def small_map(explanation: Explanation, model: Model, title: str) -> Panel:
    """A map with three characters a bar, for many beside each other; of many bars, one character without a number.

    Colors and numbers (tenths) run from minus the map's own peak to plus its own peak, which is printed.
    """
    heatmap = explanation.heatmap
    if heatmap is None:
        return Panel(Text("no map"), title=title)
    native, peak = heatmap.native_comparable, heatmap.full_color
    rows, columns = (np.repeat(np.arange(len(edges) - 1), np.diff(edges)) for edges in heatmap.edges)
    lines = []
    labels = short_names([feature.name for feature in model.features])
    widest, cell = max(7, *map(len, labels)), 3 if len(rows) <= NUMBERED_BARS else 1
    for feature, column in enumerate(columns):
        line = Text(f"{labels[feature]:<{widest}}")
        for bar, row in enumerate(rows):
            # A block has one number, in its first cell.
            first = bar in heatmap.edges[0] and feature in heatmap.edges[1]
            line.append(_tenths(float(native[row, column]), peak, cell, numbered=first and cell == 3))
        lines.append(line)
    lines.append(Text(f"{quantity_label(heatmap)} ±{peak:.3g}", "dim"))
    lines.append(Text(native_label(explanation), "dim"))
    lines.append(Text(verdict_label(explanation), "dim"))
    return Panel(Group(*lines), title=title, width=max(cell * len(rows) + widest + 4, 26), padding=(0, 1))


def short_names(names: Sequence[str]) -> list[str]:
    """Return names of up to about eleven characters that differ.

    The first word; three letters of each word where two first words are equal; the name where these are equal, too.
    """
    first = [name.split("_")[0][:7] for name in names]
    letters = [name if "_" not in name else "_".join(word[:3] for word in name.split("_")) for name in names]
    return [
        first[n] if first.count(first[n]) == 1 else letters[n] if letters.count(letters[n]) == 1 else name
        for n, name in enumerate(names)
    ]


def quantity_label(heatmap: Heatmap) -> str:
    """Return what the numbers of a picture are, with the unit that makes features comparable."""
    if heatmap.feature_scale is None:
        return heatmap.quantity.value
    unit = "in standard deviations" if heatmap.quantity is Quantity.CHANGE else "per standard deviation"
    return f"{heatmap.quantity.value} {unit}"


def verdict_label(explanation: Explanation) -> str:
    """Return the verdict on a map with the trust in it, for example "caution, trust 0.62"; "" without a check."""
    quality = explanation.quality
    if quality is None:
        return ""
    trust = "" if quality.trust is None else f", trust {quality.trust.value:.2f}"
    return f"{quality.verdict.value}{trust}"


def native_label(explanation: Explanation) -> str:
    """Return a map's native shape, for example "6×8" or "6×1: bars only"."""
    heatmap = explanation.heatmap
    if heatmap is None:
        return ""
    bars, features = heatmap.native_shape
    text = f"{bars}×{features}"
    if heatmap.native_shape == heatmap.values.shape:
        return text
    if features == 1:
        return f"{text}: bars only"
    return f"{text}: features only" if bars == 1 else f"{text}: blocks"


def bar_spans(explanation: Explanation, zone: tzinfo = UTC) -> list[str]:
    """Return the names of a map's native rows: bars, or ranges of bars."""
    if explanation.heatmap is None:
        return []
    steps = explanation.heatmap.values.shape[0]
    label = bar_labels(explanation.bar_close_times, steps, zone)
    return [_span(first, end - 1, label) for first, end in pairwise(explanation.heatmap.edges[0])]


def feature_spans(explanation: Explanation, model: Model) -> list[str]:
    """Return the names of a map's native columns: features, or ranges of features."""
    if explanation.heatmap is None:
        return []
    names = [feature.name for feature in model.features]
    runs = list(pairwise(explanation.heatmap.edges[1]))
    if len(runs) == 1:
        return ["(all features)"]
    return [_span(first, end - 1, lambda row: names[row]) for first, end in runs]


def _span(first: int, last: int, label: Callable[[int], str]) -> str:
    return label(first) if first == last else f"{label(first)} … {label(last)}"


def caption(explanation: Explanation) -> str:
    """Return method, target, quantity, score and verdict of an explanation in one line."""
    against = f" against {explanation.foil.name}" if explanation.foil is not None else ""
    target = explanation.target.name if explanation.target is not None else "?"
    text = f"{explanation.method.value} of the {explanation.score_kind.value} for {target}{against}"
    if explanation.heatmap is not None:
        text += f": {quantity_label(explanation.heatmap)} at {native_label(explanation)}"
        if explanation.heatmap.quantity in (Quantity.IMPORTANCE, Quantity.SENSITIVITY):
            text += f" (+: an increase counts for {target})"
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
    return Text(f"{value:+.3f}", f"white {_background(value, peak)}")


def _tenths(value: float, peak: float, width: int, *, numbered: bool) -> Text:
    share = round(10 * value / peak) if np.isfinite(value) else 0
    number = f"{share:+3d}" if share else "  ·"
    return Text(number if numbered else " " * width, f"white {_background(value, peak)}")


def _background(value: float, peak: float) -> str:
    strength = min(1.0, abs(value) / peak) if np.isfinite(value) else 0.0
    # From black to a green or purple of equal lightness, which no market convention uses.
    full = (40, 150, 60) if value >= 0 else (150, 60, 180)
    red, green, blue = (round(channel * strength) for channel in full)
    return f"on rgb({red},{green},{blue})"
