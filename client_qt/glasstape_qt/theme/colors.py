"""Colors. Price directions follow the market's convention; heat maps never use those hues."""

from dataclasses import dataclass

import numpy as np
from glasstape import Direction
from PyQt6.QtGui import QColor


@dataclass(frozen=True)
class Palette:
    """Colors of up and down, each for the light and the dark theme."""

    up: tuple[str, str]
    down: tuple[str, str]


PALETTES = {
    "korea": Palette(up=("#c9302c", "#e5534b"), down=("#1f5fbf", "#5b9cf5")),
    "east-asia": Palette(up=("#c9302c", "#e5534b"), down=("#1e7d44", "#4cb877")),
    "west": Palette(up=("#1e7d44", "#4cb877"), down=("#c9302c", "#e5534b")),
    # Okabe & Ito (2008), "Color Universal Design": distinct for every kind of color vision.
    "okabe-ito": Palette(up=("#0072b2", "#56b4e9"), down=("#d55e00", "#e69f00")),
}


def conventional_palette(language: str, locale: str) -> str:
    """Return the palette that traders of a language, or else of a locale ("zh_CN"), are used to."""
    if "ko" in (language, locale[:2].lower()):
        return "korea"
    return "east-asia" if locale[:2].lower() in ("ja", "zh") else "west"


@dataclass(frozen=True)
class Theme:
    """Colors of surfaces and text."""

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
    flash: str
    """Flash of a row whose class has changed; neither the color of a direction nor that of a selection."""
    supports: str
    """Heat map: for the class."""
    opposes: str
    """Heat map: against the class."""
    amount: str
    """Heat map without signs."""


LIGHT = Theme(
    "light", window="#f3f4f6", base="#ffffff", alternate="#f8f9fb", text="#16181d", muted="#565c68",
    line="#cfd4dc", accent="#3451b2", warning="#fff0c2", warning_text="#5c4300", flat="#8b919c",
    flash="#f5c542", supports="#1b7837", opposes="#762a83", amount="#7a5c00",
)  # fmt: skip
DARK = Theme(
    "dark", window="#16181d", base="#1e2127", alternate="#23272e", text="#e8eaee", muted="#a3aab6",
    line="#3a404a", accent="#8ea4f0", warning="#4a3a10", warning_text="#ffdf8a", flat="#7d8490",
    flash="#b8860b", supports="#59b577", opposes="#bf84cf", amount="#d9b648",
)  # fmt: skip
THEMES = {"light": LIGHT, "dark": DARK}


class Colors:
    """Colors of a theme with the palette of price directions."""

    def __init__(self, theme: Theme, palette: str) -> None:
        self.theme = theme
        self._palette = PALETTES[palette]
        self._dark = theme is DARK

    def of(self, direction: Direction) -> QColor:
        """Return the color of a direction."""
        if direction is Direction.FLAT:
            return QColor(self.theme.flat)
        pair = self._palette.up if direction is Direction.UP else self._palette.down
        return QColor(pair[self._dark])

    def ramp(self, strength: float, background: str | None = None) -> QColor:
        """Return a row's color: the background (default: the theme's base) at 0, 80 % of UP's color at 1."""
        return mix(QColor(background or self.theme.base), self.of(Direction.UP), 0.8 * strength)

    def cell(self, share: float, *, signed: bool = True) -> QColor:
        """Return a heat map's color for a share of the scale: the base at 0 and for NaN, full color at ±1."""
        if not np.isfinite(share):
            return QColor(self.theme.base)
        full = self.theme.amount if not signed else self.theme.supports if share >= 0 else self.theme.opposes
        return mix(QColor(self.theme.base), QColor(full), min(1.0, abs(share)))


def mix(background: QColor, color: QColor, share: float) -> QColor:
    """Return `background` blended with a share of `color`, 0-1."""
    pairs = zip(_channels(background), _channels(color), strict=True)
    return QColor(*(round(below + (above - below) * share) for below, above in pairs))


def readable(background: QColor) -> QColor:
    """Return black or white, whichever has more contrast (WCAG 2.2)."""
    dark, light = QColor("#000000"), QColor("#ffffff")  # softer colors fall below 4.5 on mid tones
    return dark if contrast(background, dark) >= contrast(background, light) else light


def contrast(first: QColor, second: QColor) -> float:
    """Return the WCAG 2.2 contrast ratio, 1-21."""
    darker, lighter = sorted((_luminance(first), _luminance(second)))
    return (lighter + 0.05) / (darker + 0.05)


def _channels(color: QColor) -> tuple[int, int, int]:
    return color.red(), color.green(), color.blue()


def _luminance(color: QColor) -> float:
    linear = [
        value / 12.92 if value <= 0.04045 else ((value + 0.055) / 1.055) ** 2.4
        for value in (channel / 255 for channel in _channels(color))
    ]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]
