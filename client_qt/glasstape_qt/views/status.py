"""How the link stands, always in sight: state with reason and next try, the market's clock, replay, latency."""

from zoneinfo import ZoneInfo

from glasstape import CalibrationState, DataState
from PyQt6.QtCore import Qt
from PyQt6.QtGui import QColor
from PyQt6.QtWidgets import QHBoxLayout, QLabel, QSizePolicy, QWidget

from glasstape_qt.i18n import language, say
from glasstape_qt.link import Link
from glasstape_qt.look.appearance import Appearance
from glasstape_qt.state.connection import LinkState
from glasstape_qt.state.desk import Desk
from glasstape_qt.state.exchange import zone_named
from glasstape_qt.state.preferences import Preferences

DOTS = {
    LinkState.CONNECTED: "●", LinkState.CONNECTING: "◌", LinkState.SILENT: "▲", LinkState.WAITING: "▲",
    LinkState.ENDED: "■",
}  # fmt: skip


class StatusStrip(QWidget):
    """One line of badges under the tables."""

    def __init__(self, desk: Desk, link: Link, appearance: Appearance, preferences: Preferences) -> None:
        super().__init__()
        self._desk, self._link, self._appearance = desk, link, appearance
        self._preferences = preferences
        self.connection, self.replay, self.stale = QLabel(), QLabel(), QLabel()
        self.clock, self.latency, self.recording, self.model = QLabel(), QLabel(), QLabel(), QLabel()
        self.calibration = QLabel()
        for label, name in (
            (self.connection, "connectionState"), (self.replay, "replayBadge"), (self.stale, "staleBadge"),
            (self.clock, "marketClock"), (self.latency, "latency"), (self.recording, "recordingBadge"),
            (self.model, "activeModel"), (self.calibration, "calibrationBadge"),
        ):  # fmt: skip
            label.setObjectName(name)
            label.setTextFormat(Qt.TextFormat.PlainText)
            label.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
        self.connection.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Preferred)
        layout = QHBoxLayout(self)
        layout.setContentsMargins(6, 2, 6, 2)
        layout.setSpacing(12)
        layout.addWidget(self.connection, 1)
        for label in (
            self.calibration, self.stale, self.replay, self.recording, self.clock, self.latency, self.model
        ):  # fmt: skip
            layout.addWidget(label)
        appearance.changed.connect(self.restyle)
        self.restyle()

    def restyle(self) -> None:
        """Another look or language."""
        theme = self._appearance.theme
        badge = (
            f"background: {theme.warning}; color: {theme.warning_text}; padding: 1px 6px; border-radius: 3px;"
        )
        for label in (self.replay, self.stale, self.recording, self.calibration):
            label.setStyleSheet(badge)
        self.refresh()

    def refresh(self) -> None:
        """Say how it stands now."""
        connection = self._desk.connection
        sentence = f"{DOTS[connection.state]} {self._sentence()}"
        self.connection.setText(sentence)
        self.connection.setToolTip(sentence)
        self.connection.setAccessibleName(sentence)
        troubled = connection.state in (LinkState.WAITING, LinkState.SILENT, LinkState.ENDED)
        palette = self.connection.palette()
        palette.setColor(
            self.connection.foregroundRole(),
            QColor(self._appearance.theme.warning_text if troubled else self._appearance.theme.text),
        )
        self.connection.setPalette(palette)
        self.stale.setText(say("status.stale"))
        self.stale.setVisible(not connection.fresh and connection.state is not LinkState.CONNECTING)
        self.calibration.setText(say("status.broken"))
        self.calibration.setToolTip(say("status.broken_tip"))
        self.calibration.setVisible(connection.calibration is CalibrationState.BROKEN)
        self.replay.setText(self._replay())
        self.replay.setVisible(connection.replay)
        self.recording.setText(say("status.recording"))
        self.recording.setVisible(self._link.recording)
        self.clock.setText(self._clock())
        # When the link is down its reason is all that matters, and needs the room.
        up = connection.state is LinkState.CONNECTED
        for label in (self.clock, self.latency, self.model):
            label.setVisible(up)
        self.latency.setText(self._latency())
        model = self._desk.active
        self.model.setText(f"{model.name}@{model.version}" if model is not None else "")
        self.model.setToolTip(model.digest if model is not None else "")

    def _sentence(self) -> str:
        connection = self._desk.connection
        profile = self._link.profile
        where = (
            profile.name
            if profile.session or profile.name == profile.address
            else f"{profile.name} ({profile.address})"
        )
        if connection.trouble is not None:
            reason = say(connection.trouble.key, **connection.trouble.values)
            if connection.state is LinkState.WAITING:
                return say(
                    "status.waiting",
                    reason=reason,
                    seconds=f"{connection.retry_in():.0f}",
                    attempt=connection.attempt,
                )
            return reason
        if connection.state is LinkState.CONNECTED:
            state = say(f"data.{connection.data_state.value}")
            gaps = f" · {say('status.gaps', n=connection.gaps)}" if connection.gaps else ""
            back = f" · {say('status.resumed', n=connection.resumed)}" if connection.resumed else ""
            back += f" · {say('status.reset')}" if connection.resets else ""
            if self._link.session is not None and self._link.session.ended:
                back += f" · {say('status.session_ended')}"
            return say("status.connected", where=where, state=state) + gaps + back
        return say(f"status.{connection.state.value}", where=where)

    def _replay(self) -> str:
        if self._link.session is not None:
            return say("status.replay", speed=f"{self._link.session.speed:g}")
        speed = self._desk.connection.replay_speed
        return say("status.replay", speed=_rounded(speed)) if speed else say("status.replay_unknown")

    def _clock(self) -> str:
        connection = self._desk.connection
        if connection.data_state is DataState.UNSPECIFIED:
            return ""
        moment, zone = connection.market_now(), self._zone()
        here = moment.astimezone(zone)
        text = f"{here:%Y-%m-%d %H:%M:%S} {here.tzname()}"
        if str(zone) != "Asia/Seoul" and self._preferences.clock != "utc" and language() == "ko":
            text += f" ({moment.astimezone(ZoneInfo('Asia/Seoul')):%H:%M} KST)"
        known = [say("status.phase", exchange=name, phase=say(f"phase.{hours.phase.value}"))
                 for name, hours in sorted(self._desk.hours.items()) if hours.phase.value != "unknown"]  # fmt: skip
        return "  ".join([text, *known[:2]])

    def _zone(self) -> ZoneInfo | None:
        """None: the machine's own."""
        if self._preferences.clock == "exchange":
            zones = {item.time_zone for item in self._desk.instruments.values()}
            if len(zones) == 1:
                return zone_named(zones.pop())
        return None if self._preferences.clock == "local" else ZoneInfo("UTC")

    def _latency(self) -> str:
        known = self._desk.connection.latency()
        if known is None or self._link.session is not None:
            return ""
        return say("status.latency", p50=f"{known[0] * 1000:.1f}", p99=f"{known[1] * 1000:.1f}")


def _rounded(speed: float) -> str:
    """One digit and its size: a replay's speed differs from bar to bar."""
    digits = max(0, len(f"{speed:.0f}") - 1)
    rough = round(speed, -digits)
    if rough >= 1e6:
        return f"{rough / 1e6:.0f}M"
    return f"{rough / 1e3:.0f}k" if rough >= 10_000 else f"{rough:,.0f}"
