"""DatasetExamples of bars, checked bar by bar against what is stored, before anything is written."""

from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from typing import Protocol

from glasstape_server.domain.errors import AlreadyExists, GlasstapeError, InvalidArgument
from glasstape_server.domain.values import SECOND, Bar, Instrument
from glasstape_server.market.rules import check_bar, check_not_future, day_of
from glasstape_server.market.series_tail import SeriesTail

Key = tuple[str, str]
"""Symbol and interval."""


@dataclass(frozen=True, slots=True)
class Batch:
    """Bars to store together."""

    bars: Sequence[Bar]
    instruments: Sequence[Instrument] = ()
    backfill: bool = False


@dataclass(slots=True)
class Report:
    """What became of a batch."""

    stored: int = 0
    duplicates: int = 0
    halted: int = 0
    provisional: int = 0
    rejections: list[tuple[int, str, GlasstapeError]] = field(default_factory=list)
    """(index, symbol, why)."""
    closed: list[tuple[Key, int]] = field(default_factory=list)
    """Series and close times that are to be signalled, in order."""


class Stored(Protocol):
    """What a draft asks of the store."""

    interval: str

    def tail(self, key: Key) -> SeriesTail | None: ...  # noqa: D102
    def time_zone(self, symbol: str) -> str: ...  # noqa: D102
    def close_between(self, key: Key, start: int, end: int) -> int | None: ...  # noqa: D102
    def values_at(self, key: Key, close_time: int) -> tuple[float, ...] | None: ...  # noqa: D102


class Draft:
    """DatasetExamples checked against what is stored, not yet written."""

    def __init__(self, stored: Stored, now: int) -> None:
        self._stored_bars = stored
        self._now = now
        self.instruments: dict[str, Instrument] = {}
        self.rows: list[tuple[object, ...]] = []
        self.appended: dict[Key, list[Bar]] = {}
        self.backfilled: set[Key] = set()
        self.forming: dict[Key, Bar] = {}
        self._written: dict[tuple[Key, int], tuple[float, ...]] = {}
        self._last: dict[Key, int] = {}

    def take(self, batch: Batch) -> Report:
        """Check a batch bar by bar."""
        report = Report()
        self.instruments.update({item.symbol: item for item in batch.instruments})
        for index, bar in enumerate(batch.bars):
            try:
                check_bar(bar)
                check_not_future(bar, self._now)
                self._take(bar, batch.backfill, report)
            except GlasstapeError as error:
                report.rejections.append((index, bar.symbol, error))
        return report

    def instrument_rows(self) -> Iterable[tuple[object, ...]]:
        """Rows of the instruments table."""
        return [tuple(asdict(item).values()) for item in self.instruments.values()]

    def _take(self, bar: Bar, backfill: bool, report: Report) -> None:
        key = (bar.symbol, bar.interval)
        tail = self._stored_bars.tail(key)
        last = self._last.get(key, tail.last_close_time if tail else 0)
        if bar.provisional:
            if bar.close_time <= last:
                raise _out_of_order(bar, last)
            self.forming[key] = bar
            report.provisional += 1
            return
        if bar.close_time <= last:
            stored = self._stored(key, bar.close_time)
            if stored == bar.values:
                report.duplicates += 1
                return
            if stored is not None:
                raise AlreadyExists(
                    "BAR_CONFLICT",
                    f"a final bar with other values is stored: {stored}, sent {bar.values}",
                    metadata={"symbol": bar.symbol},
                )
            if not backfill:
                raise _out_of_order(bar, last)
            self._check_day(key, bar, last)
            self.backfilled.add(key)
        else:
            self._check_day(key, bar, last)
            self.appended.setdefault(key, []).append(bar)
            self._last[key] = bar.close_time
            if self._to_signal(bar, backfill):
                report.closed.append((key, bar.close_time))
        signalled = int(self._to_signal(bar, backfill))
        self.rows.append((bar.symbol, bar.interval, bar.close_time, *bar.values, signalled))
        self._written[key, bar.close_time] = bar.values
        report.stored += 1
        report.halted += bar.halted

    def _check_day(self, key: Key, bar: Bar, last: int) -> None:
        """A trading day has one daily bar: a second one, stamped otherwise, would double it in every window."""
        if bar.interval != "1d":
            return
        zone = self._stored_bars.time_zone(bar.symbol)
        if bar.symbol in self.instruments:
            zone = self.instruments[bar.symbol].time_zone
        start, end = day_of(bar.close_time, zone)
        other = last if start <= last < end else None
        if other is None and bar.close_time < last:
            other = self._stored_bars.close_between(key, start, end)
        if other is not None:
            stored = datetime.fromtimestamp(other / SECOND, UTC).isoformat()
            sent = datetime.fromtimestamp(bar.close_time / SECOND, UTC).isoformat()
            rule = f"its trading day in {zone} has a bar already ({stored}), is {sent}"
            raise InvalidArgument.field("close_time", rule, "BAR_CONFLICT")

    def _to_signal(self, bar: Bar, backfill: bool) -> bool:
        return not backfill and not bar.halted and bar.interval == self._stored_bars.interval

    def _stored(self, key: Key, close_time: int) -> tuple[float, ...] | None:
        written = self._written.get((key, close_time))
        if written is not None:
            return written
        return self._stored_bars.values_at(key, close_time)


def _out_of_order(bar: Bar, last: int) -> InvalidArgument:
    newest = datetime.fromtimestamp(last / SECOND, UTC).isoformat()
    sent = datetime.fromtimestamp(bar.close_time / SECOND, UTC).isoformat()
    rule = f"must be after the last final bar ({newest}) unless backfill, is {sent}"
    return InvalidArgument.field("close_time", rule, "BAR_OUT_OF_ORDER")
