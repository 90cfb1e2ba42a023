"""The status line: connection with reason and retry, badges, the market's clock, latency and active model."""

from zoneinfo import ZoneInfo

from glasstape import CalibrationState, DataState
from PyQt6.QtCore import Qt, pyqtSignal
from PyQt6.QtGui import QColor, QResizeEvent
from PyQt6.QtWidgets import QHBoxLayout, QLabel, QPushButton, QSizePolicy, QWidget

from glasstape_qt.i18n import language, tr
from glasstape_qt.link import Link
from glasstape_qt.models.cell_texts import as_tooltip
from glasstape_qt.state.connection import LinkState
from glasstape_qt.state.exchange import zone_named
from glasstape_qt.state.preferences import Preferences
from glasstape_qt.state.signal_store import SignalStore
from glasstape_qt.theme.appearance import Appearance

STATE_SYMBOLS = {
    LinkState.CONNECTED: "●", LinkState.CONNECTING: "◌", LinkState.SILENT: "▲", LinkState.WAITING: "▲",
    LinkState.ENDED: "■",
}  # fmt: skip

SPACING = 12
"""Pixels between two labels."""


class StatusStrip(QWidget):
    """Labels below the tables."""

    unmute_requested = pyqtSignal()
    """The badge of muted alerts was clicked."""

    def __init__(
        self, store: SignalStore, link: Link, appearance: Appearance, preferences: Preferences
    ) -> None:
        super().__init__()
        self._store, self._link, self._appearance = store, link, appearance
        self._preferences = preferences
        self.connection, self.replay, self.stale = QLabel(), QLabel(), QLabel()
        self.clock, self.latency, self.recording, self.model = QLabel(), QLabel(), QLabel(), QLabel()
        self.calibration = QLabel()
        self.drift = QLabel()
        self.muted, self.snoozed = QPushButton(), QPushButton()
        for button, name, run in (
            (self.muted, "mutedBadge", self.unmute_requested.emit),
            (self.snoozed, "snoozedBadge", self._unsnooze),
        ):
            button.setObjectName(name)
            button.clicked.connect(run)
        for label, name in (
            (self.connection, "connectionState"), (self.replay, "replayBadge"), (self.stale, "staleBadge"),
            (self.clock, "marketClock"), (self.latency, "latency"), (self.recording, "recordingBadge"),
            (self.model, "activeModel"), (self.calibration, "calibrationBadge"), (self.drift, "driftBadge"),
        ):  # fmt: skip
            label.setObjectName(name)
            label.setTextFormat(Qt.TextFormat.PlainText)
            label.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
        self.connection.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Preferred)
        layout = QHBoxLayout(self)
        layout.setContentsMargins(6, 2, 6, 2)
        layout.setSpacing(SPACING)
        layout.addWidget(self.connection, 1)
        self._badges: tuple[QWidget, ...] = (
            self.calibration, self.drift, self.stale, self.replay, self.recording, self.muted, self.snoozed,
            self.clock, self.latency, self.model,
        )  # fmt: skip
        for shown in self._badges:
            layout.addWidget(shown)
        appearance.changed.connect(self.restyle)
        self.restyle()

    def restyle(self) -> None:
        """Apply theme and language."""
        theme = self._appearance.theme
        badge = (
            f"background: {theme.warning}; color: {theme.warning_text}; padding: 1px 6px; border-radius: 3px;"
        )
        badges: tuple[QWidget, ...] = (
            self.replay, self.stale, self.recording, self.calibration, self.drift, self.muted, self.snoozed
        )  # fmt: skip
        for label in badges:
            label.setStyleSheet(badge)
        self.refresh()

    def refresh(self) -> None:
        """Show the current state."""
        connection = self._store.connection
        text = f"{STATE_SYMBOLS[connection.state]} {self._connection_text()}"
        self.connection.setText(text)
        self.connection.setToolTip(text)
        self.connection.setAccessibleName(text)
        down = connection.state in (LinkState.WAITING, LinkState.SILENT, LinkState.ENDED)
        palette = self.connection.palette()
        palette.setColor(
            self.connection.foregroundRole(),
            QColor(self._appearance.theme.warning_text if down else self._appearance.theme.text),
        )
        self.connection.setPalette(palette)
        self.stale.setText(tr("status.stale"))
        self.stale.setVisible(not connection.fresh and connection.state is not LinkState.CONNECTING)
        self.calibration.setText(tr("status.broken"))
        self.calibration.setToolTip(tr("status.broken_tip"))
        self.calibration.setVisible(connection.calibration is CalibrationState.BROKEN)
        self.drift.setText(tr("status.drifted"))
        self.drift.setToolTip(tr("status.drifted_tip"))
        self.drift.setVisible(connection.drifted)
        self.replay.setText(self._replay_text())
        self.replay.setVisible(connection.replay)
        self.recording.setText(tr("status.recording"))
        self.recording.setVisible(self._link.recording)
        self._refresh_silenced()
        self.clock.setText(self._clock_text())
        # While disconnected, the reason needs the space of these labels.
        up = connection.state is LinkState.CONNECTED
        for label in (self.clock, self.latency, self.model):
            label.setVisible(up)
        self.latency.setText(self._latency_text())
        model = self._store.active_model
        self.model.setText(f"{model.name}@{model.version}" if model is not None else "")
        self.model.setToolTip(model.digest if model is not None else "")
        self._fit(self.width())

    def resizeEvent(self, event: QResizeEvent | None) -> None:
        """Show what fits the new width."""
        super().resizeEvent(event)
        self.refresh()

    def _fit(self, width: int) -> None:
        """Hide model, latency and clock, in this order, while the line is wider than the window."""
        shown = [label for label in self._badges if not label.isHidden()]
        connection = min(self.connection.sizeHint().width(), width // 2)
        needed = connection + sum(label.sizeHint().width() + SPACING for label in shown)
        for label in (self.model, self.latency, self.clock):
            if needed > width and not label.isHidden():
                needed -= label.sizeHint().width() + SPACING
                label.hide()

    def _refresh_silenced(self) -> None:
        """Show that alerts are muted or snoozed; a click undoes it."""
        self.muted.setText(tr("status.muted"))
        self.muted.setToolTip(tr("status.muted_tip"))
        self.muted.setVisible(self._preferences.alerts.muted)
        snoozed = self._store.buys.snoozed_at(self._store.now())
        self.snoozed.setText(tr("status.snoozed", n=len(snoozed)))
        self.snoozed.setToolTip(as_tooltip(tr("status.snoozed_tip", symbols=", ".join(snoozed))))
        self.snoozed.setVisible(bool(snoozed))

    def _unsnooze(self) -> None:
        self._store.buys.snoozed.clear()
        self.refresh()

    def _connection_text(self) -> str:
        connection = self._store.connection
        profile = self._link.profile
        where = (
            profile.name
            if profile.session or profile.name == profile.address
            else f"{profile.name} ({profile.address})"
        )
        if connection.disconnect_reason is not None:
            reason = tr(connection.disconnect_reason.key, **connection.disconnect_reason.values)
            if connection.state is LinkState.WAITING:
                return tr(
                    "status.waiting",
                    reason=reason,
                    seconds=f"{connection.retry_in():.0f}",
                    attempt=connection.attempt,
                )
            return reason
        if connection.state is LinkState.CONNECTED:
            return self._connected_text(where)
        return tr(f"status.{connection.state.value}", where=where)

    def _connected_text(self, where: str) -> str:
        connection, session = self._store.connection, self._link.session
        state = tr(f"data.{connection.data_state.value}")
        texts = [tr("status.connected", where=where, state=state)]
        if connection.lost_events:
            texts.append(tr("status.lost_events", n=connection.lost_events))
        if connection.resumes:
            texts.append(tr("status.resumed", n=connection.resumes))
        if connection.resets:
            texts.append(tr("status.reset"))
        if session is not None and session.ended:
            texts.append(tr("status.session_ended"))
        return " · ".join(texts)

    def _replay_text(self) -> str:
        if self._link.session is not None:
            return tr("status.replay", speed=f"{self._link.session.speed:g}")
        speed = self._store.connection.replay_speed
        return tr("status.replay", speed=_rounded(speed)) if speed else tr("status.replay_unknown")

    def _clock_text(self) -> str:
        connection = self._store.connection
        if connection.data_state is DataState.UNSPECIFIED:
            return ""
        moment, zone = connection.market_now(), self._zone()
        local = moment.astimezone(zone)
        text = f"{local:%Y-%m-%d %H:%M:%S} {local.tzname()}"
        if str(zone) != "Asia/Seoul" and self._preferences.clock != "utc" and language() == "ko":
            text += f" ({moment.astimezone(ZoneInfo('Asia/Seoul')):%H:%M} KST)"
        phases = [tr("status.phase", exchange=name, phase=tr(f"phase.{hours.phase.value}"))
                 for name, hours in sorted(self._store.hours.items()) if hours.phase.value != "unknown"]  # fmt: skip
        return "  ".join([text, *phases[:2]])

    def _zone(self) -> ZoneInfo | None:
        """Return the zone of the clock; None is the local one."""
        if self._preferences.clock == "exchange":
            zones = {item.time_zone for item in self._store.instruments.values()}
            if len(zones) == 1:
                return zone_named(zones.pop())
        return None if self._preferences.clock == "local" else ZoneInfo("UTC")

    def _latency_text(self) -> str:
        latency = self._store.connection.latency()
        if latency is None or self._link.session is not None:
            return ""
        return tr("status.latency", p50=f"{latency[0] * 1000:.1f}", p99=f"{latency[1] * 1000:.1f}")


def _rounded(speed: float) -> str:
    """Return a speed with one significant digit: that of a replay varies from bar to bar."""
    digits = max(0, len(f"{speed:.0f}") - 1)
    rounded = round(speed, -digits)
    if rounded >= 1e6:
        return f"{rounded / 1e6:.0f}M"
    return f"{rounded / 1e3:.0f}k" if rounded >= 10_000 else f"{rounded:,.0f}"
