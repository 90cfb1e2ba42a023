"""Texts of a heat map: names of features, and the description of a cell."""

from glasstape import Heatmap, Model, Quantity
from glasstape.words import bar_labels, feature_name

from glasstape_qt.i18n import language, tr
from glasstape_qt.views.detail.heatmap_content import HeatmapContent


def feature_names(model: Model) -> list[str]:
    """Return the names of a model's features in the selected language, in the order of its spec."""
    return [feature_name(feature.name, language()) for feature in model.features]


def cell_description(content: HeatmapContent, bar: int, feature: int) -> str:
    """Return one cell in lines: feature and bar, value with z-score, the map's value, resolution, help."""
    explanation, spec = content.explanation, content.model.features[feature]
    heatmap = explanation.heatmap
    if heatmap is None:
        return ""
    label = bar_labels(explanation.bar_close_times, heatmap.values.shape[0], content.zone)
    lines = [f"{feature_name(spec.name, language())} · {label(bar)}"]
    if explanation.window is not None:
        value = float(explanation.window[bar, feature])
        z = (value - spec.mean) / (spec.standard_deviation or 1.0)
        lines.append(tr("heatmap.value", value=f"{value:.4g}", z=f"{z:+.2f}"))
    lines += _values(heatmap, bar, feature)
    if heatmap.native_shape != heatmap.values.shape:
        lines.append(tr("heatmap.resolution", rows=heatmap.native_shape[0], columns=heatmap.native_shape[1]))
    if spec.description:
        lines.append(spec.description)
    return "\n".join(lines)


def _values(heatmap: Heatmap, bar: int, feature: int) -> list[str]:
    """Return a cell's value; where colors show it in units of another, also that one."""
    quantity = tr(f"quantity.{heatmap.quantity.value}")
    raw = float(heatmap.values[bar, feature])
    if heatmap.feature_scale is None:
        return [f"{quantity}: {raw:+.4f}"]
    comparable = float(heatmap.comparable[bar, feature])
    change = heatmap.quantity is Quantity.CHANGE
    return [
        tr(
            "heatmap.deviations" if change else "heatmap.per_deviation",
            quantity=quantity,
            value=f"{comparable:+.4f}",
        ),
        tr("heatmap.raw_change" if change else "heatmap.raw", value=f"{raw:+.4g}"),
    ]
