from itertools import product

import pytest
from glasstape import Direction
from glasstape_qt.theme.colors import (
    DARK,
    LIGHT,
    PALETTES,
    THEMES,
    Colors,
    contrast,
    conventional_palette,
    readable,
)
from PyQt6.QtGui import QColor

LOOKS = [Colors(theme, palette) for theme, palette in product((LIGHT, DARK), PALETTES)]


@pytest.mark.parametrize("colors", LOOKS)
def test_text_stays_readable_on_every_row_and_cell(colors):
    for step in range(21):
        share = step / 20
        cells = colors.cell(share), colors.cell(-share), colors.cell(share, signed=False)
        for ground in (colors.ramp(share), *cells):
            assert contrast(ground, readable(ground)) >= 4.5


@pytest.mark.parametrize("theme", THEMES.values(), ids=list(THEMES))
def test_text_has_contrast_on_every_surface(theme):
    for ground in (theme.window, theme.base, theme.alternate):
        assert contrast(QColor(ground), QColor(theme.text)) >= 7
        assert contrast(QColor(ground), QColor(theme.muted)) >= 4.5
    assert contrast(QColor(theme.warning), QColor(theme.warning_text)) >= 4.5


@pytest.mark.parametrize("colors", LOOKS)
def test_heat_maps_do_not_use_market_colors(colors):
    full = {colors.cell(1.0).name(), colors.cell(-1.0).name()}
    assert len(full) == 2
    assert not full & {colors.of(direction).name() for direction in Direction}
    assert colors.cell(0.0).name() == colors.theme.base
    assert colors.cell(float("nan")).name() == colors.theme.base


def test_palettes_follow_the_conventions_of_their_markets():
    def hue(palette, direction):
        color = Colors(LIGHT, palette).of(direction)
        return max(
            ("red", color.red()), ("green", color.green()), ("blue", color.blue()), key=lambda c: c[1]
        )[0]

    assert (hue("korea", Direction.UP), hue("korea", Direction.DOWN)) == ("red", "blue")
    assert (hue("east-asia", Direction.UP), hue("east-asia", Direction.DOWN)) == ("red", "green")
    assert (hue("west", Direction.UP), hue("west", Direction.DOWN)) == ("green", "red")


def test_the_palette_follows_language_and_locale():
    assert conventional_palette("ko", "en_US.UTF-8") == "korea"
    assert conventional_palette("en", "ko_KR.UTF-8") == "korea"
    assert conventional_palette("en", "ja_JP.UTF-8") == "east-asia"
    assert conventional_palette("en", "en_US.UTF-8") == conventional_palette("en", "") == "west"


def test_the_default_palette_follows_the_language_while_it_runs(qapp, appearance, preferences):
    preferences.palette = "system"
    appearance.apply(preferences)
    assert appearance.colors.of(Direction.UP).name() == PALETTES["west"].up[0]
    preferences.language = "ko"
    appearance.apply(preferences)
    assert appearance.colors.of(Direction.UP).name() == PALETTES["korea"].up[0]
