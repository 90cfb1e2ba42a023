"""Log filter for commands that use Qt's offscreen platform plugin."""

from PyQt6.QtCore import QMessageLogContext, QtMsgType, qInstallMessageHandler

UNSUPPORTED = "This plugin does not support"


def suppress_plugin_warnings() -> None:
    """Drop the plugin's warnings about unsupported features; pass on every other message."""
    previous = qInstallMessageHandler(None)

    def handle(kind: QtMsgType, context: QMessageLogContext, text: str | None) -> None:
        if text and not text.startswith(UNSUPPORTED):
            if previous is not None:
                previous(kind, context, text)
            else:
                print(text)

    qInstallMessageHandler(handle)
