"""The price chart: moved, zoomed and read with mouse and keyboard."""

from datetime import datetime, tzinfo
from pathlib import Path
from typing import Any

from PyQt6.QtCore import QEvent, QPoint, QPointF, Qt, pyqtSignal
from PyQt6.QtGui import QContextMenuEvent, QKeyEvent
from PyQt6.QtWidgets import QWidget

from glasstape_qt.i18n import tr
from glasstape_qt.state.chart_preferences import ChartPreferences
from glasstape_qt.state.symbol_detail import SymbolDetail
from glasstape_qt.theme.appearance import Appearance
from glasstape_qt.views.chart.bar_text import bar_text, signal_text
from glasstape_qt.views.chart.chart_keys import KeyedChart, handle_key
from glasstape_qt.views.chart.chart_picture import save_picture

MARGIN_BARS = 3.5
"""Empty bars right of the newest one."""
EMPTY_BARS = 20
"""Empty bars that the view can show beside the oldest and the newest bar."""
LOAD_BEFORE = 30
"""Older bars are requested when fewer than this many are left of the view."""


class CandleChart(KeyedChart):
    """Shows a `SymbolDetail`; its hovered bar is linked with that of the heat map."""

    bar_described = pyqtSignal(str)
    """Text of the bar under the mouse, else of the newest."""
    moved = pyqtSignal()
    """The user moved the view."""
    older_wanted = pyqtSignal()
    """The view nears the oldest bar."""
    menu_requested = pyqtSignal(QPoint, QPointF)
    """Global position of a context menu, and its position in the scene."""

    def __init__(
        self,
        appearance: Appearance,
        preferences: ChartPreferences | None = None,
        parent: QWidget | None = None,
    ) -> None:
        super().__init__(appearance, preferences or ChartPreferences(), parent)
        self.setObjectName("candleChart")
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self._following = True
        self._decimals: int | None = None
        self._oldest: datetime | None = None
        self.scene().sigMouseClicked.connect(self._scene_clicked)
        self.scene().sigMouseMoved.connect(self._mouse_moved)
        view = self.panes.price.view
        view.sigRangeChangedManually.connect(self._range_changed)
        view.sigXRangeChanged.connect(self._x_changed)
        view.sigYRangeChanged.connect(self._y_changed)
        view.sigResized.connect(self._y_changed)
        appearance.changed.connect(self.restyle)
        self.restyle()

    @property
    def following(self) -> bool:
        """Whether the view moves with new bars."""
        return self._following

    @property
    def highlighted_bar(self) -> int:
        """Index of the stored bar with the cursor line; -1: none."""
        number = self.crosshair.bar
        return self.framed.last[number] if 0 <= number < self.count else -1

    @property
    def input_window(self) -> tuple[int, int] | None:
        """Indexes of the first and last drawn bar that are marked as the model's input."""
        if not self._window.isVisible():
            return None
        low, high = self._window.getRegion()
        return round(low + 0.5), round(high - 0.5)

    @property
    def price_range(self) -> tuple[float, float]:
        """Lowest and highest price of the view."""
        low, high = self.panes.price.view.viewRange()[1]
        return self.price_scale.to_price(low), self.price_scale.to_price(high)

    @property
    def marker_symbols(self) -> dict[int, str]:
        """pyqtgraph's symbol of each past signal's marker, by sequence."""
        return {spot.data(): spot.symbol() for spot in self.markers.items.points()}

    def marker_position(self, sequence: int) -> QPoint:
        """Return the position of a past signal's marker, in coordinates of the viewport."""
        position: QPoint = self.mapFromScene(self.markers.position(sequence))
        return position

    def restyle(self) -> None:
        """Apply theme and language."""
        super().restyle()
        self.refresh()

    def show_detail(
        self, detail: SymbolDetail, zone: tzinfo, time_steps: int, decimals: int | None = None
    ) -> None:
        """Show bars and signals.

        Args:
            detail: bars, signals and outcomes.
            zone: time zone of the axis.
            time_steps: length of the model's input, in bars.
            decimals: decimals of prices; None: those that the prices have.
        """
        first = self.detail is not detail
        self.detail, self.zone, self._time_steps, self._decimals = detail, zone, time_steps, decimals
        self._following = self._following or first
        self.refresh()

    def refresh(self) -> None:
        """Draw the detail again, after its bars or the preferences have changed."""
        before, oldest = self.count, self._oldest
        self.draw(self._decimals)
        self._oldest = self.framed.bars[0].close_time if self.count else None
        view = self.panes.price.view
        view.setLimits(xMin=-EMPTY_BARS, xMax=self.count + EMPTY_BARS)
        if self._following:
            self.follow()
        elif oldest is not None and self._oldest is not None and self._oldest < oldest:
            added = self.count - before  # older bars have arrived: keep the same ones in view
            low, high = self.visible_range
            view.setXRange(low + added, high + added, padding=0)
        self.setMinimumHeight(round(self.panes.minimum_height * self._appearance.zoom))
        self.draw_view()
        self.fit_height()
        self.show_last_price(None)
        self._describe(self.crosshair.bar)

    def follow(self) -> None:
        """Show the newest bars, and follow new ones."""
        self._following = True
        right = max(self.count, self._time_steps, 1) + MARGIN_BARS
        shown = min(self.preferences.bars, max(self.count, 20))
        self.panes.price.view.setXRange(max(-1.0, self.count - shown - 0.5), right, padding=0)

    def show_bars(self, count: int) -> None:
        """Show this many of the newest bars."""
        self.preferences.bars = count
        self.follow()
        self.moved.emit()

    def set_frame(self, frame: str) -> None:
        """Show another time frame; "" is the interval of the stored bars."""
        self.frame, self._following = frame, True
        self.reset_height()

    def reset_height(self) -> None:
        """Let the height of every pane fit the bars again."""
        for pane in self.panes:
            pane.view.height_follows = True
        self.refresh()

    def highlight(self, index: int) -> None:
        """Mark a stored bar that is hovered elsewhere; -1: none."""
        self.crosshair.show_bar(self.framed.position(index) if index >= 0 else -1)
        self._describe(self.crosshair.bar)

    def mark_position(self, number: int) -> None:
        """Mark a drawn bar with the keyboard's crosshair, and bring it into view."""
        number = min(max(number, 0), self.count - 1)
        self.crosshair.show_bar(number)
        low, high = self.visible_range
        shift = min(number - 1 - low, 0) or max(number + 1 - high, 0)
        if shift:
            self.panes.price.view.setXRange(low + shift, high + shift, padding=0)
            self._range_changed()
        self._describe(number)
        self.hovered.emit(self.highlighted_bar)

    def save_picture(self, path: Path, caption: str) -> None:
        """Write the chart as PNG or SVG.

        Raises:
            OSError: the file cannot be written.
        """
        self.crosshair.show_bar(-1)
        save_picture(path, self, caption, self._appearance.theme)

    def keyPressEvent(self, event: QKeyEvent | None) -> None:
        """Move the crosshair, zoom, or reopen the signal of the marked bar; see `chart_keys`."""
        control = event is not None and event.modifiers() & Qt.KeyboardModifier.ControlModifier
        if event is None or control or not self.count or not handle_key(self, Qt.Key(event.key())):
            super().keyPressEvent(event)

    def leaveEvent(self, event: QEvent | None) -> None:
        """Remove the crosshair."""
        super().leaveEvent(event)
        self.crosshair.show_level(None)
        self.highlight(-1)
        self.hovered.emit(-1)

    def contextMenuEvent(self, event: QContextMenuEvent | None) -> None:
        """Ask for the menu of lines and notes."""
        if event is not None:
            self.menu_requested.emit(event.globalPos(), self.mapToScene(event.pos()))

    def price_at(self, scene_point: QPointF) -> float:
        """Return the price at a point of the scene."""
        return self.price_scale.to_price(self.panes.price.view.mapSceneToView(scene_point).y())

    def position_at(self, scene_point: QPointF) -> int:
        """Return the position of the drawn bar at a point of the scene; -1: there is none."""
        number = round(self.panes.price.view.mapSceneToView(scene_point).x())
        return number if 0 <= number < self.count else -1

    def _scene_clicked(self, event: Any) -> None:
        """Reopen the signal of a double-clicked bar; on the scale of prices, let the height fit again."""
        if not event.double():
            return
        if self.panes.price.scale_area.contains(event.scenePos()):
            self.reset_height()
        else:
            self.open_signal(self.position_at(event.scenePos()))

    def open_signal(self, number: int) -> None:
        """Reopen the newest signal of a drawn bar, if there is one."""
        signals = self._signals_at(number)
        if signals:
            self.signal_clicked.emit(signals[-1].sequence)

    def _signals_at(self, number: int) -> list[Any]:
        signals = self.detail.signals if self.detail is not None and number >= 0 else []
        return [event for event in signals if self.positions.get(event.bar_close_time) == number]

    def _range_changed(self, *_: object) -> None:
        self._following = self.visible_range[1] >= self.count - 0.5
        if self.visible_range[0] < LOAD_BEFORE and self.count:
            self.older_wanted.emit()
        self.moved.emit()

    def _x_changed(self, *_: object) -> None:
        self.draw_view()
        self.fit_height()
        self.crosshair.show_bar(self.crosshair.bar)

    def _y_changed(self, *_: object) -> None:
        self.markers.place()
        self.last_price.place()

    def _mouse_moved(self, position: QPointF) -> None:
        pane = self.crosshair.pane_at(position)
        number = self.position_at(position) if pane is not None else -1
        self.crosshair.show_level(position if pane is not None else None)
        self.crosshair.show_bar(number)
        self._describe(number)
        self.hovered.emit(self.highlighted_bar)

    def _describe(self, number: int) -> None:
        """Describe a drawn bar, else the newest: in the read-out and for screen readers."""
        number = number if number >= 0 else self.count - 1
        text = bar_text(self.framed.bars, number, self.zone, self.price_scale.decimals)
        detail = self.detail
        if not text or detail is None:
            self.bar_described.emit(tr("chart.empty"))
            self.setAccessibleDescription(tr("chart.empty"))
            return
        signals = [signal_text(event, detail) for event in self._signals_at(number)]
        self.bar_described.emit("   ".join([text, *signals]))
        studies = self.studies.show_values(number, self._appearance.theme)
        described = "   ".join(part for part in (text, studies, *signals) if part)
        self.setAccessibleDescription(f"{described}. {tr('chart.help', bars=self.count)}")
