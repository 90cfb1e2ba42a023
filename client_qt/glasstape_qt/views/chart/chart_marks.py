"""Horizontal lines and notes that the user draws; they stay until they are removed."""

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime

import pyqtgraph as pg
from glasstape import Bar
from PyQt6.QtCore import QPointF

from glasstape_qt.state.chart_preferences import ChartMark, ChartPreferences
from glasstape_qt.theme.colors import Theme
from glasstape_qt.views.chart.panes import ChartPane
from glasstape_qt.views.chart.price_scale import PriceScale

NEAR = 12
"""Pixels within which a mark counts as the one under the mouse."""


class ChartMarks:
    """Lines and notes of one symbol, stored in the preferences.

    Args:
        pane: of the candles.
        scale: of the candles.
        preferences: edited in place.
        changed: called after each change.
    """

    def __init__(
        self, pane: ChartPane, scale: PriceScale, preferences: ChartPreferences, changed: Callable[[], object]
    ) -> None:
        self._pane, self._scale, self._preferences, self._changed = pane, scale, preferences, changed
        self._symbol = ""
        self._items: list[tuple[ChartMark, pg.GraphicsObject]] = []
        self._positions: Mapping[datetime, int] = {}
        self._theme: Theme | None = None

    @property
    def marks(self) -> Sequence[ChartMark]:
        """Lines and notes of the shown symbol."""
        return self._preferences.marks.get(self._symbol, [])

    def show(self, symbol: str, positions: Mapping[datetime, int], theme: Theme) -> None:
        """Draw the marks of a symbol; notes of bars that are not loaded wait until they are."""
        self._symbol, self._positions, self._theme = symbol, positions, theme
        for _, item in self._items:
            self._pane.plot.removeItem(item)
        self._items = [(mark, item) for mark in self.marks if (item := self._item(mark, theme)) is not None]
        for _, item in self._items:
            self._pane.plot.addItem(item, ignoreBounds=True)

    def add(self, price: float, bar: Bar | None, text: str = "") -> None:
        """Add a note at a bar; without one, a horizontal line."""
        mark = ChartMark(
            price=price, time=bar.close_time if bar is not None else None, text=text.strip()[:200]
        )
        self._store([*self.marks, mark])

    def nearest(self, scene_point: QPointF) -> ChartMark | None:
        """Return the mark within `NEAR` pixels of a point of the scene; None if there is none."""
        near = [(self._distance(mark, scene_point), mark) for mark, _ in self._items]
        return min((pair for pair in near if pair[0] <= NEAR), key=lambda pair: pair[0], default=(0, None))[1]

    def remove(self, mark: ChartMark) -> None:
        """Remove a line or note."""
        self._store([known for known in self.marks if known is not mark])

    def _store(self, marks: list[ChartMark]) -> None:
        everything = {**self._preferences.marks, self._symbol: marks}
        self._preferences.marks = {symbol: kept for symbol, kept in everything.items() if kept}
        if self._theme is not None:
            self.show(self._symbol, self._positions, self._theme)
        self._changed()

    def _item(self, mark: ChartMark, theme: Theme) -> pg.GraphicsObject | None:
        if mark.time is None:
            label = f"{mark.price:,.{self._scale.decimals}f} {mark.text}".strip()
            options = {"position": 0.02, "color": theme.text, "fill": theme.base, "anchors": [(0, 1), (0, 1)]}
            line = pg.InfiniteLine(
                pos=self._scale.to_y(mark.price), angle=0, movable=True, pen=pg.mkPen(theme.accent, width=1.5),
                label=label.replace("{", "{{").replace("}", "}}"), labelOpts=options,
            )  # fmt: skip
            line.sigPositionChangeFinished.connect(lambda moved: self._moved(mark, moved.value()))
            return line
        number = self._positions.get(mark.time)
        if number is None:
            return None
        note = pg.TextItem(mark.text, color=theme.text, fill=theme.warning, border=theme.line, anchor=(0, 1))
        note.setPos(number, self._scale.to_y(mark.price))
        return note

    def _moved(self, mark: ChartMark, y: float) -> None:
        moved = mark.model_copy(update={"price": self._scale.to_price(y)})
        self._store([moved if known is mark else known for known in self.marks])

    def _distance(self, mark: ChartMark, scene_point: QPointF) -> float:
        number = self._positions.get(mark.time, 0) if mark.time is not None else 0
        place = self._pane.view.mapViewToScene(QPointF(number, self._scale.to_y(mark.price)))
        vertical: float = abs(place.y() - scene_point.y())
        return vertical if mark.time is None else max(vertical, abs(place.x() - scene_point.x()))
