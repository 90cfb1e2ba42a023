"""For commands that paint without a screen: Qt's offscreen plugin need not say what it cannot do."""

from PyQt6.QtCore import QMessageLogContext, QtMsgType, qInstallMessageHandler

LACKS = "This plugin does not support"


def quiet() -> None:
    """Drop those remarks; everything else is said as before."""
    previous = qInstallMessageHandler(None)

    def handle(kind: QtMsgType, context: QMessageLogContext, text: str | None) -> None:
        if text and not text.startswith(LACKS):
            if previous is not None:
                previous(kind, context, text)
            else:
                print(text)

    qInstallMessageHandler(handle)
