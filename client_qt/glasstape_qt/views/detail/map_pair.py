"""One or two heat maps of a signal: side by side, or one below the other where it is narrow."""

from PyQt6.QtCore import Qt, pyqtSignal
from PyQt6.QtGui import QResizeEvent
from PyQt6.QtWidgets import QBoxLayout, QFrame, QScrollArea, QWidget

from glasstape_qt.i18n import tr
from glasstape_qt.theme.appearance import Appearance
from glasstape_qt.views.detail.heatmap_content import HeatmapContent
from glasstape_qt.views.detail.map_pane import MapPane

SIDE_BY_SIDE_WIDTH = 480
"""Width in pixels, at the default text size, from which two maps fit side by side."""
STACKED_HEIGHT = 290
"""Height in pixels, at the default text size, of each map below another."""
MARGIN, GAP = 4, 8


class MapPair(QScrollArea):
    """Two panes; the second is hidden while there is one map. Beside the first, it has the same rows without names."""

    hovered = pyqtSignal(int)
    """Index of the bar under the mouse or the keyboard cursor of either map, 0 = oldest; -1: none."""

    def __init__(self, appearance: Appearance, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("mapPair")
        self._appearance = appearance
        self.setFrameShape(QFrame.Shape.NoFrame)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.panes = (MapPane(appearance, "firstMap"), MapPane(appearance, "secondMap"))
        body = QWidget()
        self._layout = QBoxLayout(QBoxLayout.Direction.LeftToRight, body)
        self._layout.setContentsMargins(MARGIN, MARGIN, MARGIN, MARGIN)
        self._layout.setSpacing(GAP)
        for pane in self.panes:
            self._layout.addWidget(pane)
            pane.view.hovered.connect(self._hovered)
        self.setWidget(body)
        self.panes[1].hide()
        appearance.changed.connect(self.restyle)
        self.restyle()

    @property
    def side_by_side(self) -> bool:
        """Whether two maps are beside each other."""
        two = not self.panes[1].isHidden()
        return two and self._layout.direction() is QBoxLayout.Direction.LeftToRight

    def restyle(self) -> None:
        """Apply language and text size."""
        self.setAccessibleName(tr("heatmap.title"))
        self._arrange()

    def show_maps(self, *maps: HeatmapContent | str) -> None:
        """Show one or two maps; a text says why there is none."""
        for pane, shown in zip(self.panes, maps, strict=False):
            if isinstance(shown, str):
                pane.show_content(None, shown)
            else:
                pane.show_content(shown)
        self.panes[1].setVisible(len(maps) > 1)
        self._arrange()

    def highlight(self, bar: int) -> None:
        """Mark the column of a bar in each map; -1: none."""
        for pane in self.panes:
            pane.view.highlight(bar)

    def resizeEvent(self, event: QResizeEvent | None) -> None:
        """Arrange the maps for the new width."""
        super().resizeEvent(event)
        self._arrange()

    def _arrange(self) -> None:
        """Lay the panes out in the visible width; what is higher than visible is scrolled."""
        body, viewport = self.widget(), self.viewport()
        if body is None or viewport is None:
            return
        two, zoom = not self.panes[1].isHidden(), self._appearance.zoom
        beside = viewport.width() >= SIDE_BY_SIDE_WIDTH * zoom
        directions = QBoxLayout.Direction
        self._layout.setDirection(directions.LeftToRight if beside or not two else directions.TopToBottom)
        width = viewport.width() - 2 * MARGIN
        widths = self._widths_beside(width - GAP) if two and beside else [width, width]
        for pane, pane_width in zip(self.panes, widths, strict=True):
            pane.setFixedWidth(pane_width)
        if not (two and beside):
            for pane in self.panes:
                pane.view.set_names_width(None)
        self._align(widths if two and beside else None)
        height = STACKED_HEIGHT * zoom * 2 if two and not beside else 0
        least = max(round(height), self._layout.minimumSize().height())
        body.resize(viewport.width(), max(viewport.height(), least))

    def _widths_beside(self, width: int) -> list[int]:
        """Return the widths of two panes side by side; equal rows are named in the first alone."""
        first, second = (pane.view for pane in self.panes)
        shared = first.has_same_rows(second)
        names = first.names_width(width) if shared else 0
        first.set_names_width(names if shared else None)
        second.set_names_width(0 if shared else None)
        cells = max(1, width - names) // 2
        return [names + cells, width - names - cells]

    def _align(self, widths: list[int] | None) -> None:
        """Give titles one height, so that rows align; None: the panes are not side by side."""
        heights = [
            pane.title.heightForWidth(width) for pane, width in zip(self.panes, widths or (), strict=False)
        ]
        for pane in self.panes:
            pane.title.setMinimumHeight(max(heights, default=0))

    def _hovered(self, bar: int) -> None:
        for pane in self.panes:
            if pane.view is not self.sender():
                pane.view.highlight(bar)
        self.hovered.emit(bar)
