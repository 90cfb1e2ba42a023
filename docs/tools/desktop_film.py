"""Record the desktop following the bundled session: `python docs/tools/desktop_film.py FILE.webp|gif`."""

import argparse
import os
import sys
from pathlib import Path
from typing import Any

from desktop_pictures import to_pillow
from glasstape_qt.app import DesktopComponents, assemble
from glasstape_qt.offscreen import suppress_plugin_warnings
from glasstape_qt.state.preferences import DEMO, Preferences, Profile
from PIL import Image
from PyQt6.QtCore import QPoint, Qt, QTimer
from PyQt6.QtGui import QColor, QPainter, QPen, QPixmap
from PyQt6.QtTest import QTest

WIDTH, HEIGHT = 1120, 700
PICTURE_WIDTH = 900
FRAME_MILLISECONDS = 200
SPEED = 2.0
CLICK_FRAMES = 5
"""Frames that show where the mouse was clicked."""
QUALITY = 55
"""WebP quality, 0-100: text stays readable and the file small."""


class Camera:
    """Grabs frames of the window and plays a script of user actions."""

    def __init__(self, parts: DesktopComponents) -> None:
        self._parts = parts
        self.frames: list[Image.Image] = []
        self._click: tuple[QPoint, int] | None = None
        self._timer = QTimer(parts.window)
        self._timer.timeout.connect(self._grab)

    def record(self, seconds: float) -> None:
        """Grab frames for a number of seconds, then close the window."""
        for moment, action in (
            (3.0, self._double_click),
            (11.0, self._compare),
            (seconds, self._parts.window.close),
        ):
            QTimer.singleShot(round(1000 * moment), action)
        self._timer.start(FRAME_MILLISECONDS)
        self._parts.application.exec()
        self._timer.stop()

    def _double_click(self) -> None:
        """Double-click the row with the strongest buy confidence."""
        table, model = self._parts.window.watch.table, self._parts.window.watch.model
        viewport = table.viewport()
        rows = {number: row for number in range(model.rowCount()) if (row := model.row(number)) is not None}
        if not rows or viewport is None:
            return
        best = max(rows, key=lambda number: rows[number].confidence.up)
        point = table.visualRect(model.index(best, 1)).center()
        mouse: Any = QTest
        mouse.mouseClick(viewport, Qt.MouseButton.LeftButton, Qt.KeyboardModifier.NoModifier, point)
        mouse.mouseDClick(viewport, Qt.MouseButton.LeftButton, Qt.KeyboardModifier.NoModifier, point)
        self._click = (viewport.mapTo(self._parts.window, point), len(self.frames) + CLICK_FRAMES)

    def _compare(self) -> None:
        view = self._parts.window.details.current()
        if view is not None:
            view.compare()

    def _grab(self) -> None:
        pixmap = self._parts.window.grab()
        if self._click is not None and len(self.frames) < self._click[1]:
            _draw_click(pixmap, self._click[0])
        pixmap = pixmap.scaledToWidth(PICTURE_WIDTH, Qt.TransformationMode.SmoothTransformation)
        self.frames.append(to_pillow(pixmap.toImage()))


def film(path: Path, seconds: float = 16.0) -> int:
    """Follow the session, double-click a row, compare the methods; write an animated WebP or GIF.

    Args:
        path: ends in .webp or .gif; its folder exists.
        seconds: length of the recording.

    Returns:
        The exit status.
    """
    if path.suffix not in (".webp", ".gif"):
        print(f"FILE: must end in .webp or .gif, is {path.name}", file=sys.stderr)
        return 1
    if not path.parent.is_dir():
        print(f"FILE: there is no folder {path.parent}", file=sys.stderr)
        return 1
    suppress_plugin_warnings()
    profile = Profile(name=DEMO, session=DEMO, speed=SPEED)
    parts = assemble(Preferences(language="en", theme="light", profiles=[profile], profile=DEMO))
    parts.window.resize(WIDTH, HEIGHT)
    parts.window.show()
    parts.link.open(profile)
    camera = Camera(parts)
    camera.record(seconds)
    try:
        _write(path, camera.frames)
    except OSError as error:
        print(f"FILE: {error}", file=sys.stderr)
        return 1
    print(f"{path}: {len(camera.frames)} frames, {path.stat().st_size / 1024:.0f} KiB")
    return 0


def _draw_click(pixmap: QPixmap, at: QPoint) -> None:
    painter = QPainter(pixmap)
    painter.setPen(QPen(QColor("#3451b2"), 3))
    painter.drawEllipse(at, 12, 12)
    painter.end()


def _write(path: Path, frames: list[Image.Image]) -> None:
    first, *rest = frames
    if path.suffix == ".webp":
        first.save(
            path, format="WEBP", quality=QUALITY, method=4, save_all=True, append_images=rest,
            duration=FRAME_MILLISECONDS, loop=0,
        )  # fmt: skip
    else:
        first.save(
            path,
            format="GIF",
            optimize=True,
            save_all=True,
            append_images=rest,
            duration=FRAME_MILLISECONDS,
            loop=0,
        )


def main() -> int:
    """Parse the command line and record; returns the exit status."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("file", type=Path, metavar="FILE", help="animated picture to write, .webp or .gif")
    parser.add_argument("--seconds", type=float, default=16.0, help="length (default: %(default)s)")
    options = parser.parse_args()
    return film(options.file, options.seconds)


if __name__ == "__main__":
    os.environ["QT_QPA_PLATFORM"] = "offscreen"
    os.environ.setdefault("GRPC_VERBOSITY", "NONE")
    sys.exit(main())
