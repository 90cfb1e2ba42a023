"""What the price chart draws: panes, candles, studies, input window, markers, last price, lines and notes."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta, tzinfo

import pyqtgraph as pg
from glasstape import Bar, Direction
from glasstape.prices import bar_decimals
from PyQt6.QtCore import QRectF, pyqtSignal
from PyQt6.QtGui import QColor
from PyQt6.QtWidgets import QWidget

from glasstape_qt.i18n import tr
from glasstape_qt.state.chart_preferences import ChartPreferences
from glasstape_qt.state.symbol_detail import SymbolDetail
from glasstape_qt.state.time_frames import FramedBars, framed
from glasstape_qt.theme.appearance import Appearance
from glasstape_qt.views.chart.candle_pictures import PictureItem, draw_candles, draw_volumes, has_prices
from glasstape_qt.views.chart.chart_marks import ChartMarks
from glasstape_qt.views.chart.crosshair import Crosshair
from glasstape_qt.views.chart.last_price import LastPrice
from glasstape_qt.views.chart.panes import AXIS_WIDTH, ChartPane, Panes
from glasstape_qt.views.chart.price_scale import PriceScale, ScaleMode
from glasstape_qt.views.chart.signal_markers import SignalMarkers
from glasstape_qt.views.chart.studies import StudyLayer

RECENT = 200
"""Newest bars that the decimals of prices are taken from."""


class ChartCanvas(pg.GraphicsLayoutWidget):
    """Draws a `SymbolDetail`. Bars stand at x = 0, 1, …, oldest first."""

    signal_clicked = pyqtSignal(object)
    """Sequence of a past signal that was clicked."""
    preferences_changed = pyqtSignal()
    """The user changed lines or notes."""

    def __init__(
        self, appearance: Appearance, preferences: ChartPreferences, parent: QWidget | None = None
    ) -> None:
        super().__init__(parent)
        self._appearance, self.preferences = appearance, preferences
        self.detail: SymbolDetail | None = None
        self.zone: tzinfo = UTC
        self._time_steps = 0
        self.frame = ""
        """Time frame; "": the interval of the stored bars."""
        self.framed = FramedBars((), ())
        """The drawn bars."""
        self.positions: Mapping[datetime, int] = {}
        """Position of the drawn bar that contains each stored close time."""
        self.drawn: tuple[int, int] = (0, -1)
        """Positions of the first and last candle that is recorded."""
        self.price_scale = PriceScale()
        self.panes = Panes(self.ci, self.price_scale)
        self.crosshair = Crosshair(self.panes, self.price_scale, self.scene())
        self.panes.created = self._prepare
        price = self.panes.price
        self._prepare(price)
        self._candles, self._volumes = PictureItem(), PictureItem()
        self._forming, self._forming_volume = PictureItem(), PictureItem()
        self._window = pg.LinearRegionItem(movable=False)
        for item in (self._window, self._candles, self._forming):
            price.plot.addItem(item, ignoreBounds=True)
        self.studies = StudyLayer(self.panes, self.price_scale)
        self.markers = SignalMarkers(price, self.price_scale, self.signal_clicked.emit)
        self.last_price = LastPrice(price, self.price_scale, self.scene())
        self.marks = ChartMarks(price, self.price_scale, preferences, self.preferences_changed.emit)

    @property
    def count(self) -> int:
        """Number of drawn bars."""
        return len(self.framed.bars)

    def restyle(self) -> None:
        """Apply theme and language."""
        theme = self._appearance.theme
        self.setBackground(theme.base)
        self.setAccessibleName(tr("chart.title"))
        for pane in self.panes:
            self._style(pane)
        accent = QColor(theme.accent)
        accent.setAlpha(45)
        self._window.setBrush(accent)
        for line in self._window.lines:
            line.setPen(theme.accent)
        self.crosshair.restyle(theme)
        self.markers.restyle(theme.text)

    def draw(self, decimals: int | None) -> None:
        """Draw the detail again: its bars, studies, signals and marks."""
        detail = self.detail
        if detail is None:
            return
        bars = detail.shown_bars
        self.framed = framed(bars, self.frame or detail.interval, self.zone)
        self.positions = {
            bar.close_time: self.framed.position(number) for number, bar in enumerate(detail.bars)
        }
        self.price_scale.mode = ScaleMode(self.preferences.scale)
        shown = self.framed.bars
        known = bar_decimals(shown[-RECENT:]) if shown else 2
        self.price_scale.decimals = known if decimals is None else decimals
        self.studies.show(
            self.preferences.studies, shown, self.zone, detail.features, self._appearance.colors
        )
        for pane in self.panes:
            pane.time.bars, pane.time.zone = shown, self.zone
        self.markers.show(detail, shown, self.positions, self._appearance.colors)
        self.markers.show_horizon(detail.shown, detail, shown, self.positions)
        self.marks.show(detail.symbol, self.positions, self._appearance.theme)
        window = detail.input_window(self._time_steps)
        self._window.setVisible(window is not None)
        if window is not None:
            first, last = (self.framed.position(number) for number in window)
            self._window.setRegion((first - 0.5, last + 0.5))
        self.drawn = (0, -1)

    def show_last_price(self, left: timedelta | None) -> None:
        """Show the line of the last price; `left`: time until its bar closes, None: not known."""
        bars = self.framed.bars
        bar = bars[-1] if bars else None
        rising = bar is not None and bar.close >= bar.open
        color = self._appearance.colors.of(Direction.UP if rising else Direction.DOWN)
        self.last_price.show(bar.close if bar is not None else None, color, left)

    def draw_view(self) -> None:
        """Record the candles around the view, if it has left those that are recorded."""
        low, high = self.panes.price.view.viewRange()[0]
        first, last = max(0, int(low)), min(self.count - 1, int(high) + 1)
        if self.drawn[0] <= first and last <= self.drawn[1]:
            return
        margin = last - first
        first, last = max(0, first - margin), min(self.count - 1, last + margin)
        self.drawn = (first, last)
        drawn = [(n, self.framed.bars[n]) for n in range(first, last + 1)]
        bars = [(n, bar) for n, bar in drawn if has_prices(bar) and not bar.provisional]
        self._record(bars, self._candles, self._volumes)
        self.draw_forming()

    def draw_forming(self) -> None:
        """Record the bar that still forms, apart from the others: it changes several times a second."""
        bar = self.framed.bars[-1] if self.count else None
        forming = bar is not None and bar.provisional and has_prices(bar)
        self._record(
            [(self.count - 1, bar)] if forming and bar is not None else [],
            self._forming,
            self._forming_volume,
        )

    def update_forming(self, bar: Bar) -> bool:
        """Show new values of the forming bar; return False if the whole chart has to be drawn again for it."""
        known = self.framed.bars[-1] if self.count else None
        if (
            known is None
            or not known.provisional
            or bar.close_time != known.close_time
            or self.frame not in ("", bar.interval)
        ):
            return False
        self.framed = FramedBars([*self.framed.bars[:-1], bar], self.framed.last)
        for pane in self.panes:
            pane.time.bars = self.framed.bars
        self.draw_forming()
        return True

    def _record(self, bars: Sequence[tuple[int, Bar]], candles: PictureItem, volumes: PictureItem) -> None:
        up, down = (self._appearance.colors.of(d) for d in (Direction.UP, Direction.DOWN))
        low = min((self.price_scale.to_y(bar.low) for _, bar in bars), default=0.0)
        high = max((self.price_scale.to_y(bar.high) for _, bar in bars), default=1.0)
        left, right = (bars[0][0] - 1, bars[-1][0] + 1) if bars else (0, 1)
        area = QRectF(left, low, right - left, max(high - low, 1e-12))
        candles.set_picture(draw_candles(bars, up, down, self.price_scale), area)
        most = max((bar.volume for _, bar in bars), default=1.0)
        volumes.set_picture(draw_volumes(bars, up, down), QRectF(left, 0, right - left, most or 1.0))

    def fit_height(self) -> None:
        """Scale each pane to the bars in view, unless the user has zoomed its height."""
        low, high = self.panes.price.view.viewRange()[0]
        first, last = max(0, int(low)), max(1, int(high) + 1)
        bars = [bar for bar in self.framed.bars[first:last] or self.framed.bars[-1:] if has_prices(bar)]
        if not bars:
            return
        self.price_scale.base = bars[0].close or 1.0
        for pane in self.panes:
            if pane.view.height_follows:
                values = self._values_in_view(pane, bars, first, last)
                if values is not None:
                    _set_height(pane, *values)

    def _values_in_view(
        self, pane: ChartPane, bars: Sequence[Bar], first: int, last: int
    ) -> tuple[float, float] | None:
        if pane is self.panes.price:
            return self.price_scale.to_y(min(b.low for b in bars)), self.price_scale.to_y(
                max(b.high for b in bars)
            )
        if pane.name == "volume":
            return 0.0, max(bar.volume for bar in bars) or 1.0
        return self.studies.range(pane.name, first, last)

    def _prepare(self, pane: ChartPane) -> None:
        """Give a new pane its crosshair and look."""
        self.crosshair.add_pane(pane)
        if pane.name == "volume":
            for item in (self._volumes, self._forming_volume):
                pane.plot.addItem(item, ignoreBounds=True)
        self._style(pane)

    def _style(self, pane: ChartPane) -> None:
        pane.restyle(self._appearance.theme, round(AXIS_WIDTH * self._appearance.zoom))


def _set_height(pane: ChartPane, bottom: float, top: float) -> None:
    padding = (top - bottom) * 0.1 or abs(top) * 0.01 or 1.0
    pane.view.setYRange(0 if pane.name == "volume" else bottom - padding, top + padding, padding=0)
