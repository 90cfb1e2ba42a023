"""The one file that joins Qt and the SDK: a reader thread, threads that ask, and a timer that drains."""

import sys
import threading
from collections import deque
from collections.abc import Callable
from importlib.resources import files
from itertools import islice
from pathlib import Path
from typing import Any, TypeVar

from glasstape import Client, GlasstapeError, SignalStream, Tls
from glasstape.session import Recorder, SessionServer
from PyQt6.QtCore import QObject, Qt, QTimer, pyqtSignal

from glasstape_qt import secrets
from glasstape_qt.askers import Askers
from glasstape_qt.state.connection import LinkState, Trouble
from glasstape_qt.state.desk import Changes, Desk
from glasstape_qt.state.inbox import Delivery, Inbox
from glasstape_qt.state.preferences import DEMO, Profile

T = TypeVar("T")
DRAIN_MILLISECONDS = 30
PAST_BUYS = 300
"""Buys and outcomes of the journal that the feed list begins with."""
ASK_AGAIN_SECONDS = 5.0
"""Between two tries to learn what the server is."""
DEMO_SESSION = Path(str(files("glasstape_qt") / "resources/demo.session.gz"))
FAILURE = (GlasstapeError, OSError, ValueError)


class Link(QObject):
    """Follows one profile's feed into a `Desk`. The desk is changed on the GUI thread alone."""

    changed = pyqtSignal(object)
    """`Changes` of a delivery."""
    drained = pyqtSignal()
    """The timer has run, whether or not anything had come."""
    troubled = pyqtSignal(str, object)
    """Something beside the feed failed: what (a key of the language tables), and the error."""
    recorded = pyqtSignal()
    """A recording has begun or ended."""

    def __init__(self, desk: Desk, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self.desk = desk
        self.profile = Profile(name="-")
        """What is followed."""
        self.address = ""
        self.session: SessionServer | None = None
        """The recording that is played, if it is one."""
        self._inbox = Inbox()
        self._client: Client | None = None
        self._stream: SignalStream | None = None
        self._reader: threading.Thread | None = None
        self._recorder: Recorder | None = None
        self._born: deque[Recorder] = deque()
        """Recorders that were begun on a thread and are not known here yet."""
        self._askers = Askers()
        self._done: deque[Callable[[], Any]] = deque()
        self._history = 0
        self._described_at: float | None = None
        self._timer = QTimer(self)
        self._timer.setTimerType(Qt.TimerType.PreciseTimer)
        self._timer.timeout.connect(self.drain)

    def open(self, profile: Profile) -> None:
        """Follow a profile from now on; trouble is told through the desk's connection."""
        self.close()
        self.profile, self._described_at = profile, None
        try:
            self._connect(profile)
        except FAILURE as error:
            key = "link.session" if profile.session else "link.settings"
            self.desk.connection.end(Trouble(key, {"error": str(error)}))
        self._timer.start(DRAIN_MILLISECONDS)
        self.changed.emit(Changes(rows=set(self.desk.rows), reset=True, buys=True))

    def close(self) -> None:
        """End the stream, join every thread."""
        self._timer.stop()
        recorder, self._recorder = self._recorder, None
        if recorder is not None:
            recorder.close()
        if self._stream is not None:
            self._stream.close()
        if self._client is not None:
            self._client.close()
        if self._reader is not None:
            self._reader.join()
        self._askers.stop()
        if self.session is not None:
            self.session.close()
        while self._born:
            self._born.popleft().close()
        self._stream = self._client = self._reader = self.session = None
        self._askers, self._inbox = Askers(), Inbox()
        self._done.clear()

    def ask(
        self,
        key: str,
        question: Callable[[Client], T],
        then: Callable[[T], None],
        otherwise: Callable[[Exception], None] | None = None,
    ) -> None:
        """Ask the server without waiting; `then` runs on the GUI thread, unless history was lost meanwhile.

        A question with the key of one that still waits takes its place.
        """
        client, history = self._client, self._history
        if client is None:
            return

        def answered(deed: Callable[[Any], None], value: Any) -> None:
            if history == self._history:
                deed(value)

        def work() -> None:
            try:
                answer = question(client)
            except Exception as error:
                if not isinstance(error, FAILURE):
                    self._broke(error)
                if otherwise is not None:
                    self._done.append(lambda error=error: answered(otherwise, error))  # type: ignore[misc]
                return
            self._done.append(lambda: answered(then, answer))

        self._askers.put(key, work)

    def drain(self) -> None:
        """Take everything that has come since the last time, then tell once."""
        while self._done:
            self._done.popleft()()
        delivery, connection = self._inbox.take(), self.desk.connection
        if delivery is not None or self.desk.behind:
            delivery = delivery or Delivery()
            if delivery.reset:
                self._history += 1
                self._described_at = None
            self.changed.emit(self.desk.take(delivery))
        elif connection.tick():
            self.changed.emit(Changes())
        if connection.state is LinkState.ENDED and self._stream is not None:
            self._stream.close()
        if connection.state is LinkState.CONNECTED:
            self._describe()
        if self._recorder is not None and self._recorder.error is not None:
            self.stop_recording()
        self.drained.emit()

    def record(self, path: Path) -> None:
        """Write the feed into a session file, on a connection of its own. Trouble is told by `troubled`."""
        self.stop_recording()
        profile, address, done = self.profile, self.address, self._done

        def begin() -> None:
            try:
                recorder = Recorder(address, path, tls=_tls(profile), token=_token(profile))
            except FAILURE as error:
                done.append(lambda error=error: self.troubled.emit("record.failed", error))  # type: ignore[misc]
                return
            self._born.append(recorder)
            done.append(self._begun)

        self._askers.put("record", begin)

    def stop_recording(self) -> None:
        """End the recording, and tell what went wrong in it."""
        recorder, self._recorder = self._recorder, None
        if recorder is None:
            return
        recorder.close()
        if recorder.error is not None:
            self.troubled.emit("record.failed", recorder.error)
        self.recorded.emit()

    def change_speed(self, factor: float) -> None:
        """Play a recorded session faster or slower, 0.01-100 ×; a server's market keeps its own pace."""
        if self.session is not None:
            self.session.speed = min(100.0, max(0.01, self.session.speed * factor))

    @property
    def recording(self) -> bool:
        """Whether a session is being written."""
        return self._recorder is not None

    def _begun(self) -> None:
        self._recorder = self._born.popleft()
        self.recorded.emit()

    def _connect(self, profile: Profile) -> None:
        self.address = profile.address
        tls, token = None, None
        if profile.session:
            self.session = SessionServer(session_path(profile), speed=profile.speed).start()
            self.address = self.session.address
        else:
            tls, token = _tls(profile), _token(profile)
        self._client = Client(self.address, tls=tls, token=token)
        self._stream = self._client.signals()
        self._reader = threading.Thread(target=self._read, name="glasstape-reader", args=(self._stream,))
        self._reader.start()

    def _read(self, stream: SignalStream) -> None:
        """On the reader thread: nothing but putting into the inbox."""
        inbox, done = self._inbox, self._done
        try:
            for message in stream.messages():
                inbox.put(message)
        except Exception as error:
            if not isinstance(error, FAILURE):
                self._broke(error)
            known = error if isinstance(error, GlasstapeError) else GlasstapeError(str(error) or repr(error))
            done.append(lambda: self.changed.emit(self.desk.fail(known)))

    def _broke(self, error: Exception) -> None:
        """A mistake of ours, in a thread: the crash watch shows it, and everything else goes on."""
        sys.excepthook(type(error), error, error.__traceback__)

    def _describe(self) -> None:
        """Ask what the server is, once; again for models not yet known, or a while after a failure."""
        first = self._described_at is None
        now = self.desk.now()
        wanted = first or bool(self.desk.unknown_models)
        if not wanted or (self._described_at is not None and now - self._described_at < ASK_AGAIN_SECONDS):
            return
        self._described_at = now

        def describe(client: Client) -> tuple[Any, Any]:
            return client.models(), client.instruments()

        def described(answer: tuple[Any, Any]) -> None:
            self.changed.emit(self.desk.describe(*answer))

        self.ask("describe", describe, described, self._not_described)
        if first:
            self.ask("recall", _past_buys, self._recalled, self._not_recalled)

    def _not_described(self, error: Exception) -> None:
        if self.desk.active is not None:
            self.desk.unknown_models.add(self.desk.active)  # so that it is asked again after a while
        self.troubled.emit("link.not_described", error)

    def _recalled(self, events: list[Any]) -> None:
        self.changed.emit(self.desk.recall(events))

    def _not_recalled(self, error: Exception) -> None:
        self.troubled.emit("link.not_recalled", error)


def _past_buys(client: Client) -> list[Any]:
    events = client.history(kinds=["buy", "outcome"], descending=True)
    return list(islice(events, 2 * PAST_BUYS))[::-1]


def session_path(profile: Profile) -> Path:
    """The file of a profile's session; the bundled one is named `demo`."""
    return DEMO_SESSION if profile.session == DEMO else Path(profile.session).expanduser()


def _tls(profile: Profile) -> Tls | None:
    if not profile.tls:
        return None
    authorities = profile.root_certificates
    return Tls(root_certificates=Path(authorities).expanduser().read_bytes() if authorities else None)


def _token(profile: Profile) -> str | None:
    if not profile.token:
        return None
    token = secrets.read(profile.name)
    if token is None:
        raise ValueError(f"the key ring has no token of {profile.name!r}")
    return token
