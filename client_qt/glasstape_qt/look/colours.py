"""Colours. Price directions follow the market's convention; heat maps never use those hues."""

from dataclasses import dataclass

import numpy as np
from glasstape import Direction
from PyQt6.QtGui import QColor


@dataclass(frozen=True)
class Palette:
    """Colours of up and down in light and dark."""

    up: tuple[str, str]
    down: tuple[str, str]


PALETTES = {
    "korea": Palette(up=("#c9302c", "#e5534b"), down=("#1f5fbf", "#5b9cf5")),
    "east-asia": Palette(up=("#c9302c", "#e5534b"), down=("#1e7d44", "#4cb877")),
    "west": Palette(up=("#1e7d44", "#4cb877"), down=("#c9302c", "#e5534b")),
    # Okabe & Ito (2008), "Color Universal Design": told apart by every kind of colour vision.
    "okabe-ito": Palette(up=("#0072b2", "#56b4e9"), down=("#d55e00", "#e69f00")),
}


@dataclass(frozen=True)
class Theme:
    """Colours of surfaces and text."""

    name: str
    window: str
    base: str
    alternate: str
    text: str
    muted: str
    line: str
    accent: str
    warning: str
    warning_text: str
    flat: str
    glow: str
    """A row whose class has just changed: no colour that means a direction, and not that of a selection."""
    supports: str
    """Heat map: speaks for the class."""
    opposes: str
    amount: str
    """Heat map without signs."""


LIGHT = Theme(
    "light", window="#f3f4f6", base="#ffffff", alternate="#f8f9fb", text="#16181d", muted="#565c68",
    line="#cfd4dc", accent="#3451b2", warning="#fff0c2", warning_text="#5c4300", flat="#8b919c",
    glow="#f5c542", supports="#1b7837", opposes="#762a83", amount="#7a5c00",
)  # fmt: skip
DARK = Theme(
    "dark", window="#16181d", base="#1e2127", alternate="#23272e", text="#e8eaee", muted="#a3aab6",
    line="#3a404a", accent="#8ea4f0", warning="#4a3a10", warning_text="#ffdf8a", flat="#7d8490",
    glow="#b8860b", supports="#59b577", opposes="#bf84cf", amount="#d9b648",
)  # fmt: skip
THEMES = {"light": LIGHT, "dark": DARK}


class Colours:
    """A theme and a palette together."""

    def __init__(self, theme: Theme, palette: str) -> None:
        self.theme = theme
        self._palette = PALETTES[palette]
        self._dark = theme is DARK

    def of(self, direction: Direction) -> QColor:
        """A direction's colour."""
        if direction is Direction.FLAT:
            return QColor(self.theme.flat)
        pair = self._palette.up if direction is Direction.UP else self._palette.down
        return QColor(pair[self._dark])

    def ramp(self, strength: float, ground: str | None = None) -> QColor:
        """Background of a row: the ground at 0, most of the colour of UP at 1."""
        return mix(QColor(ground or self.theme.base), self.of(Direction.UP), 0.8 * strength)

    def cell(self, share: float, *, signed: bool = True) -> QColor:
        """A heat map's cell: the ground at 0, full colour at +1 and -1."""
        if not np.isfinite(share):
            return QColor(self.theme.base)
        full = self.theme.amount if not signed else self.theme.supports if share >= 0 else self.theme.opposes
        return mix(QColor(self.theme.base), QColor(full), min(1.0, abs(share)))


def mix(ground: QColor, over: QColor, share: float) -> QColor:
    """`over` laid on `ground`."""
    pairs = zip(_channels(ground), _channels(over), strict=True)
    return QColor(*(round(below + (above - below) * share) for below, above in pairs))


def readable(ground: QColor) -> QColor:
    """Black or white, whichever stands out more (WCAG 2.2 contrast)."""
    dark, light = QColor("#000000"), QColor("#ffffff")  # anything softer falls below 4.5 on mid tones
    return dark if contrast(ground, dark) >= contrast(ground, light) else light


def contrast(one: QColor, other: QColor) -> float:
    """WCAG 2.2 contrast ratio, 1-21."""
    darker, lighter = sorted((_luminance(one), _luminance(other)))
    return (lighter + 0.05) / (darker + 0.05)


def _channels(colour: QColor) -> tuple[int, int, int]:
    return colour.red(), colour.green(), colour.blue()


def _luminance(colour: QColor) -> float:
    linear = [
        value / 12.92 if value <= 0.04045 else ((value + 0.055) / 1.055) ** 2.4
        for value in (channel / 255 for channel in _channels(colour))
    ]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]
