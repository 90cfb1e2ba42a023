"""The heat maps of every method of the model for one signal, side by side."""

from collections.abc import Sequence

from glasstape import Explanation, Method
from PyQt6.QtCore import Qt
from PyQt6.QtWidgets import QGridLayout, QLabel, QScrollArea, QVBoxLayout, QWidget

from glasstape_qt.i18n import tr
from glasstape_qt.theme.appearance import Appearance
from glasstape_qt.views.detail.heatmap_content import HeatmapContent
from glasstape_qt.views.detail.heatmap_view import HeatmapView

COLUMNS = 3
FIRST_STRETCH, OTHER_STRETCH = 3, 2
"""Widths of the columns: the first has the names of the features."""


class CompareView(QScrollArea):
    """A grid of small maps at native resolution; each has its own color scale, because their units differ."""

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
        """Apply the language."""
        self.setAccessibleName(tr("compare.title"))
        for method, (title, _) in self._cells.items():
            title.setText(tr(f"method.{method.value}"))

    def set_methods(self, methods: Sequence[Method]) -> None:
        """Show an empty cell per method, to be filled by `show_map` and `show_error`."""
        shown = tuple(method for method in methods if method is not Method.UNSPECIFIED)
        if shown != self._methods:
            self._rebuild(shown)
        for _, view in self._cells.values():
            view.show_content(None, tr("heatmap.waiting"))

    def show_map(self, method: Method, content: HeatmapContent) -> None:
        """Show the map of one method."""
        if method not in self._cells:
            return
        title, view = self._cells[method]
        view.show_content(content)
        title.setText(f"{tr(f'method.{method.value}')}  {_native_shape(content.explanation)}")

    def show_error(self, method: Method, message: str) -> None:
        """Show why there is no map of one method."""
        if method in self._cells:
            self._cells[method][1].show_content(None, message)

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
            title, view = QLabel(tr(f"method.{method.value}")), HeatmapView(self._appearance, compact=True)
            title.setObjectName(f"compareTitle_{method.value}")
            view.setObjectName(f"compare_{method.value}")
            title.setAlignment(Qt.AlignmentFlag.AlignLeft)
            title.setWordWrap(True)
            if number % COLUMNS == 0:
                view.set_names_width(None)  # the rows of the other columns are the same
            layout.addWidget(title)
            layout.addWidget(view, 1)
            self._grid.addWidget(cell, number // COLUMNS, number % COLUMNS)
            self._grid.setColumnStretch(
                number % COLUMNS, FIRST_STRETCH if number % COLUMNS == 0 else OTHER_STRETCH
            )
            self._cells[method] = (title, view)


def _native_shape(explanation: Explanation) -> str:
    heatmap = explanation.heatmap
    return "" if heatmap is None else f"{heatmap.native_shape[0]} × {heatmap.native_shape[1]}"
