"""The line over the watch table that says what has just entered UP."""

from collections.abc import Sequence

from PyQt6.QtCore import Qt, QTimer
from PyQt6.QtWidgets import QLabel

from glasstape_qt.i18n import say
from glasstape_qt.look.appearance import Appearance
from glasstape_qt.state.alerts import Line
from glasstape_qt.views.ringing import sentence

STAYS_MILLISECONDS = 60_000


class AlertLine(QLabel):
    """Shows the last alerts, each on its line, for a while."""

    def __init__(self, appearance: Appearance) -> None:
        super().__init__()
        self.setObjectName("alertLine")
        self._appearance = appearance
        self.setWordWrap(True)
        self.setTextFormat(Qt.TextFormat.PlainText)  # names come from the server
        self.hide()
        self._timer = QTimer(self)
        self._timer.setSingleShot(True)
        self._timer.setInterval(STAYS_MILLISECONDS)
        self._timer.timeout.connect(self.hide)
        appearance.changed.connect(self.restyle)
        self.restyle()

    def restyle(self) -> None:
        """Another look."""
        self.setStyleSheet(f"color: {self._appearance.theme.text}; padding: 4px 8px; font-weight: bold;")

    def tell(self, lines: Sequence[Line]) -> None:
        """Say these, instead of what was said before."""
        texts = [
            say("alert.backlog" if line.backlog else "alert.entered", text=sentence(line.rows))
            for line in lines
        ]
        self.setText("\n".join(texts))
        self.show()
        self._timer.start()

    def forget(self) -> None:
        """Another server: its alerts are not this one's."""
        self._timer.stop()
        self.hide()
