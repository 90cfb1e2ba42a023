"""The connection to the server: reader thread, worker threads for requests, and a timer that drains.

The only module that joins Qt and the SDK's client.
"""

import sys
import threading
from collections import deque
from collections.abc import Callable
from itertools import islice
from pathlib import Path
from typing import Any, TypeVar

from glasstape import Client, GlasstapeError, SignalStream
from glasstape.session import Recorder, SessionServer
from PyQt6.QtCore import QObject, Qt, QTimer, pyqtSignal

from glasstape_qt.credentials import has_stored_token, read_token_in_background, tls_of
from glasstape_qt.session_files import session_path
from glasstape_qt.state.connection import DisconnectReason, LinkState
from glasstape_qt.state.inbox import Inbox, InboxBatch
from glasstape_qt.state.preferences import Profile
from glasstape_qt.state.signal_store import SignalStore
from glasstape_qt.state.store_changes import StoreChanges
from glasstape_qt.token_store import TokenStoreError, session_token
from glasstape_qt.worker_pool import WorkerPool

T = TypeVar("T")
DRAIN_INTERVAL_MS = 30
HISTORY_EVENTS = 600
"""Newest buys and outcomes of the journal that the list of buys starts with."""
DESCRIBE_RETRY_S = 5.0
"""Seconds between two requests for the server's models and instruments."""
EXPECTED_ERRORS = (GlasstapeError, OSError, ValueError)


class Link(QObject):
    """Streams one profile's signals into a `SignalStore`, which it changes on the GUI thread only."""

    changed = pyqtSignal(object)
    """`StoreChanges` of an update."""
    drained = pyqtSignal()
    """The timer has run, whether or not anything had arrived."""
    failed = pyqtSignal(str, object)
    """Something besides the stream failed: a key of the language files, and the error."""
    recording_changed = pyqtSignal()
    """A recording has started or ended."""

    def __init__(self, store: SignalStore, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self.store = store
        self.profile = Profile(name="-")
        """The profile in use."""
        self.address = ""
        """host:port of the server; of the local one that plays a session."""
        self.session: SessionServer | None = None
        """Server of the recorded session, if the profile is one."""
        self._inbox = Inbox()
        self._client: Client | None = None
        self._stream: SignalStream | None = None
        self._reader: threading.Thread | None = None
        self._recorder: Recorder | None = None
        self._started_recorders: deque[Recorder] = deque()
        """Recorders that a worker started and the GUI thread has not taken over yet."""
        self._workers = WorkerPool()
        self._callbacks: deque[Callable[[], Any]] = deque()
        """To run on the GUI thread at the next drain."""
        self._history_version = 0
        self._described_at: float | None = None
        self._token: str | None = None
        self._timer = QTimer(self)
        self._timer.setTimerType(Qt.TimerType.PreciseTimer)
        self._timer.timeout.connect(self.drain)

    def open(self, profile: Profile) -> None:
        """Connect to a profile; errors are reported by the store's connection."""
        self.close()
        self.profile, self._described_at = profile, None
        if has_stored_token(profile):
            self._wait_for_keyring(profile)
        else:
            self._connect(profile, session_token(profile.name))
        self._timer.start(DRAIN_INTERVAL_MS)
        self.changed.emit(StoreChanges(rows=set(self.store.rows), reset=True, buys=True))

    def close(self) -> None:
        """End the stream and join every thread."""
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
        self._workers.stop()
        if self.session is not None:
            self.session.close()
        while self._started_recorders:
            self._started_recorders.popleft().close()
        self._stream = self._client = self._reader = self.session = None
        self._workers, self._inbox = WorkerPool(), Inbox()
        self._callbacks = deque()  # a thread of the keyring may still hold the previous one

    def request(
        self,
        key: str,
        call: Callable[[Client], T],
        on_result: Callable[[T], None],
        on_error: Callable[[Exception], None] | None = None,
    ) -> None:
        """Call the server on a worker thread; without a connection, do nothing.

        The callbacks run on the GUI thread, unless the server has started a new history meanwhile.

        Args:
            key: a newer request replaces a pending one with the same key.
            call: runs on a worker thread.
            on_result: receives what `call` returned.
            on_error: receives the exception that `call` raised.
        """
        client, version = self._client, self._history_version
        if client is None:
            return

        def deliver(callback: Callable[[Any], None], value: Any) -> None:
            if version == self._history_version:
                callback(value)

        def job() -> None:
            try:
                result = call(client)
            except Exception as error:
                if not isinstance(error, EXPECTED_ERRORS):
                    _report(error)
                if on_error is not None:
                    self._callbacks.append(lambda error=error: deliver(on_error, error))  # type: ignore[misc]
                return
            self._callbacks.append(lambda: deliver(on_result, result))

        self._workers.submit(key, job)

    def drain(self) -> None:
        """Run pending callbacks, apply what arrived to the store, and emit `changed` once."""
        while self._callbacks:
            self._callbacks.popleft()()
        batch, connection = self._inbox.take(), self.store.connection
        if batch is not None or self.store.has_backlog:
            batch = batch or InboxBatch()
            if batch.reset:
                self._history_version += 1
                self._described_at = None
            self.changed.emit(self.store.apply(batch))
        elif connection.check_silence():
            self.changed.emit(StoreChanges())
        if connection.state is LinkState.ENDED and self._stream is not None:
            self._stream.close()
        if connection.state is LinkState.CONNECTED:
            self._request_descriptions()
        if self._recorder is not None and self._recorder.error is not None:
            self.stop_recording()
        self.drained.emit()

    def start_recording(self, path: Path) -> None:
        """Record the stream to a session file, over a connection of its own; errors are emitted by `failed`."""
        self.stop_recording()
        profile, address, callbacks, token = self.profile, self.address, self._callbacks, self._token

        def start() -> None:
            try:
                recorder = Recorder(address, path, tls=tls_of(profile), token=token)
            except EXPECTED_ERRORS as error:
                callbacks.append(lambda error=error: self.failed.emit("record.failed", error))  # type: ignore[misc]
                return
            self._started_recorders.append(recorder)
            callbacks.append(self._recording_started)

        self._workers.submit("record", start)

    def stop_recording(self) -> None:
        """End the recording; an error of it is emitted by `failed`."""
        recorder, self._recorder = self._recorder, None
        if recorder is None:
            return
        recorder.close()
        if recorder.error is not None:
            self.failed.emit("record.failed", recorder.error)
        self.recording_changed.emit()

    def change_speed(self, factor: float) -> None:
        """Multiply the playback speed of a recorded session, within 0.01-100; no effect on a server."""
        if self.session is not None:
            self.session.speed = min(100.0, max(0.01, self.session.speed * factor))

    @property
    def recording(self) -> bool:
        """Whether a session is being recorded."""
        return self._recorder is not None

    @property
    def recorder(self) -> Recorder | None:
        """The recorder of the running recording."""
        return self._recorder

    def _recording_started(self) -> None:
        self._recorder = self._started_recorders.popleft()
        self.recording_changed.emit()

    def _wait_for_keyring(self, profile: Profile) -> None:
        """Connect when the keyring has returned the token; it may ask its user to unlock it."""
        callbacks = self._callbacks
        self.store.connection.disconnect_reason = DisconnectReason("link.keyring_waiting", {})

        def on_result(result: str | OSError) -> None:
            callbacks.append(lambda: self._token_arrived(profile, result))

        read_token_in_background(profile, on_result)

    def _token_arrived(self, profile: Profile, result: str | OSError) -> None:
        self.store.connection.disconnect_reason = None
        if isinstance(result, OSError):
            key = "link.keyring" if isinstance(result, TokenStoreError) else "link.token_file"
            self.store.connection.end(DisconnectReason(key, {"error": str(result)}))
        else:
            self._connect(profile, result)
        self.changed.emit(StoreChanges())

    def _connect(self, profile: Profile, token: str | None) -> None:
        """Open the stream; errors of the settings are reported by the store's connection."""
        try:
            self._open_stream(profile, token)
        except EXPECTED_ERRORS as error:
            key = "link.session" if profile.session else "link.settings"
            self.store.connection.end(DisconnectReason(key, {"error": str(error)}))

    def _open_stream(self, profile: Profile, token: str | None) -> None:
        self.address, self._token = profile.address, token
        tls = None if profile.session else tls_of(profile)
        if profile.session:
            self.session = SessionServer(session_path(profile), speed=profile.speed).start()
            self.address = self.session.address
        self._client = Client(self.address, tls=tls, token=token)
        self._stream = self._client.signals(quotes=True)
        self._reader = threading.Thread(target=self._read, name="glasstape-reader", args=(self._stream,))
        self._reader.start()

    def _read(self, stream: SignalStream) -> None:
        """Put every message into the inbox (reader thread)."""
        inbox, callbacks = self._inbox, self._callbacks
        try:
            for message in stream.messages():
                inbox.put(message)
        except Exception as error:
            if not isinstance(error, EXPECTED_ERRORS):
                _report(error)
            known = error if isinstance(error, GlasstapeError) else GlasstapeError(str(error) or repr(error))
            callbacks.append(lambda: self.changed.emit(self.store.fail(known)))

    def _request_descriptions(self) -> None:
        """Request models and instruments once, and again for those that are not described."""
        first = self._described_at is None
        now = self.store.now()
        if self._described_at is not None and now - self._described_at < DESCRIBE_RETRY_S:
            return
        if not (first or self.store.unknown_models or self.store.has_unknown_symbols):
            return
        self._described_at = now
        self.request(
            "describe",
            lambda client: (client.models(), client.instruments()),
            lambda result: self.changed.emit(self.store.describe(*result)),
            self._description_failed,
        )
        if first:
            self.request(
                "history",
                _past_buys,
                lambda events: self.changed.emit(self.store.add_history(events)),
                lambda error: self.failed.emit("link.history_failed", error),
            )

    def _description_failed(self, error: Exception) -> None:
        if self.store.active_model is not None:
            self.store.unknown_models.add(self.store.active_model)  # so that it is retried
        self.failed.emit("link.description_failed", error)


def _report(error: Exception) -> None:
    """Pass an unexpected error of a thread to the crash reporter; the thread continues."""
    sys.excepthook(type(error), error, error.__traceback__)


def _past_buys(client: Client) -> list[Any]:
    events = client.history(kinds=["buy", "outcome"], descending=True)
    return list(islice(events, HISTORY_EVENTS))[::-1]
