"""Paint the pictures of docs/desktop.md: `python docs/tools/desktop_pictures.py FOLDER`.

Light and dark, English and Korean, at the scale of QT_SCALE_FACTOR. The tests compare the desktop with these
pictures, so nothing in them depends on the clock.
"""

import os
import sys
from collections.abc import Iterator
from io import BytesIO
from pathlib import Path

from glasstape import calendars
from glasstape_qt.offscreen import suppress_plugin_warnings
from glasstape_qt.preview import PreviewContext, load_preview
from glasstape_qt.state.preferences import Preferences, Profile
from glasstape_qt.views.main_window import MainWindow
from PIL import Image
from PyQt6.QtCore import QBuffer, QIODevice
from PyQt6.QtGui import QImage
from PyQt6.QtWidgets import QApplication

WIDTH, HEIGHT = 1280, 800
SYMBOL = "IBM"
MOMENT = 31.4
"""Second of the session: its strongest buy."""


def pictures() -> Iterator[tuple[str, QImage]]:
    """Yield (name, picture): the window in every theme and language, then its other views in one of them."""
    for theme in ("light", "dark"):
        for language in ("en", "ko"):
            yield f"window-{theme}-{language}", _window(theme, language, "map")
    if os.environ.get("QT_SCALE_FACTOR", "1") == "1":
        yield "compare-light-en", _window("light", "en", "compare")
        yield "trust-light-en", _window("light", "en", "trust")


def _window(theme: str, language: str, side: str) -> QImage:
    chosen = Preferences.model_validate(
        {
            "theme": theme,
            "language": language,
            "motion": False,
            "profiles": [Profile(name="demo", session="demo")],
            "profile": "demo",
        }
    )
    made = load_preview(chosen, until=MOMENT)
    calendars.load(*{row.instrument.exchange for row in made.store.rows.values()})
    window = MainWindow(made.store, made.link, made.appearance, chosen)
    window.resize(WIDTH, HEIGHT)
    window.show()
    window.tick()
    _open(window, made, side)
    window.watch.table.setFocus()
    window.watch.table.select(SYMBOL)
    for _ in range(5):
        QApplication.processEvents()
    picture = window.grab().toImage()
    window.close()
    return picture


def _open(window: MainWindow, made: PreviewContext, side: str) -> None:
    view = window.open_detail(SYMBOL)
    if view is not None and side == "compare":
        view.compare()
    if side == "trust":
        window.trust_dock.show()
        window.trust_dock.raise_()
        QApplication.processEvents()
        window.trust.load()


def main(folder: Path) -> int:
    """Write every picture; returns the exit status."""
    suppress_plugin_warnings()
    folder.mkdir(parents=True, exist_ok=True)
    scale = os.environ.get("QT_SCALE_FACTOR", "1")
    QApplication.setCursorFlashTime(0)
    for name, picture in pictures():
        to_pillow(picture).save(folder / f"{name}-{scale}x.png", optimize=True)
    return 0


def to_pillow(picture: QImage) -> Image.Image:
    """Convert a Qt image to a Pillow image."""
    buffer = QBuffer()
    buffer.open(QIODevice.OpenModeFlag.WriteOnly)
    picture.save(buffer, "PNG")
    return Image.open(BytesIO(buffer.data().data())).convert("RGB")


if __name__ == "__main__":
    os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")
    sys.exit(main(Path(sys.argv[1])))
