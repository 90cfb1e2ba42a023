"""What a detail asks the server. An answer counts only while nothing newer of its kind has been asked."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import islice
from typing import TypeVar

from glasstape import Bar, Client, Event, Explanation, Method, PreconditionError
from glasstape.calendars import interval_length

from glasstape_qt.link import Link
from glasstape_qt.state.detail import BARS, SIGNALS

T = TypeVar("T")
Failed = Callable[[Exception], None]
CLOSED_HOURS = 4
"""Markets are closed at night and at weekends: bars lie this many times as far back as they are long."""


@dataclass(frozen=True)
class Asked:
    """What a map is of."""

    sequence: int
    method: str
    score: str


class Questions:
    """Questions of one detail; the answers come on the GUI thread."""

    def __init__(self, link: Link, owner: object) -> None:
        self._link = link
        self._owner = f"{id(owner):x}"
        self._newest: dict[str, object] = {}

    def close(self) -> None:
        """The detail is gone, or history was: answers that are still on their way go nowhere."""
        self._newest.clear()

    def history(
        self,
        symbol: str,
        interval: str,
        now: datetime,
        then: Callable[[tuple[list[Bar], list[Event]]], None],
        otherwise: Failed,
    ) -> None:
        """The newest bars, past signals and their outcomes."""

        def ask(client: Client) -> tuple[list[Bar], list[Event]]:
            events = client.history(symbols=[symbol], kinds=["confidence", "outcome"], descending=True)
            bars = client.bars(symbol, interval, start=now - _reach(interval))
            return bars, list(islice(events, 2 * SIGNALS))

        self._ask("history", symbol, ask, then, otherwise)

    def past_bars(
        self,
        symbol: str,
        interval: str,
        until: datetime,
        then: Callable[[list[Bar]], None],
        otherwise: Failed,
    ) -> None:
        """Bars up to an old signal."""

        def ask(client: Client) -> list[Bar]:
            return client.bars(symbol, interval, start=until - _reach(interval), end=until)[-BARS:]

        self._ask("past", until, ask, then, otherwise)

    def signal(
        self, symbol: str, sequence: int, then: Callable[[Event | None], None], otherwise: Failed
    ) -> None:
        """One past signal; None if the journal no longer has it."""

        def ask(client: Client) -> Event | None:
            found = client.history(symbols=[symbol], start_sequence=sequence, end_sequence=sequence)
            return next(iter(found), None)

        self._ask("signal", sequence, ask, then, otherwise)

    def map(self, asked: Asked, then: Callable[[Explanation], None], otherwise: Failed) -> None:
        """The heat map of a signal."""
        self._newest.pop("checks", None)
        self._ask("map", asked, lambda client: _explain(client, asked), then, otherwise)

    def checks(
        self,
        asked: Asked,
        flips: bool,
        then: Callable[[tuple[Explanation, Explanation | None]], None],
        otherwise: Failed,
    ) -> None:
        """The same map with every check, and the counterfactual if the model `flips`."""

        def ask(client: Client) -> tuple[Explanation, Explanation | None]:
            full = _explain(client, asked, quality="full")
            if not flips:
                return full, None
            try:
                return full, client.explain(signals=[asked.sequence], method=Method.COUNTERFACTUAL)[0]
            except PreconditionError:
                return full, None  # a recording need not hold it; the map does not depend on it

        self._ask("checks", asked, ask, then, otherwise)

    def comparison(
        self,
        sequence: int,
        methods: Sequence[Method],
        score: str,
        then: Callable[[Method, Explanation], None],
        otherwise: Callable[[Method, Exception], None],
    ) -> None:
        """The signal's map by each method, one by one."""
        for method in methods:
            self._compare(method, Asked(sequence, method, score), then, otherwise)

    def _compare(
        self,
        method: Method,
        asked: Asked,
        then: Callable[[Method, Explanation], None],
        otherwise: Callable[[Method, Exception], None],
    ) -> None:
        self._ask(
            f"compare {method}",
            asked,
            lambda client: _explain(client, asked),
            lambda answer: then(method, answer),
            lambda error: otherwise(method, error),
        )

    def _ask(
        self,
        kind: str,
        about: object,
        question: Callable[[Client], T],
        then: Callable[[T], None],
        otherwise: Failed,
    ) -> None:
        self._newest[kind] = about

        def answered(answer: T) -> None:
            if self._newest.get(kind) == about:
                then(answer)

        def failed(error: Exception) -> None:
            if self._newest.get(kind) == about:
                otherwise(error)

        self._link.ask(f"{kind}:{self._owner}", question, answered, failed)


def _explain(client: Client, asked: Asked, quality: str = "fast") -> Explanation:
    signals = [asked.sequence]
    return client.explain(signals=signals, method=asked.method, score=asked.score, quality=quality)[0]


def _reach(interval: str) -> timedelta:
    return interval_length(interval) * BARS * CLOSED_HOURS
