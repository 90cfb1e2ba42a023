"""A notice above the watch table, with a button that closes it."""

from PyQt6.QtCore import Qt
from PyQt6.QtWidgets import QHBoxLayout, QLabel, QToolButton, QWidget

from glasstape_qt.i18n import tr
from glasstape_qt.theme.appearance import Appearance


class NoticeBar(QWidget):
    """Hidden until there is something to say."""

    def __init__(self, appearance: Appearance) -> None:
        super().__init__()
        self.setObjectName("noticeBar")
        self.setAttribute(Qt.WidgetAttribute.WA_StyledBackground)
        self._appearance = appearance
        self.label, self.close_button = QLabel(), QToolButton()
        self.label.setObjectName("notice")
        self.label.setWordWrap(True)
        self.label.setTextFormat(Qt.TextFormat.PlainText)  # errors come from the server
        self.close_button.setObjectName("noticeClose")
        self.close_button.setText("✕")
        self.close_button.setAutoRaise(True)
        self.close_button.clicked.connect(self.hide)
        layout = QHBoxLayout(self)
        layout.setContentsMargins(8, 2, 4, 2)
        layout.addWidget(self.label, 1)
        layout.addWidget(self.close_button, 0, Qt.AlignmentFlag.AlignTop)
        self.hide()
        appearance.changed.connect(self.restyle)
        self.restyle()

    def restyle(self) -> None:
        """Apply theme and language."""
        theme = self._appearance.theme
        self.setStyleSheet(
            f"#noticeBar {{ background: {theme.warning}; }} QLabel, QToolButton {{ color: {theme.warning_text}; }}"
        )
        self.close_button.setAccessibleName(tr("window.close_notice"))
        self.close_button.setToolTip(tr("window.close_notice"))

    def text(self) -> str:
        """Return the notice."""
        return self.label.text()

    def show_text(self, text: str) -> None:
        """Show a notice; an empty text hides it."""
        self.label.setText(text)
        self.setVisible(bool(text))
