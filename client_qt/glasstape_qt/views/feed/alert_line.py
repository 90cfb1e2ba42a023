"""The line that shows the newest alert, at a fixed place and height, with the list of all alerts of this run."""

from collections.abc import Sequence

from PyQt6.QtCore import QSize, Qt, pyqtSignal
from PyQt6.QtGui import QResizeEvent
from PyQt6.QtWidgets import QHBoxLayout, QMenu, QPushButton, QSizePolicy, QToolButton, QWidget

from glasstape_qt.i18n import tr
from glasstape_qt.models.cell_texts import as_tooltip
from glasstape_qt.state import exchange
from glasstape_qt.state.alert_log import AlertEntry, AlertLog
from glasstape_qt.state.alerts import AlertGroup
from glasstape_qt.theme.appearance import Appearance
from glasstape_qt.views.feed.alert_notifier import alert_text
from glasstape_qt.views.mnemonics import without_mnemonic

LISTED = 40
"""Alerts of the menu."""


class AlertLine(QWidget):
    """The newest alert, which opens its signal; beside it, a menu of the others. Nothing moves when one arrives."""

    signal_requested = pyqtSignal(str, object)
    """Symbol and sequence of the signal of an alert."""

    def __init__(self, appearance: Appearance) -> None:
        super().__init__()
        self.setObjectName("alertLine")
        self._appearance = appearance
        self.log = AlertLog()
        self._text = ""
        self.newest, self.all = QPushButton(), QToolButton()
        self.newest.setObjectName("alertNewest")
        self.newest.setFlat(True)
        self.newest.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Fixed)
        self.newest.clicked.connect(self._open_newest)
        self.all.setObjectName("alertList")
        self.all.setPopupMode(QToolButton.ToolButtonPopupMode.InstantPopup)
        self.menu = QMenu(self)
        self.menu.aboutToShow.connect(self.fill_menu)
        self.all.setMenu(self.menu)
        layout = QHBoxLayout(self)
        layout.setContentsMargins(6, 2, 6, 0)
        layout.addWidget(self.newest, 1)
        layout.addWidget(self.all)
        appearance.changed.connect(self.restyle)
        self.restyle()

    def restyle(self) -> None:
        """Apply theme, size and language."""
        height = self.fontMetrics().height() + 6
        self.newest.setFixedHeight(height)
        self.all.setFixedHeight(height)
        self.newest.setStyleSheet("text-align: left; padding: 0 4px;")
        self._update()

    def text(self) -> str:
        """Return the whole text of the newest alert."""
        return self._text

    def show_alerts(self, alerts: Sequence[AlertGroup]) -> None:
        """Add alerts; the newest is shown, the others are in the menu."""
        self.log.add(alerts)
        texts = [
            tr("alert.backlog" if alert.backlog else "alert.entered", text=alert_text(alert.rows))
            for alert in alerts
        ]
        self._text = "  ".join(texts)
        self._update()

    def clear_alerts(self) -> None:
        """Remove the alerts: the server changes."""
        self.log.clear()
        self._text = ""
        self._update()

    def fill_menu(self) -> None:
        """Fill the menu with the alerts, newest first."""
        self.menu.clear()
        entries = list(self.log)[:LISTED]
        for entry in entries:
            self.menu.addAction(without_mnemonic(_entry_text(entry)), lambda entry=entry: self._open(entry))
        if entries:
            self.menu.addSeparator()
            self.menu.addAction(tr("alert.seen"), self._mark_all_seen)
        else:
            action = self.menu.addAction(tr("alert.none"))
            if action is not None:
                action.setEnabled(False)

    def resizeEvent(self, event: QResizeEvent | None) -> None:
        """Cut the text to the width."""
        super().resizeEvent(event)
        self._update()

    def sizeHint(self) -> QSize:
        """Return the height of one line."""
        return QSize(200, self.fontMetrics().height() + 8)

    def _update(self) -> None:
        shown = self._text or tr("alert.none")
        metrics = self.newest.fontMetrics()
        cut = metrics.elidedText(shown, Qt.TextElideMode.ElideRight, max(20, self.newest.width() - 12))
        self.newest.setText(without_mnemonic(cut))
        self.newest.setAccessibleName(shown)
        self.newest.setToolTip(as_tooltip(shown))
        self.newest.setEnabled(bool(len(self.log)))
        self.all.setText(tr("alert.list", n=self.log.unseen))
        self.all.setAccessibleName(tr("alert.list", n=self.log.unseen))

    def _open_newest(self) -> None:
        newest = next(iter(self.log), None)
        if newest is not None:
            self._open(newest)

    def _open(self, entry: AlertEntry) -> None:
        self.log.mark_seen(entry.number)
        self._update()
        self.signal_requested.emit(entry.row.symbol, entry.row.event.sequence)

    def _mark_all_seen(self) -> None:
        self.log.mark_seen()
        self._update()


def _entry_text(entry: AlertEntry) -> str:
    row = entry.row
    moment = exchange.in_market_time(row.event.bar_close_time, exchange.zone(row.instrument))
    price = f"{row.event.signal.bar.close:,.{row.decimals()}f}"
    mark = "" if entry.seen else "● "
    return f"{mark}{moment}   {alert_text((row,))}   {price}"
