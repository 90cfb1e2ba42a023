"""One heat map with its name, what its colors mean, and the trust in it."""

from glasstape import Explanation, Quantity, quantity_in_words
from PyQt6.QtCore import Qt
from PyQt6.QtWidgets import QLabel, QVBoxLayout, QWidget

from glasstape_qt.i18n import language, tr
from glasstape_qt.theme.appearance import Appearance
from glasstape_qt.views.detail.heatmap_content import HeatmapContent
from glasstape_qt.views.detail.heatmap_painter import SLOPES
from glasstape_qt.views.detail.heatmap_view import HeatmapView
from glasstape_qt.views.detail.trust_line import TrustLine


class MapPane(QWidget):
    """A map under the name of its quantity; the colors support or oppose the explained class."""

    def __init__(self, appearance: Appearance, name: str) -> None:
        super().__init__()
        self.setObjectName(name)
        self.title = QLabel()
        self.title.setObjectName(f"{name}Title")
        self.title.setWordWrap(True)
        self.title.setAlignment(Qt.AlignmentFlag.AlignBottom)
        self.title.setTextFormat(Qt.TextFormat.PlainText)
        self.view = HeatmapView(appearance)
        self.trust = TrustLine(appearance)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(2)
        layout.addWidget(self.title)
        layout.addWidget(self.view, 1)
        layout.addWidget(self.trust)

    def show_content(self, content: HeatmapContent | None, message: str = "") -> None:
        """Show a map with its name and trust, or a message that says why there is none."""
        explanation = content.explanation if content is not None else None
        name = _name(explanation)
        self.title.setText(name)
        self.title.setVisible(bool(name))
        self.view.show_content(content, message)
        self.view.setAccessibleName(name or tr("heatmap.title"))
        self.trust.show_trust(explanation)


def _name(explanation: Explanation | None) -> str:
    """Return what a map is, and what green stands for."""
    if explanation is None or explanation.heatmap is None:
        return ""
    quantity = explanation.heatmap.quantity
    name = quantity_in_words(quantity, language())
    name = f"{name[:1].upper()}{name[1:]}"
    if quantity is Quantity.RELEVANCE or explanation.target is None:
        return name
    direction = tr(f"direction.{explanation.target.name.lower()}")
    return f"{name}. {tr('heatmap.slope' if quantity in SLOPES else 'heatmap.side', direction=direction)}"
