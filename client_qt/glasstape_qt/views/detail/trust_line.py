"""Trust in one map: number, word and a bar."""

from glasstape import Explanation, TrustLevel, trust_in_words
from PyQt6.QtCore import QRectF, QSize
from PyQt6.QtGui import QColor, QPainter, QPaintEvent
from PyQt6.QtWidgets import QHBoxLayout, QLabel, QSizePolicy, QWidget

from glasstape_qt.i18n import language
from glasstape_qt.theme.appearance import Appearance

BAR_SIZE = QSize(72, 8)
"""Pixels at the default text size."""


class TrustLine(QWidget):
    """Shows the trust in an explanation; hidden where it has none. What it was worth is the tooltip.

    It keeps its place while it is hidden, since the trust arrives after the map.
    """

    def __init__(self, appearance: Appearance, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("trustLine")
        self.label, self.bar = QLabel(), TrustBar(appearance)
        self.label.setObjectName("trustLabel")
        layout = QHBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(self.label)
        layout.addWidget(self.bar)
        layout.addStretch(1)
        policy = self.sizePolicy()
        policy.setRetainSizeWhenHidden(True)
        self.setSizePolicy(policy)
        self.show_trust(None)

    def show_trust(self, explanation: Explanation | None) -> None:
        """Show the trust in a map, in the selected language."""
        sentences = trust_in_words(explanation, language()) if explanation is not None else []
        quality = explanation.quality if explanation is not None else None
        trust = quality.trust if quality is not None else None
        rating, *meaning = sentences or [""]
        text = " ".join(meaning)
        rating = f"{rating[:1].upper()}{rating[1:]}"
        self.label.setText(rating or " ")  # the height of a line
        self.bar.show_value(0.0 if trust is None else trust.value, low=_is_low(explanation))
        for widget in (self, self.label, self.bar):
            widget.setToolTip(text)
        self.setAccessibleName(rating)
        self.setAccessibleDescription(text)
        self.label.setAccessibleDescription(text)
        self.setVisible(trust is not None)


def _is_low(explanation: Explanation | None) -> bool:
    quality = explanation.quality if explanation is not None else None
    return quality is not None and quality.trust is not None and quality.trust.level is TrustLevel.LOW


class TrustBar(QWidget):
    """A bar from 0 to 1."""

    def __init__(self, appearance: Appearance) -> None:
        super().__init__()
        self._appearance = appearance
        self.value = 0.0
        """Share of the bar that is filled."""
        self._low = False
        self.setSizePolicy(QSizePolicy.Policy.Fixed, QSizePolicy.Policy.Fixed)
        appearance.changed.connect(self.updateGeometry)

    def show_value(self, value: float, *, low: bool) -> None:
        """Fill the bar up to a value, 0-1; a low one in the color of notes."""
        self.value, self._low = min(1.0, max(0.0, value)), low
        self.update()

    def sizeHint(self) -> QSize:
        """Return the size at the selected text size."""
        return BAR_SIZE * self._appearance.zoom

    def paintEvent(self, event: QPaintEvent | None) -> None:
        """Paint the frame and the filled part."""
        painter, theme = QPainter(self), self._appearance.theme
        area = QRectF(self.rect()).adjusted(0.5, 0.5, -0.5, -0.5)
        painter.setPen(QColor(theme.muted))
        painter.setBrush(QColor(theme.base))
        painter.drawRect(area)
        filled = QRectF(area.left(), area.top(), area.width() * self.value, area.height())
        painter.fillRect(filled, QColor(theme.muted if self._low else theme.accent))
