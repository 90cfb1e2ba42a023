"""Requests of a detail. A result is dropped if a newer request of its kind was made meanwhile."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import islice
from typing import TypeVar

from glasstape import (
    Bar,
    Client,
    Event,
    Explanation,
    GlasstapeError,
    Method,
    PreconditionError,
)
from glasstape.calendars import interval_length

from glasstape_qt.link import Link
from glasstape_qt.state.symbol_detail import MAX_BARS, MAX_SIGNALS, SignalMap

T = TypeVar("T")
OnError = Callable[[Exception], None]
OLDER_FACTOR = 5
"""Time spans of `MAX_BARS` bars that are requested at once while the user scrolls back."""
CLOSED_HOURS_FACTOR = 4
"""Markets close at night and on weekends: this many bar lengths are requested for each bar."""


@dataclass(frozen=True)
class ExplanationKey:
    """Identifies the shown explanations of a signal: all are of its journaled window and model version."""

    sequence: int
    methods: tuple[Method, ...]
    """One or two, in the order of their maps."""
    score: str


class DetailRequests:
    """Requests of one detail; the callbacks run on the GUI thread."""

    def __init__(self, link: Link, owner: object) -> None:
        self._link = link
        self._owner = f"{id(owner):x}"
        self._newest: dict[str, object] = {}

    def close(self) -> None:
        """Drop results that have not arrived: the detail was closed, or the server started a new history."""
        self._newest.clear()

    def history(
        self,
        symbol: str,
        interval: str,
        now: datetime,
        on_result: Callable[[tuple[list[Bar], list[Event]]], None],
        on_error: OnError,
    ) -> None:
        """Request the newest bars, past signals and their outcomes."""

        def call(client: Client) -> tuple[list[Bar], list[Event]]:
            events = client.history(symbols=[symbol], kinds=["confidence", "outcome"], descending=True)
            bars = client.bars(symbol, interval, start=now - _time_span(interval))
            return bars, list(islice(events, 2 * MAX_SIGNALS))

        self._request("history", symbol, call, on_result, on_error)

    def past_bars(
        self,
        symbol: str,
        interval: str,
        until: datetime,
        on_result: Callable[[list[Bar]], None],
        on_error: OnError,
    ) -> None:
        """Request bars up to an old signal."""

        def call(client: Client) -> list[Bar]:
            return client.bars(symbol, interval, start=until - _time_span(interval), end=until)[-MAX_BARS:]

        self._request("past bars", until, call, on_result, on_error)

    def older_bars(
        self,
        symbol: str,
        interval: str,
        before: datetime,
        on_result: Callable[[list[Bar]], None],
        on_error: OnError,
    ) -> None:
        """Request about as many older bars again; only the newest that is pending is delivered."""

        def call(client: Client) -> list[Bar]:
            end = before - timedelta(microseconds=1)
            return client.bars(symbol, interval, start=end - OLDER_FACTOR * _time_span(interval), end=end)

        self._request("older", before, call, on_result, on_error)

    def windows(
        self,
        signals: Sequence[int],
        method: Method,
        on_result: Callable[[list[Explanation]], None],
        on_error: OnError,
    ) -> None:
        """Request the input windows of past signals: the values of the features as the model got them."""

        def call(client: Client) -> list[Explanation]:
            return client.explain(signals=list(signals), method=method, quality="none")

        self._request("windows", tuple(signals), call, on_result, on_error)

    def signal(
        self, symbol: str, sequence: int, on_result: Callable[[Event | None], None], on_error: OnError
    ) -> None:
        """Request one past signal; the result is None if it is no longer in the journal."""

        def call(client: Client) -> Event | None:
            events = client.history(symbols=[symbol], start_sequence=sequence, end_sequence=sequence)
            return next(iter(events), None)

        self._request("signal", sequence, call, on_result, on_error)

    def heatmaps(
        self, key: ExplanationKey, on_result: Callable[[tuple[SignalMap, ...]], None], on_error: OnError
    ) -> None:
        """Request the heat maps of a signal; an error if there is none of any method."""
        self._newest.pop("checks", None)
        self._request("heatmap", key, lambda client: _maps(client, key, "fast"), on_result, on_error)

    def checks(
        self,
        key: ExplanationKey,
        counterfactual: bool,
        on_result: Callable[[tuple[tuple[SignalMap, ...], Explanation | None]], None],
        on_error: OnError,
    ) -> None:
        """Request the same maps with every quality check, and the signal's `counterfactual` if wanted."""

        def call(client: Client) -> tuple[tuple[SignalMap, ...], Explanation | None]:
            full = _maps(client, key, "full")
            if not counterfactual:
                return full, None
            try:
                return full, client.explain(signals=[key.sequence], method=Method.COUNTERFACTUAL)[0]
            except PreconditionError:
                return full, None  # a recording may lack it; the maps do not depend on it

        self._request("checks", key, call, on_result, on_error)

    def comparison(
        self,
        sequence: int,
        methods: Sequence[Method],
        score: str,
        on_result: Callable[[Method, Explanation], None],
        on_error: Callable[[Method, Exception], None],
    ) -> None:
        """Request the signal's map by each method, one by one."""
        for method in methods:
            self._compare(method, ExplanationKey(sequence, (method,), score), on_result, on_error)

    def _compare(
        self,
        method: Method,
        key: ExplanationKey,
        on_result: Callable[[Method, Explanation], None],
        on_error: Callable[[Method, Exception], None],
    ) -> None:
        self._request(
            f"compare {method}",
            key,
            lambda client: _explain(client, key, method, "fast"),
            lambda explanation: on_result(method, explanation),
            lambda error: on_error(method, error),
        )

    def _request(
        self,
        kind: str,
        subject: object,
        call: Callable[[Client], T],
        on_result: Callable[[T], None],
        on_error: OnError,
    ) -> None:
        self._newest[kind] = subject

        def deliver_result(result: T) -> None:
            if self._newest.get(kind) == subject:
                on_result(result)

        def deliver_error(error: Exception) -> None:
            if self._newest.get(kind) == subject:
                on_error(error)

        self._link.request(f"{kind}:{self._owner}", call, deliver_result, deliver_error)


def _maps(client: Client, key: ExplanationKey, quality: str) -> tuple[SignalMap, ...]:
    """Return a map or an error for each method.

    Raises:
        GlasstapeError: no method has a map: the first one's error.
    """
    maps = tuple(_map(client, key, method, quality) for method in key.methods)
    errors = [shown.error for shown in maps if shown.error is not None]
    if len(errors) == len(maps):
        raise errors[0]
    return maps


def _map(client: Client, key: ExplanationKey, method: Method, quality: str) -> SignalMap:
    try:
        return SignalMap(method, _explain(client, key, method, quality).unwrap())
    except GlasstapeError as error:
        return SignalMap(method, None, error)


def _explain(client: Client, key: ExplanationKey, method: Method, quality: str) -> Explanation:
    return client.explain(signals=[key.sequence], method=method, score=key.score, quality=quality)[0]


def _time_span(interval: str) -> timedelta:
    """Return a time span that contains about `MAX_BARS` bars."""
    return interval_length(interval) * MAX_BARS * CLOSED_HOURS_FACTOR
