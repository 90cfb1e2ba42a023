"""Keys of the price chart.

Left and right move the crosshair by a bar, Page up and down by a screen, Home and End to the ends; + and - zoom the
bars, 0 fits the height, Enter reopens the signal of the marked bar, Escape removes the crosshair.
"""

from PyQt6.QtCore import Qt, pyqtSignal

from glasstape_qt.views.chart.chart_canvas import ChartCanvas

ZOOM_STEP = 1.25


class KeyedChart(ChartCanvas):
    """What the keys of a chart act on."""

    hovered = pyqtSignal(int)
    """Index of the stored bar under the mouse or the keyboard's crosshair; -1: none."""

    @property
    def visible_range(self) -> tuple[float, float]:
        """First and last position of the view, in drawn bars."""
        low, high = self.panes.price.view.viewRange()[0]
        return low, high

    def follow(self) -> None:
        """Show the newest bars, and follow new ones."""
        raise NotImplementedError

    def mark_position(self, number: int) -> None:
        """Mark a drawn bar with the keyboard's crosshair, and bring it into view."""
        raise NotImplementedError

    def highlight(self, index: int) -> None:
        """Mark a stored bar that is hovered elsewhere; -1: none."""
        raise NotImplementedError

    def open_signal(self, number: int) -> None:
        """Reopen the newest signal of a drawn bar, if there is one."""
        raise NotImplementedError

    def reset_height(self) -> None:
        """Let the height of every pane fit the bars again."""
        raise NotImplementedError


def handle_key(chart: KeyedChart, key: Qt.Key) -> bool:
    """Act on a key; return whether the chart has one."""
    newest, view = chart.count - 1, chart.panes.price.view
    marked = chart.crosshair.bar
    start = marked if marked >= 0 else newest
    screen = max(1, round(chart.visible_range[1] - chart.visible_range[0]))
    steps = {
        Qt.Key.Key_Left: -1,
        Qt.Key.Key_Right: 1,
        Qt.Key.Key_PageUp: -screen,
        Qt.Key.Key_PageDown: screen,
    }
    if key in steps:
        chart.mark_position(start + (steps[key] if marked >= 0 else 0))
        return True
    match key:
        case Qt.Key.Key_Home:
            chart.mark_position(0)
        case Qt.Key.Key_End:
            chart.follow()
            chart.mark_position(newest)
        case Qt.Key.Key_Plus | Qt.Key.Key_Equal:
            view.zoom_bars(1 / ZOOM_STEP)
        case Qt.Key.Key_Minus:
            view.zoom_bars(ZOOM_STEP)
        case Qt.Key.Key_0:
            chart.reset_height()
        case Qt.Key.Key_Return | Qt.Key.Key_Enter:
            chart.open_signal(marked)
        case Qt.Key.Key_Escape:
            chart.highlight(-1)
            chart.hovered.emit(-1)
        case _:
            return False
    return True
