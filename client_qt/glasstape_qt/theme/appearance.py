"""The look of the application; views apply it again on its signal `changed`."""

from importlib.resources import as_file, files

from PyQt6.QtCore import QLibraryInfo, QObject, Qt, QTranslator, pyqtSignal
from PyQt6.QtGui import QColor, QFont, QFontDatabase, QPalette
from PyQt6.QtWidgets import QApplication, QStyleFactory

from glasstape_qt import i18n
from glasstape_qt.state.preferences import Preferences
from glasstape_qt.theme.colors import DARK, LIGHT, THEMES, Colors, Theme, conventional_palette

FAMILY = "Glasstape Sans"
POINT_SIZE = 10.0
PALETTE_AT_START = "west"
"""Until the preferences are applied."""


class Appearance(QObject):
    """Theme, palette, language and font size, applied to the whole application."""

    changed = pyqtSignal()

    def __init__(self, application: QApplication, preferences: Preferences) -> None:
        super().__init__(application)
        self._application = application
        self._preferences = preferences
        self.colors = Colors(LIGHT, PALETTE_AT_START)
        self._translator = QTranslator(self)
        _install_font()
        style = QStyleFactory.create("Fusion")
        if style is not None:
            application.setStyle(style)
        hints = application.styleHints()
        if hints is not None:
            hints.colorSchemeChanged.connect(self._system_changed)
        self.apply(preferences)

    def apply(self, preferences: Preferences) -> None:
        """Apply theme, palette, language and size of the preferences to the whole application."""
        self._preferences = preferences
        i18n.set_language(preferences.language)
        self._translate_qt()
        theme = self._selected_theme()
        self.colors = Colors(theme, self._palette())
        font = QFont(FAMILY)
        font.setPointSizeF(POINT_SIZE * preferences.zoom)
        # Subpixel rendering adds color fringes, and colors carry meaning here.
        font.setStyleStrategy(QFont.StyleStrategy.NoSubpixelAntialias)
        self._application.setFont(font)
        self._application.setPalette(_palette(theme))
        self.changed.emit()

    @property
    def theme(self) -> Theme:
        """Colors of surfaces and text."""
        return self.colors.theme

    @property
    def zoom(self) -> float:
        """Size of text and rows, 1 = default."""
        return self._preferences.zoom

    @property
    def motion(self) -> bool:
        """Whether rows may flash."""
        return self._preferences.motion

    @property
    def row_color(self) -> str:
        """What of a row has the color of its confidence: "row", "strip" or "bar" (the bar of confidences alone)."""
        return self._preferences.row_color

    def _translate_qt(self) -> None:
        """Translate Qt's own texts (buttons of dialogs, menus of fields)."""
        self._application.removeTranslator(self._translator)
        folder = QLibraryInfo.path(QLibraryInfo.LibraryPath.TranslationsPath)
        if i18n.language() != "en" and self._translator.load(f"qtbase_{i18n.language()}", folder):
            self._application.installTranslator(self._translator)

    def _palette(self) -> str:
        if self._preferences.palette != "system":
            return self._preferences.palette
        return conventional_palette(i18n.language(), i18n.system_locale())

    def _selected_theme(self) -> Theme:
        if self._preferences.theme != "system":
            return THEMES[self._preferences.theme]
        hints = self._application.styleHints()
        dark = hints is not None and hints.colorScheme() is Qt.ColorScheme.Dark
        return DARK if dark else LIGHT

    def _system_changed(self) -> None:
        if self._preferences.theme == "system":
            self.apply(self._preferences)


def _install_font() -> None:
    """Load the bundled font, which has Hangul: not every system has."""
    with as_file(files("glasstape_qt") / "resources/fonts/GlasstapeSans.otf") as path:
        QFontDatabase.addApplicationFont(str(path))


def _palette(theme: Theme) -> QPalette:
    palette = QPalette()
    roles = QPalette.ColorRole
    for role, color in (
        (roles.Window, theme.window), (roles.WindowText, theme.text), (roles.Base, theme.base),
        (roles.AlternateBase, theme.alternate), (roles.Text, theme.text), (roles.Button, theme.window),
        (roles.ButtonText, theme.text), (roles.ToolTipBase, theme.base), (roles.ToolTipText, theme.text),
        (roles.Highlight, theme.accent), (roles.Link, theme.accent), (roles.PlaceholderText, theme.muted),
        (roles.Mid, theme.line), (roles.BrightText, theme.text),
        (roles.HighlightedText, LIGHT.base if theme is LIGHT else DARK.window),
    ):  # fmt: skip
        palette.setColor(role, QColor(color))
    for role in (roles.WindowText, roles.Text, roles.ButtonText):
        palette.setColor(QPalette.ColorGroup.Disabled, role, QColor(theme.muted))
    return palette
