"""The controls of the chart: time frame, bars in view, scale, studies, lines, notes and pictures."""

from collections.abc import Callable, Sequence

from PyQt6.QtCore import QPoint, QPointF, QSize, pyqtSignal
from PyQt6.QtGui import QAction
from PyQt6.QtWidgets import QComboBox, QInputDialog, QMenu, QToolBar, QToolButton

from glasstape_qt.i18n import tr
from glasstape_qt.state.chart_preferences import BAR_COUNTS, FEATURE_PREFIX, OVERLAYS, PANES
from glasstape_qt.state.time_frames import frames_of
from glasstape_qt.theme.appearance import Appearance
from glasstape_qt.views.chart.candle_chart import CandleChart
from glasstape_qt.views.chart.price_scale import ScaleMode
from glasstape_qt.views.chart.studies import study_name
from glasstape_qt.views.focused_wheel import FocusedWheel
from glasstape_qt.views.mnemonics import without_mnemonic


class ChartToolbar(QToolBar):
    """Acts on one chart; what does not fit the width is in the menu at its end."""

    features_wanted = pyqtSignal()
    """A feature of the model was selected whose values may be missing."""
    picture_wanted = pyqtSignal()
    """The user wants the chart as a file."""

    def __init__(self, chart: CandleChart, appearance: Appearance) -> None:
        super().__init__()
        self.setObjectName("chartToolbar")
        self.setIconSize(QSize(1, 1))
        self._chart, self._features = chart, tuple[str, ...]()
        self.frame, self.bars, self.scale = QComboBox(), QComboBox(), QComboBox()
        for choice, name in (
            (self.frame, "chartFrame"),
            (self.bars, "chartBars"),
            (self.scale, "chartScale"),
        ):
            choice.setObjectName(name)
            choice.installEventFilter(FocusedWheel(choice))
            self.addWidget(choice)
        self.studies = QToolButton()
        self.studies.setObjectName("chartStudies")
        self.studies.setPopupMode(QToolButton.ToolButtonPopupMode.InstantPopup)
        self.studies_menu = QMenu(self)
        self.studies_menu.aboutToShow.connect(self._fill_studies)
        self.studies.setMenu(self.studies_menu)
        self.addWidget(self.studies)
        self.line, self.note, self.picture = (
            self._action(name, run)
            for name, run in (
                ("line", lambda: self.add_line(self._center())),
                ("note", lambda: self.add_note(self._center())),
                ("picture", self.picture_wanted.emit),
            )
        )
        self.frame.currentIndexChanged.connect(lambda _: chart.set_frame(self.frame.currentData() or ""))
        self.bars.currentIndexChanged.connect(lambda _: chart.show_bars(self.bars.currentData()))
        self.scale.currentIndexChanged.connect(self._set_scale)
        chart.menu_requested.connect(self._show_menu)
        appearance.changed.connect(self.restyle)
        self.restyle()

    def restyle(self) -> None:
        """Apply the language."""
        preferences = self._chart.preferences
        counts = [(tr("chart.bars", n=count), count) for count in sorted({*BAR_COUNTS, preferences.bars})]
        _fill(self.bars, counts, preferences.bars)
        scales = [(tr(f"price_scale.{mode.value}"), mode.value) for mode in ScaleMode]
        _fill(self.scale, scales, preferences.scale)
        self._fill_frames()
        for widget, name in ((self.frame, "frame"), (self.bars, "bar_count"), (self.scale, "scale")):
            widget.setAccessibleName(tr(f"chart.{name}"))
            widget.setToolTip(tr(f"chart.{name}"))
        self.studies.setText(tr("chart.studies"))
        self.studies.setAccessibleName(tr("chart.studies"))
        for name, action in (("line", self.line), ("note", self.note), ("picture", self.picture)):
            action.setText(tr(f"chart.{name}"))
            action.setToolTip(tr(f"chart.{name}_help"))

    def set_source(self, interval: str, features: Sequence[str]) -> None:
        """Offer the time frames of an interval and the features of the model."""
        self._features = tuple(features)
        frames = frames_of(interval)
        if [self.frame.itemData(n) for n in range(self.frame.count())] != list(frames):
            _fill(self.frame, [(tr(f"frame.{f}") if f in _NAMED else f, f) for f in frames], frames[0])

    def studies_in(self, menu: QMenu) -> list[QAction]:
        """Fill a menu with every study, the features of the model first; return the actions."""
        menu.clear()
        names = [f"{FEATURE_PREFIX}{name}" for name in self._features]
        for title, group in (("features", names), ("overlays", OVERLAYS), ("panes", PANES)):
            if group:
                menu.addSection(tr(f"chart.{title}"))
            for name in group:
                action = QAction(without_mnemonic(study_name(name)), menu)
                action.setData(name)
                action.setCheckable(True)
                action.setChecked(name in self._chart.preferences.studies)
                action.toggled.connect(lambda on, name=name: self._set_study(name, on))
                menu.addAction(action)
        return [action for action in menu.actions() if action.data()]

    def context_menu(self, point: QPointF) -> QMenu:
        """Return the menu for a point of the chart's scene."""
        menu = QMenu(self)
        menu.addAction(tr("chart.line"), lambda: self.add_line(point))
        menu.addAction(tr("chart.note"), lambda: self.add_note(point))
        near = self._chart.marks.nearest(point)
        if near is not None:
            menu.addAction(tr("chart.remove_mark", text=near.text), lambda: self._chart.marks.remove(near))
        menu.addAction(tr("chart.fit_height"), self._chart.reset_height)
        menu.addAction(tr("chart.picture"), self.picture_wanted.emit)
        return menu

    def add_line(self, point: QPointF) -> None:
        """Draw a horizontal line at a point."""
        self._chart.marks.add(self._chart.price_at(point), None)

    def add_note(self, point: QPointF) -> None:
        """Ask for a text and write it at the bar of a point."""
        number = self._chart.position_at(point)
        text, accepted = QInputDialog.getText(self, tr("chart.note"), tr("chart.note_text"))
        if accepted and text.strip() and number >= 0:
            stored = self._chart.framed.last[number]
            bar = self._chart.detail.bars[stored] if self._chart.detail is not None else None
            self._chart.marks.add(self._chart.price_at(point), bar, text)

    def _action(self, name: str, run: Callable[[], object]) -> QAction:
        action = QAction(self)
        action.setObjectName(f"chart_{name}")
        action.triggered.connect(lambda _=False: run())
        self.addAction(action)
        return action

    def _center(self) -> QPointF:
        """Return the marked bar at its close, else the newest in view: where the keyboard adds lines and notes."""
        chart = self._chart
        number = (
            chart.crosshair.bar
            if chart.crosshair.bar >= 0
            else min(chart.count - 1, int(chart.visible_range[1]))
        )
        if number < 0:
            return QPointF()
        y = chart.price_scale.to_y(chart.framed.bars[number].close)
        point: QPointF = chart.panes.price.view.mapViewToScene(QPointF(number, y))
        return point

    def _set_scale(self, _: int) -> None:
        self._chart.preferences.scale = self.scale.currentData()
        self._chart.preferences_changed.emit()
        self._chart.reset_height()

    def _set_study(self, name: str, on: bool) -> None:
        chosen = [known for known in self._chart.preferences.studies if known != name]
        self._chart.preferences.studies = [*chosen, name] if on else chosen
        self._chart.preferences_changed.emit()
        if on and name.startswith(FEATURE_PREFIX):
            self.features_wanted.emit()
        self._chart.refresh()

    def _fill_studies(self) -> None:
        self.studies_in(self.studies_menu)

    def _fill_frames(self) -> None:
        for number in range(self.frame.count()):
            frame = self.frame.itemData(number)
            self.frame.setItemText(number, tr(f"frame.{frame}") if frame in _NAMED else frame)

    def _show_menu(self, place: QPoint, point: QPointF) -> None:
        self.context_menu(point).exec(place)


_NAMED = ("1d", "1w", "1mo")


def _fill(choice: QComboBox, items: Sequence[tuple[str, object]], selected: object) -> None:
    """Fill a choice without its signals."""
    choice.blockSignals(True)
    choice.clear()
    for text, value in items:
        choice.addItem(text, value)
    choice.setCurrentIndex(max(0, choice.findData(selected)))
    choice.blockSignals(False)
