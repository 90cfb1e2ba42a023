"""The heat map of importance: shares, loss increases or changes of the cells."""

import numpy as np
from glasstape import Explanation, Heatmap, Importance, ImportanceEstimate, Model, PartImportance, Quantity
from glasstape.words import bar_labels, feature_name

from glasstape_qt.i18n import language, tr
from glasstape_qt.theme.appearance import Appearance
from glasstape_qt.views.detail.heatmap_content import HeatmapContent
from glasstape_qt.views.detail.heatmap_view import HeatmapView

FIGURES = ("share", "loss_increase", "change")
"""Figures that a map can show. The first has no sign."""


class ImportanceMap(HeatmapView):
    """Shows one figure of the cells; the tooltip of a cell has all of them."""

    def __init__(self, appearance: Appearance) -> None:
        super().__init__(appearance)
        self.setObjectName("importanceMap")
        self._cells: dict[tuple[int, int], PartImportance] = {}

    def show_importance(self, importance: Importance, model: Model, figure: str) -> None:
        """Show a figure of `FIGURES`; without windows, nothing."""
        self._cells = {(part.time_index or 0, part.feature_index or 0): part for part in importance.cells}
        self.show_content(content_of(importance, model, figure), "")

    def restyle(self) -> None:
        """Apply theme and language."""
        super().restyle()
        self.setAccessibleName(tr("importance.title"))

    def cell_description(self, bar: int, feature: int) -> str:
        """Return the tooltip of a cell: its figures with their intervals."""
        part, content = self._cells.get((bar, feature)), self.content
        if part is None or content is None or content.explanation.heatmap is None:
            return ""
        label = bar_labels((), content.explanation.heatmap.values.shape[0])
        lines = [f"{feature_name(part.feature, language())} · {label(bar)}"]
        lines += [
            f"{tr(f'importance.map.{figure}')}: {text}"
            for figure in FIGURES
            if (text := figure_text(part, figure))
        ]
        return "\n".join(lines)


def content_of(importance: Importance, model: Model, figure: str) -> HeatmapContent | None:
    """Return a map of a figure of the cells; None without windows, or if the figure was not measured."""
    values = importance.values(figure).astype(np.float32)
    if not values.size or np.isnan(values).all():
        return None
    values = 100 * values if figure in ("share", "change") else values
    quantity = Quantity.RELEVANCE if figure == "share" else Quantity.IMPORTANCE
    heatmap = Heatmap(
        values=np.nan_to_num(values), quantity=quantity, native_shape=importance.shape, upsampled=False
    )
    explanation = Explanation(
        prediction=None, method=importance.method, score_kind=importance.score, baseline=None, heatmap=heatmap,
        score=None, baseline_score=None, completeness_error=None, samples=0, target=None, foil=None, quality=None,
        drivers=(),
    )  # fmt: skip
    full = heatmap.full_color
    unit = tr(f"importance.unit.{figure}")
    low = "0" if figure == "share" else f"−{full:.3g} {unit}"
    digits = 4 if figure == "loss_increase" else 1
    legend = (low, f"{full:.3g} {unit}")
    return HeatmapContent(explanation, model, full_value=full, digits=digits, legend=legend)


def estimate_of(part: PartImportance, figure: str) -> ImportanceEstimate | None:
    """Return a figure of a part; None: not measured."""
    if figure == "change":
        return None if part.change is None else part.change.change
    return part.share if figure == "share" else part.loss_increase


def figure_text(part: PartImportance, figure: str) -> str:
    """Return a figure with its interval, and * for a significant change; "" if it was not measured."""
    estimate = estimate_of(part, figure)
    if estimate is None:
        return ""
    text = _number(estimate.value, figure)
    if estimate.low is not None and estimate.high is not None:
        text += f" ({_number(estimate.low, figure)} … {_number(estimate.high, figure)})"
    significant = figure == "change" and part.change is not None and part.change.significant
    return f"{text} *" if significant else text


def _number(value: float, figure: str) -> str:
    scaled, digits = (value, 4) if figure == "loss_increase" else (100 * value, 1)
    rounded = round(scaled, digits) + 0.0  # no "-0.0"
    return f"{rounded:.{digits}f}" if figure == "share" else f"{rounded:+.{digits}f}"
