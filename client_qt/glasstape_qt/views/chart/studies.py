"""Draws the selected studies: averages and bands over the candles, oscillators and features in panes below."""

from collections.abc import Mapping, Sequence
from datetime import datetime, tzinfo
from html import escape

import numpy as np
import pyqtgraph as pg
from glasstape import Bar, Direction
from glasstape.words import feature_name
from numpy.typing import NDArray
from PyQt6.QtCore import Qt
from PyQt6.QtGui import QColor
from PyQt6.QtWidgets import QApplication

from glasstape_qt.i18n import language, tr
from glasstape_qt.state import indicators
from glasstape_qt.state.chart_preferences import FEATURE_PREFIX, OVERLAYS, PANES
from glasstape_qt.theme.colors import Colors, Theme
from glasstape_qt.views.chart.panes import ChartPane, Panes
from glasstape_qt.views.chart.price_scale import PriceScale

Lines = dict[str, indicators.Values]
AVERAGES = {"ma5": 5, "ma20": 20, "ma60": 60, "ma120": 120}
EMA_LENGTH, VOLUME_LENGTH = 20, 20
TITLE_SHARE = 0.85
"""Size of the titles of panes, as a share of the text's."""
# Okabe & Ito (2008): distinct for every kind of color vision, and none is a direction's of the default palettes.
HUES = {
    "ma5": "#e69f00", "ma20": "#009e73", "ma60": "#cc79a7", "ma120": "#56b4e9", "ema20": "#d55e00",
    "vwap": "#0072b2", "bollinger": "#999999",
}  # fmt: skip


class StudyLayer:
    """Curves of the studies, by study and line."""

    def __init__(self, panes: Panes, scale: PriceScale) -> None:
        self._panes, self._scale = panes, scale
        self._curves: dict[tuple[str, str], tuple[ChartPane, pg.PlotDataItem]] = {}
        self.values: dict[str, Lines] = {}
        """Values of each shown study, by line, in the order of the bars."""

    def show(
        self,
        studies: Sequence[str],
        bars: Sequence[Bar],
        zone: tzinfo,
        features: Mapping[str, Mapping[datetime, float]],
        colors: Colors,
    ) -> None:
        """Draw studies over bars.

        Args:
            studies: names, as in the preferences.
            bars: bars of the chart.
            zone: zone whose days are the sessions of the volume-weighted price.
            features: value of each feature of the model by close time.
            colors: of curves.
        """
        panes = [f"{FEATURE_PREFIX}{name}" for name in features if f"{FEATURE_PREFIX}{name}" in studies]
        panes = [name for name in PANES if name in studies and name != "volume_average"] + panes
        self._panes.show(panes)
        shown = [name for name in studies if name in OVERLAYS or self._pane_of(name) is not None]
        self.values = {name: _lines(name, bars, zone, features) for name in shown}
        self._remove_others()
        for name, lines in self.values.items():
            for line, values in lines.items():
                self._draw(name, line, values, colors)

    def show_values(self, number: int, theme: Theme) -> str:
        """Title each pane with its studies and their values at a bar; return that as text."""
        titles: dict[str, list[str]] = {pane.name: [] for pane in self._panes}
        texts = []
        for name, lines in self.values.items():
            known = [values[number] for values in lines.values() if 0 <= number < len(values)]
            numbers = " / ".join(self._text(name, value) for value in known if np.isfinite(value))
            texts.append(f"{study_name(name)} {numbers}".strip())
            pane, color = self._pane_of(name), HUES.get(name, theme.muted)
            if pane is not None:
                titles[pane.name].append(f'<span style="color: {color}">{escape(texts[-1])}</span>')
        for pane in self._panes:
            pane.title.setText(
                "&nbsp; ".join(titles[pane.name]),
                size=f"{TITLE_SHARE * QApplication.font().pointSizeF():.1f}pt",
            )
        return "   ".join(texts)

    def range(self, name: str, first: int, last: int) -> tuple[float, float] | None:
        """Return the least and greatest value of a study between two positions; None: it has none there."""
        parts = [values[first:last] for values in self.values.get(name, {}).values()]
        known = np.concatenate(parts) if parts else np.empty(0)
        known = known[np.isfinite(known)]
        return (float(known.min()), float(known.max())) if len(known) else None

    def _text(self, name: str, value: float) -> str:
        if name in OVERLAYS:
            return f"{value:,.{self._scale.decimals}f}"
        return f"{value:,.0f}" if name.startswith("volume") else f"{value:.4g}"

    def _pane_of(self, name: str) -> ChartPane | None:
        if name in OVERLAYS:
            return self._panes.price
        return self._panes.get("volume" if name == "volume_average" else name)

    def _draw(self, name: str, line: str, values: indicators.Values, colors: Colors) -> None:
        key, pane = (name, line), self._pane_of(name)
        if pane is None:
            return
        if key not in self._curves:
            curve = pg.PlotDataItem(connect="finite", skipFiniteCheck=False)
            pane.plot.addItem(curve, ignoreBounds=True)
            self._curves[key] = (pane, curve)
        if name in OVERLAYS and self._scale.mode.value == "log":
            values = np.log10(np.where(values > 0, values, np.nan))
        dashed = line in ("signal", "lower", "upper", "mean")
        style = Qt.PenStyle.DashLine if dashed else Qt.PenStyle.SolidLine
        curve = self._curves[key][1]
        curve.setPen(pg.mkPen(_color(name, line, colors), width=1.3, style=style))
        curve.setData(np.arange(len(values)), values)

    def _remove_others(self) -> None:
        wanted = {(name, line) for name, lines in self.values.items() for line in lines}
        for key in [key for key in self._curves if key not in wanted]:
            pane, curve = self._curves.pop(key)
            pane.plot.removeItem(curve)


def study_name(name: str) -> str:
    """Return the name of a study in the selected language; that of a feature is the model's."""
    if name.startswith(FEATURE_PREFIX):
        return feature_name(name.removeprefix(FEATURE_PREFIX), language())
    return tr(f"study.{name}")


def _lines(
    name: str, bars: Sequence[Bar], zone: tzinfo, features: Mapping[str, Mapping[datetime, float]]
) -> Lines:
    close, volume = _column(bars, "close"), _column(bars, "volume")
    if name in AVERAGES:
        return {"": indicators.moving_average(close, AVERAGES[name])}
    match name:
        case "ema20":
            return {"": indicators.exponential_average(close, EMA_LENGTH)}
        case "vwap":
            days = [bar.close_time.astimezone(zone).date().toordinal() for bar in bars]
            high, low = _column(bars, "high"), _column(bars, "low")
            sessions = np.array(days, np.int64)
            return {"": indicators.volume_weighted_price(high, low, close, volume, sessions)}
        case "bollinger":
            return dict(zip(("lower", "middle", "upper"), indicators.bollinger_bands(close), strict=True))
        case "rsi":
            return {"": indicators.relative_strength(close)}
        case "macd":
            return dict(
                zip(("line", "signal", "histogram"), indicators.average_convergence(close), strict=True)
            )
        case "volume_average":
            return {"": indicators.moving_average(volume, VOLUME_LENGTH)}
        case "volume":
            return {}
    known = features[name.removeprefix(FEATURE_PREFIX)]
    return {"": np.array([known.get(bar.close_time, np.nan) for bar in bars], np.float64)}


def _column(bars: Sequence[Bar], name: str) -> NDArray[np.float64]:
    return np.array([getattr(bar, name) for bar in bars], np.float64)


def _color(name: str, line: str, colors: Colors) -> QColor:
    if name in HUES:
        return QColor(HUES[name])
    if line == "histogram":
        return colors.of(Direction.FLAT)
    return QColor(colors.theme.muted if line == "signal" else colors.theme.accent)
