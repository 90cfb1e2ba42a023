"""The legend of the row colors."""

from glasstape import Model
from PyQt6.QtCore import QRectF, QSize, Qt
from PyQt6.QtGui import QColor, QLinearGradient, QPainter, QPaintEvent
from PyQt6.QtWidgets import QSizePolicy, QWidget

from glasstape_qt.i18n import tr
from glasstape_qt.theme.appearance import Appearance

MIN_RAMP = 40
"""Pixels of the ramp at least, at zoom 1."""


class RampLegend(QWidget):
    """The ramp from the base rate to its top, with the alert threshold marked on it."""

    def __init__(self, appearance: Appearance, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("rampLegend")
        self._appearance = appearance
        self._model: Model | None = None
        self._threshold: float | None = None
        self.setSizePolicy(QSizePolicy.Policy.Maximum, QSizePolicy.Policy.Fixed)
        appearance.changed.connect(self.restyle)
        self.restyle()

    def restyle(self) -> None:
        """Apply theme and language."""
        self.setAccessibleName(self._description())
        self.setToolTip(self._description())
        self.updateGeometry()
        self.update()

    def show_model(self, model: Model | None, threshold: float | None) -> None:
        """Show the ramp of a model and the alert threshold."""
        if (model, threshold) != (self._model, self._threshold):
            self._model, self._threshold = model, threshold
            self.restyle()

    def sizeHint(self) -> QSize:
        """Return the size of one line."""
        metrics = self.fontMetrics()
        texts = sum(metrics.horizontalAdvance(text) for text in self._texts())
        return QSize(texts + round(110 * self._appearance.zoom) + 24, metrics.height() + 8)

    def minimumSizeHint(self) -> QSize:
        """Return the size of the ramp alone: where it is narrow, its texts are in the tooltip only."""
        return QSize(round(MIN_RAMP * self._appearance.zoom), self.fontMetrics().height() + 8)

    def paintEvent(self, event: QPaintEvent | None) -> None:
        """Paint title, lower end, ramp and upper end."""
        painter, metrics = QPainter(self), self.fontMetrics()
        painter.setPen(QColor(self._appearance.theme.text))
        title, low, high = self._fitting_texts()
        left = 0.0
        for text in filter(None, (title, low)):
            box = QRectF(left, 0, metrics.horizontalAdvance(text) + 2, self.height())
            painter.drawText(box, Qt.AlignmentFlag.AlignVCenter, text)
            left = box.right() + 6
        ramp = QRectF(left, 5, self.width() - left - metrics.horizontalAdvance(high) - 8, self.height() - 10)
        if self._model is not None:
            gradient = QLinearGradient(ramp.topLeft(), ramp.topRight())
            gradient.setColorAt(0, self._appearance.colors.ramp(0))
            gradient.setColorAt(1, self._appearance.colors.ramp(1))
            painter.fillRect(ramp, gradient)
            painter.setPen(QColor(self._appearance.theme.line))
            painter.drawRect(ramp)
            self._mark(painter, ramp, self._model)
            painter.setPen(QColor(self._appearance.theme.text))
        box = QRectF(ramp.right() + 6, 0, metrics.horizontalAdvance(high) + 2, self.height())
        painter.drawText(box, Qt.AlignmentFlag.AlignVCenter, high)

    def _mark(self, painter: QPainter, ramp: QRectF, model: Model) -> None:
        span = max(model.buy_ramp_high - model.buy_ramp_low, 1e-9)
        if self._threshold is not None and model.buy_ramp_low <= self._threshold <= model.buy_ramp_high:
            place = ramp.left() + (self._threshold - model.buy_ramp_low) / span * ramp.width()
            painter.fillRect(
                QRectF(place - 1, ramp.top() - 3, 2, ramp.height() + 6), QColor(self._appearance.theme.text)
            )

    def _fitting_texts(self) -> tuple[str, str, str]:
        """Return the texts that leave space for the ramp: without the title, or none."""
        title, low, high = self._texts()
        for texts in ((title, low, high), ("", low, high)):
            needed = sum(self.fontMetrics().horizontalAdvance(text) + 8 for text in texts)
            if self._model is None or needed + MIN_RAMP * self._appearance.zoom <= self.width():
                return texts
        return "", "", ""

    def _texts(self) -> tuple[str, str, str]:
        if self._model is None:
            return tr("legend.none"), "", ""
        low, high = self._model.buy_ramp_low, self._model.buy_ramp_high
        return (
            tr("legend.title"),
            tr("legend.low", low=f"{low:.1%}"),
            tr("legend.high", high=f"{high:.1%}"),
        )

    def _description(self) -> str:
        if self._model is None:
            return tr("legend.none")
        threshold = self._threshold if self._threshold is not None else self._model.alert_threshold
        return tr(
            "legend.description",
            model=f"{self._model.ref.name}@{self._model.ref.version}",
            low=f"{self._model.buy_ramp_low:.1%}",
            high=f"{self._model.buy_ramp_high:.1%}",
            alert=f"{threshold:.1%}",
        )
