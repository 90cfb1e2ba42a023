"""Runs single widgets on the bundled session, without a server: `python -m glasstape_qt.views.…`."""

import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from typing import Any, cast

from glasstape import (
    Bar,
    Client,
    ConfidenceEvent,
    Event,
    EventBatch,
    Explanation,
    Importance,
    Instrument,
    Model,
    PreconditionError,
    TrackRecords,
    WindowFilter,
)
from glasstape.session import Session, read_session
from PyQt6.QtWidgets import QApplication, QWidget

from glasstape_qt.link import EXPECTED_ERRORS, Link, T
from glasstape_qt.session_files import DEMO_SESSION
from glasstape_qt.state.inbox import Inbox
from glasstape_qt.state.preferences import Preferences, Profile
from glasstape_qt.state.signal_store import SignalStore
from glasstape_qt.state.store_changes import StoreChanges
from glasstape_qt.theme.appearance import Appearance

ONE_DAY_S = 86_400.0
"""The wall clock stands this much after the newest event: too late for the latency to be measured."""


@dataclass
class PreviewContext:
    """What widgets are created from."""

    store: SignalStore
    link: "SessionLink"
    appearance: Appearance
    preferences: Preferences
    session: Session

    def newest(self) -> ConfidenceEvent:
        """Return the newest signal whose explanation is in the session."""
        explained = [
            row.event for row in self.store.rows.values() if row.event.sequence in self.session.explanations
        ]
        return max(explained, key=lambda event: event.sequence)

    def explanation(self) -> Explanation:
        """Return the first explanation of the newest signal."""
        return self.session.explanations[self.newest().sequence][0]

    def model(self) -> Model:
        """Return the model of the newest signal."""
        return self.store.models[self.newest().model.digest]


@cache
def _demo_session() -> Session:
    """Return the bundled session, read once; nothing changes it."""
    return read_session(DEMO_SESSION)


def load_preview(preferences: Preferences | None = None, *, until: float = float("inf")) -> PreviewContext:
    """Load the bundled session with all clocks stopped, so that every call gives the same picture.

    Args:
        preferences: default: those of a first start.
        until: second of the session up to which its messages are applied.
    """
    existing = QApplication.instance()
    application = existing if isinstance(existing, QApplication) else QApplication(sys.argv[:1])
    preferences = preferences or Preferences(profiles=[Profile(name="demo", session="demo")], profile="demo")
    session = _demo_session()
    messages = [message for seconds, message in session.messages if seconds <= until]
    wall = [0.0]
    store = SignalStore(now=lambda: 100.0, wall=lambda: wall[0])
    store.describe(session.models, session.instruments)
    store.add_history(session.events)
    inbox = Inbox(store.wall)
    for message in messages:
        if isinstance(message, EventBatch) and message.events:
            wall[0] = message.events[-1].publish_time.timestamp() + ONE_DAY_S
        inbox.put(message)
        batch = inbox.take()
        if batch is not None:
            store.apply(batch)
    events = [
        *session.events,
        *(event for message in messages for event in getattr(message, "events", ())),
    ]
    link = SessionLink(store, session, events)
    return PreviewContext(store, link, Appearance(application, preferences), preferences, session)


def run_preview(create: Callable[[PreviewContext], QWidget]) -> None:
    """Show one widget until it is closed."""
    context = load_preview()
    widget = create(context)
    widget.show()
    apply_changes = getattr(widget, "apply_changes", None)
    if apply_changes is not None:
        apply_changes(StoreChanges(rows=set(context.store.rows), buys=True, reset=True))
    application = QApplication.instance()
    if application is not None:
        application.exec()


class SessionLink(Link):
    """A link whose requests are answered from a session, before `request` returns."""

    def __init__(self, store: SignalStore, session: Session, events: Sequence[Event]) -> None:
        super().__init__(store)
        self.profile = Profile(name="demo", session="demo")
        self.client = cast(Client, _SessionClient(session, events))

    def request(
        self,
        key: str,
        call: Callable[[Client], T],
        on_result: Callable[[T], None],
        on_error: Callable[[Exception], None] | None = None,
    ) -> None:
        """Run the call and one of the callbacks."""
        try:
            result = call(self.client)
        except EXPECTED_ERRORS as error:
            if on_error is not None:
                on_error(error)
            return
        on_result(result)


class _SessionClient:
    """The methods of `Client` that views use, over a session."""

    def __init__(self, session: Session, events: Sequence[Event]) -> None:
        self._session, self._events = session, events

    def models(self) -> list[Model]:
        return list(self._session.models)

    def instruments(self) -> list[Instrument]:
        return list(self._session.instruments)

    def bars(
        self, symbol: str, interval: str, *, start: datetime | None = None, end: datetime | None = None
    ) -> list[Bar]:
        streamed = [event.signal.bar for event in self._events if isinstance(event, ConfidenceEvent)]
        matching = [
            bar
            for bar in [*self._session.bars, *streamed]
            if (bar.symbol, bar.interval) == (symbol, interval)
        ]
        by_time = sorted({bar.close_time: bar for bar in matching}.items())
        return [bar for time, bar in by_time if (start or time) <= time <= (end or time)]

    def history(
        self,
        *,
        symbols: Sequence[str] = (),
        kinds: Sequence[str] = (),
        start_sequence: int = 0,
        end_sequence: int = 0,
        descending: bool = False,
    ) -> Iterator[Event]:
        by_sequence = {event.sequence: event for event in self._events}
        for sequence in sorted(by_sequence, reverse=descending):
            event: Any = by_sequence[sequence]
            in_range = start_sequence <= sequence <= (end_sequence or sequence)
            kind_matches = not kinds or event.kind.value in kinds
            if in_range and kind_matches and (not symbols or event.symbol in symbols):
                yield event

    def track_record(self, *, model: str = "", symbols: Sequence[str] = ()) -> TrackRecords:
        return self._session.track_records[symbols[0] if symbols else ""]

    def importance(self, window_filter: WindowFilter | None = None, **options: object) -> Importance:
        raise PreconditionError("a recording has no model that could explain further windows")

    def explain(
        self, *, signals: Sequence[int], method: str, score: str = "unspecified", quality: str = "fast"
    ) -> list[Explanation]:
        matching = [
            item
            for item in self._session.explanations.get(signals[0], ())
            if item.method.value == str(method) and str(score) in ("unspecified", item.score_kind.value)
        ]
        if not matching:
            raise PreconditionError(f"{method} of {score} for signal {signals[0]} is not in this recording")
        return matching[:1]
