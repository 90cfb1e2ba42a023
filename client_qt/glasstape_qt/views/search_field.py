"""A field whose text is used while it is typed, including what an input method has not committed yet."""

from PyQt6.QtCore import pyqtSignal
from PyQt6.QtGui import QInputMethodEvent
from PyQt6.QtWidgets import QLineEdit


class SearchField(QLineEdit):
    """Emits `typed` for every change, also of the syllable that an input method composes."""

    typed = pyqtSignal(str)
    """The text with the syllable that is composed."""

    def __init__(self) -> None:
        super().__init__()
        self.setClearButtonEnabled(True)
        self._composed = ""
        self.textChanged.connect(self._emit)

    @property
    def typed_text(self) -> str:
        """The text with the syllable that is composed at the cursor."""
        cursor = self.cursorPosition()
        return self.text()[:cursor] + self._composed + self.text()[cursor:]

    def inputMethodEvent(self, event: QInputMethodEvent | None) -> None:
        """Take the composed syllable into the text."""
        before = self._composed
        self._composed = event.preeditString() if event is not None else ""
        super().inputMethodEvent(event)
        if self._composed != before:
            self._emit()

    def _emit(self) -> None:
        self.typed.emit(self.typed_text)
