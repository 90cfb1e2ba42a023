"""Any widget by itself, on the bundled session: what `python -m glasstape_qt.views.heatmap` shows."""

import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, cast

from glasstape import (
    Bar,
    Client,
    ConfidenceEvent,
    Event,
    EventBatch,
    Explanation,
    Instrument,
    Model,
    PreconditionError,
)
from glasstape.session import Session, read_session
from PyQt6.QtWidgets import QApplication, QWidget

from glasstape_qt.link import DEMO_SESSION, FAILURE, Link, T
from glasstape_qt.look.appearance import Appearance
from glasstape_qt.state.desk import Changes, Desk
from glasstape_qt.state.inbox import Inbox
from glasstape_qt.state.preferences import Preferences, Profile

A_DAY = 86_400.0
"""Seconds after its publishing at which a session is looked at: it measures no latency."""


@dataclass
class Stage:
    """What a widget needs to stand on."""

    desk: Desk
    link: Link
    appearance: Appearance
    preferences: Preferences
    session: Session

    def newest(self) -> ConfidenceEvent:
        """The newest signal with a recorded map."""
        found = [
            row.event for row in self.desk.rows.values() if row.event.sequence in self.session.explanations
        ]
        return max(found, key=lambda event: event.sequence)

    def explanation(self) -> Explanation:
        """Its map."""
        return self.session.explanations[self.newest().sequence][0]

    def model(self) -> Model:
        """What made it."""
        return self.desk.models[self.newest().model.digest]


def stage(preferences: Preferences | None = None, *, until: float = float("inf")) -> Stage:
    """The bundled session, played without waiting up to a second of it; every clock stands there.

    The same call gives the same picture, whenever and wherever it is made.
    """
    existing = QApplication.instance()
    application = existing if isinstance(existing, QApplication) else QApplication(sys.argv[:1])
    chosen = preferences or Preferences(profiles=[Profile(name="demo", session="demo")], profile="demo")
    session = read_session(DEMO_SESSION)
    played = [message for seconds, message in session.messages if seconds <= until]
    wall = [0.0]
    desk = Desk(now=lambda: 100.0, wall=lambda: wall[0])
    desk.describe(session.models, session.instruments)
    desk.recall(session.events)
    inbox = Inbox(desk.wall)
    for message in played:
        if isinstance(message, EventBatch) and message.events:
            wall[0] = message.events[-1].publish_time.timestamp() + A_DAY
        inbox.put(message)
        delivery = inbox.take()
        if delivery is not None:
            desk.take(delivery)
    events = [*session.events, *(event for message in played for event in getattr(message, "events", ()))]
    return Stage(desk, StillLink(desk, session, events), Appearance(application, chosen), chosen, session)


def show(make: Callable[[Stage], QWidget]) -> None:
    """Open one widget until it is closed."""
    made = stage()
    widget = make(made)
    everything = Changes(rows=set(made.desk.rows), buys=True, reset=True)
    widget.show()
    if hasattr(widget, "take"):
        widget.take(everything)
    application = QApplication.instance()
    if application is not None:
        application.exec()


def show_map() -> None:
    """Open the heat map of the newest signal."""
    from glasstape_qt.views.heatmap import HeatmapView, Picture

    def make(made: Stage) -> QWidget:
        view = HeatmapView(made.appearance)
        explanation = made.explanation()
        full = explanation.heatmap.full_colour if explanation.heatmap is not None else 1.0
        view.show_picture(Picture(explanation, made.model(), full=full))
        return view

    show(make)


class StillLink(Link):
    """A link whose questions are answered at once, from the session."""

    def __init__(self, desk: Desk, session: Session, events: Sequence[Event]) -> None:
        super().__init__(desk)
        self.profile = Profile(name="demo", session="demo")
        self._answers = cast(Client, _Answers(session, events))

    def ask(
        self,
        key: str,
        question: Callable[[Client], T],
        then: Callable[[T], None],
        otherwise: Callable[[Exception], None] | None = None,
    ) -> None:
        """Answer before returning."""
        try:
            answer = question(self._answers)
        except FAILURE as error:
            if otherwise is not None:
                otherwise(error)
            return
        then(answer)


class _Answers:
    """The part of `Client` that views ask, over a session."""

    def __init__(self, session: Session, events: Sequence[Event]) -> None:
        self._session, self._events = session, events

    def models(self) -> list[Model]:
        return list(self._session.models)

    def instruments(self) -> list[Instrument]:
        return list(self._session.instruments)

    def bars(
        self, symbol: str, interval: str, *, start: datetime | None = None, end: datetime | None = None
    ) -> list[Bar]:
        played = [event.signal.bar for event in self._events if isinstance(event, ConfidenceEvent)]
        wanted = [
            bar for bar in [*self._session.bars, *played] if (bar.symbol, bar.interval) == (symbol, interval)
        ]
        known = sorted({bar.close_time: bar for bar in wanted}.items())
        return [bar for time, bar in known if (start or time) <= time <= (end or time)]

    def history(
        self,
        *,
        symbols: Sequence[str] = (),
        kinds: Sequence[str] = (),
        start_sequence: int = 0,
        end_sequence: int = 0,
        descending: bool = False,
    ) -> Iterator[Event]:
        known = {event.sequence: event for event in self._events}
        for sequence in sorted(known, reverse=descending):
            event: Any = known[sequence]
            in_range = start_sequence <= sequence <= (end_sequence or sequence)
            kind_fits = not kinds or event.kind.value in kinds
            if in_range and kind_fits and (not symbols or event.symbol in symbols):
                yield event

    def explain(
        self, *, signals: Sequence[int], method: str, score: str = "margin", quality: str = "fast"
    ) -> list[Explanation]:
        found = [
            item
            for item in self._session.explanations.get(signals[0], ())
            if (item.method.value, item.score_kind.value) == (str(method), str(score))
        ]
        if not found:
            raise PreconditionError(f"{method} of {score} for signal {signals[0]} is not in this recording")
        return found[:1]
