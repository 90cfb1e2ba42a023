"""The one object that knows how everything looks now; views follow its `changed`."""

from importlib.resources import as_file, files

from PyQt6.QtCore import QLibraryInfo, QObject, Qt, QTranslator, pyqtSignal
from PyQt6.QtGui import QColor, QFont, QFontDatabase, QPalette
from PyQt6.QtWidgets import QApplication, QStyleFactory

from glasstape_qt import i18n
from glasstape_qt.look.colours import DARK, LIGHT, THEMES, Colours, Theme
from glasstape_qt.state.preferences import Preferences

FAMILY = "Glasstape Sans"
POINTS = 10.0


class Appearance(QObject):
    """Theme, palette, language and font size, applied to the whole application."""

    changed = pyqtSignal()

    def __init__(self, application: QApplication, preferences: Preferences) -> None:
        super().__init__(application)
        self._application = application
        self._preferences = preferences
        self.colours = Colours(LIGHT, preferences.palette)
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
        """Look like this from now on."""
        self._preferences = preferences
        i18n.use(preferences.language)
        self._speak()
        theme = self._theme()
        self.colours = Colours(theme, preferences.palette)
        font = QFont(FAMILY)
        font.setPointSizeF(POINTS * preferences.zoom)
        # Coloured fringes would mix with the colours that mean something here.
        font.setStyleStrategy(QFont.StyleStrategy.NoSubpixelAntialias)
        self._application.setFont(font)
        self._application.setPalette(_palette(theme))
        self.changed.emit()

    @property
    def theme(self) -> Theme:
        """Surfaces and text."""
        return self.colours.theme

    @property
    def zoom(self) -> float:
        """Size of everything, 1 = usual."""
        return self._preferences.zoom

    @property
    def motion(self) -> bool:
        """Whether anything may flash."""
        return self._preferences.motion

    def _speak(self) -> None:
        """Qt's own words (buttons of dialogs, menus of fields) in the same language."""
        self._application.removeTranslator(self._translator)
        folder = QLibraryInfo.path(QLibraryInfo.LibraryPath.TranslationsPath)
        if i18n.language() != "en" and self._translator.load(f"qtbase_{i18n.language()}", folder):
            self._application.installTranslator(self._translator)

    def _theme(self) -> Theme:
        if self._preferences.theme != "system":
            return THEMES[self._preferences.theme]
        hints = self._application.styleHints()
        dark = hints is not None and hints.colorScheme() is Qt.ColorScheme.Dark
        return DARK if dark else LIGHT

    def _system_changed(self) -> None:
        if self._preferences.theme == "system":
            self.apply(self._preferences)


def _install_font() -> None:
    """The bundled font has Hangul, so that no machine shows boxes."""
    with as_file(files("glasstape_qt") / "resources/fonts/GlasstapeSans.otf") as path:
        QFontDatabase.addApplicationFont(str(path))


def _palette(theme: Theme) -> QPalette:
    palette = QPalette()
    roles = QPalette.ColorRole
    for role, colour in (
        (roles.Window, theme.window), (roles.WindowText, theme.text), (roles.Base, theme.base),
        (roles.AlternateBase, theme.alternate), (roles.Text, theme.text), (roles.Button, theme.window),
        (roles.ButtonText, theme.text), (roles.ToolTipBase, theme.base), (roles.ToolTipText, theme.text),
        (roles.Highlight, theme.accent), (roles.Link, theme.accent), (roles.PlaceholderText, theme.muted),
        (roles.Mid, theme.line), (roles.BrightText, theme.text),
        (roles.HighlightedText, LIGHT.base if theme is LIGHT else DARK.window),
    ):  # fmt: skip
        palette.setColor(role, QColor(colour))
    for role in (roles.WindowText, roles.Text, roles.ButtonText):
        palette.setColor(QPalette.ColorGroup.Disabled, role, QColor(theme.muted))
    return palette
