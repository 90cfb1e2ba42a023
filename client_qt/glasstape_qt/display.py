"""What keeps Qt from opening a window: no display, or a system library that is missing.

`python -m glasstape_qt.display` exits with status 1 and one sentence if no window can be opened.
"""

import ctypes
import os
import sys
from pathlib import Path

from PyQt6.QtCore import QLibraryInfo, QMessageLogContext, QtMsgType, qInstallMessageHandler

PLUGINS = {"xcb": "libqxcb.so", "wayland": "libqwayland.so"}
"""Files of Qt's platform plugins on Linux."""
PRECEDING = ("could not connect to display", "Could not load the Qt platform plugin", "xcb-cursor0")
"""Warnings that precede the abort, and name a library that is not the missing one."""


def exit_without_display() -> None:
    """Exit with status 1 and one sentence where Qt would abort since it cannot open a window."""
    previous = qInstallMessageHandler(None)

    def handle(kind: QtMsgType, context: QMessageLogContext, text: str | None) -> None:
        if kind is QtMsgType.QtFatalMsg:
            print(f"glasstape desk: {reason()}", file=sys.stderr, flush=True)
            os._exit(1)  # Qt aborts when this function returns
        if any(known in (text or "") for known in PRECEDING):
            return
        if previous is not None:
            previous(kind, context, text)
        else:
            print(text, file=sys.stderr)

    qInstallMessageHandler(handle)


def reason() -> str:
    """Return why no window can be opened, and what to do."""
    platform = os.environ.get("QT_QPA_PLATFORM", "").partition(":")[0]
    if platform and platform not in PLUGINS:
        return f"QT_QPA_PLATFORM: must name a platform plugin of Qt, is {platform!r}"
    display = os.environ.get("DISPLAY", "")
    if not display and not os.environ.get("WAYLAND_DISPLAY"):
        return "no display: DISPLAY and WAYLAND_DISPLAY are not set; log in to a desktop or use `ssh -X`"
    missing = _missing_library()
    if missing:
        return f"a system library is missing: {missing}; `.ci/system-libraries` lists those that Qt loads"
    return f"no display: DISPLAY is {display!r}, and nothing answers there"


def _missing_library() -> str:
    """Return the error of loading the platform plugin; "" if it can be loaded."""
    folder = Path(QLibraryInfo.path(QLibraryInfo.LibraryPath.PluginsPath)) / "platforms"
    plugin = folder / PLUGINS["xcb"]
    if not plugin.exists():
        return ""
    try:
        ctypes.CDLL(str(plugin))
    except OSError as error:
        return str(error)
    return ""


if __name__ == "__main__":
    from PyQt6.QtGui import QGuiApplication

    exit_without_display()
    application = QGuiApplication(sys.argv[:1])
