"""Every method of the model on one signal, side by side, each at its own resolution."""

from collections.abc import Sequence

from glasstape import Explanation, Method
from PyQt6.QtCore import Qt
from PyQt6.QtWidgets import QGridLayout, QLabel, QScrollArea, QVBoxLayout, QWidget

from glasstape_qt.i18n import say
from glasstape_qt.look.appearance import Appearance
from glasstape_qt.views.heatmap import HeatmapView, Picture

COLUMNS = 3


class CompareView(QScrollArea):
    """A grid of small maps; each has its own colour scale, because their units differ."""

    def __init__(self, appearance: Appearance, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("compareView")
        self._appearance = appearance
        self._methods: tuple[Method, ...] = ()
        self._cells: dict[Method, tuple[QLabel, HeatmapView]] = {}
        self.setWidgetResizable(True)
        self._body = QWidget()
        self._grid = QGridLayout(self._body)
        self.setWidget(self._body)
        appearance.changed.connect(self.restyle)
        self.restyle()

    def restyle(self) -> None:
        """Another look or language."""
        self.setAccessibleName(say("compare.title"))
        for method, (title, _) in self._cells.items():
            title.setText(say(f"method.{method.value}"))

    def begin(self, methods: Sequence[Method]) -> None:
        """Make room for these methods; their maps come one by one."""
        wanted = tuple(method for method in methods if method is not Method.UNSPECIFIED)
        if wanted != self._methods:
            self._rebuild(wanted)
        for _, view in self._cells.values():
            view.show_picture(None, say("heatmap.waiting"))

    def show_map(self, method: Method, picture: Picture) -> None:
        """A map has come."""
        if method not in self._cells:
            return
        title, view = self._cells[method]
        view.show_picture(picture)
        title.setText(f"{say(f'method.{method.value}')}  {_shape(picture.explanation)}")

    def show_failure(self, method: Method, sentence: str) -> None:
        """A map could not be made."""
        if method in self._cells:
            self._cells[method][1].show_picture(None, sentence)

    def _rebuild(self, methods: tuple[Method, ...]) -> None:
        for title, view in self._cells.values():
            for widget in (title.parentWidget(), title, view):
                if widget is not None and widget is not self._body:
                    widget.deleteLater()
        self._cells, self._methods = {}, methods
        for number, method in enumerate(methods):
            cell = QWidget()
            layout = QVBoxLayout(cell)
            layout.setContentsMargins(2, 2, 2, 2)
            title, view = QLabel(say(f"method.{method.value}")), HeatmapView(self._appearance, compact=True)
            view.setObjectName(f"compare_{method.value}")
            title.setAlignment(Qt.AlignmentFlag.AlignLeft)
            title.setWordWrap(True)
            layout.addWidget(title)
            layout.addWidget(view, 1)
            self._grid.addWidget(cell, number // COLUMNS, number % COLUMNS)
            self._cells[method] = (title, view)


def _shape(explanation: Explanation) -> str:
    heatmap = explanation.heatmap
    return "" if heatmap is None else f"{heatmap.native_shape[0]} × {heatmap.native_shape[1]}"
