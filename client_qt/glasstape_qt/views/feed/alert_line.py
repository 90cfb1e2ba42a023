"""The line above the watch table that shows what has just entered UP."""

from collections.abc import Sequence

from PyQt6.QtCore import Qt, QTimer
from PyQt6.QtWidgets import QLabel

from glasstape_qt.i18n import tr
from glasstape_qt.state.alerts import AlertGroup
from glasstape_qt.theme.appearance import Appearance
from glasstape_qt.views.feed.alert_notifier import alert_text

HIDE_AFTER_MS = 60_000


class AlertLine(QLabel):
    """Shows the newest alerts, one per text line, for a while."""

    def __init__(self, appearance: Appearance) -> None:
        super().__init__()
        self.setObjectName("alertLine")
        self._appearance = appearance
        self.setWordWrap(True)
        self.setTextFormat(Qt.TextFormat.PlainText)  # names come from the server
        self.hide()
        self._timer = QTimer(self)
        self._timer.setSingleShot(True)
        self._timer.setInterval(HIDE_AFTER_MS)
        self._timer.timeout.connect(self.hide)
        appearance.changed.connect(self.restyle)
        self.restyle()

    def restyle(self) -> None:
        """Apply the theme."""
        self.setStyleSheet(f"color: {self._appearance.theme.text}; padding: 4px 8px; font-weight: bold;")

    def show_alerts(self, alerts: Sequence[AlertGroup]) -> None:
        """Show these alerts instead of earlier ones."""
        texts = [
            tr("alert.backlog" if alert.backlog else "alert.entered", text=alert_text(alert.rows))
            for alert in alerts
        ]
        self.setText("\n".join(texts))
        self.show()
        self._timer.start()

    def clear_alerts(self) -> None:
        """Hide the alerts: the server changes."""
        self._timer.stop()
        self.hide()
