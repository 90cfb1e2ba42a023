"""Batches of bars, checked bar by bar against the stored ones before anything is written."""

from bisect import bisect_left, bisect_right, insort
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from enum import IntEnum
from typing import Protocol

from glasstape import calendars
from glasstape.exchanges import zone_of

from glasstape_server.domain.bars import Bar, Instrument, SeriesKey
from glasstape_server.domain.errors import AlreadyExists, GlasstapeError, InvalidArgument, NotFound
from glasstape_server.domain.times import SECOND
from glasstape_server.market.corrections import Replacement
from glasstape_server.market.rules import check_bar, check_closed, check_step
from glasstape_server.market.series_tail import SeriesTail
from glasstape_server.market.spacing import check_spacing, earliest_overlap


class BatchMode(IntEnum):
    """What the bars of a batch are. Values as on the wire."""

    FINAL = 1
    BACKFILL = 2
    """History: of any age, stored and never signaled."""
    REPLACE = 3
    """Corrections of stored bars; nothing is signaled."""
    PROVISIONAL = 4


@dataclass(frozen=True, slots=True)
class Batch:
    """Bars to store together."""

    bars: Sequence[Bar]
    instruments: Sequence[Instrument] = ()
    mode: BatchMode = BatchMode.FINAL
    principal: str = ""
    """Name of the caller, for the journal of corrections."""
    received: int = 0
    """Market time at which it was received, microseconds; 0: that of the draft."""


@dataclass(slots=True)
class Report:
    """Result of a batch."""

    stored: int = 0
    duplicates: int = 0
    halted: int = 0
    provisional: int = 0
    replaced: int = 0
    rejections: list[tuple[int, str, GlasstapeError]] = field(default_factory=list)
    """(index, symbol, cause)."""
    quotes: list[Bar] = field(default_factory=list)
    """Provisional bars that were taken."""
    closed: list[tuple[SeriesKey, int]] = field(default_factory=list)
    """Series and close times of bars that need a signal, in order."""


class Stored(Protocol):
    """The part of the store that a draft reads."""

    interval: str

    @property
    def instruments(self) -> Mapping[str, Instrument]: ...  # noqa: D102
    def tail(self, key: SeriesKey) -> SeriesTail | None: ...  # noqa: D102
    def forming(self, key: SeriesKey) -> Bar | None: ...  # noqa: D102
    def closes_between(self, key: SeriesKey, first: int, last: int) -> list[int]: ...  # noqa: D102
    def close_after(self, key: SeriesKey, time: int) -> int | None: ...  # noqa: D102
    def stated(self, symbol: str) -> Instrument: ...  # noqa: D102
    def values_at(self, key: SeriesKey, close_time: int) -> tuple[float, ...] | None: ...  # noqa: D102


class Draft:
    """Batches that are checked against the store and not yet written.

    Args:
        stored: the store.
        now: market time, in microseconds; see `rules.check_closed`.
    """

    def __init__(self, stored: Stored, now: int) -> None:
        self._stored_bars = stored
        self._now = now
        self.instruments: dict[str, Instrument] = {}
        self.rows: list[tuple[object, ...]] = []
        self.appended: dict[SeriesKey, list[Bar]] = {}
        self.replacements: list[Replacement] = []
        self.changed: set[SeriesKey] = set()
        """Series in which bars before the newest were added or replaced."""
        self.backfilled: dict[SeriesKey, int] = {}
        """Newest close of each series that a backfill began or went on with."""
        self.forming: dict[SeriesKey, Bar] = {}
        self._written: dict[tuple[SeriesKey, int], tuple[float, ...]] = {}
        self._last: dict[SeriesKey, int] = {}
        self._closes: dict[SeriesKey, list[int]] = {}
        """Close times of drafted bars, oldest first."""
        self._batch: Sequence[Bar] = ()
        self._batch_closes: dict[SeriesKey, list[int]] = {}
        """Close times in the current batch by series, oldest first; made when they are first needed."""

    def take(self, batch: Batch) -> Report:
        """Check a batch bar by bar; return which bars are to be stored."""
        report = Report()
        self._batch, self._batch_closes = batch.bars, {}
        for item in batch.instruments:
            before = self.instruments.get(item.symbol) or self._stored_bars.stated(item.symbol)
            self.instruments[item.symbol] = before.merged(item)
        for index, bar in enumerate(batch.bars):
            try:
                check_bar(bar)
                check_closed(bar, batch.received or self._now)
                if batch.mode is BatchMode.REPLACE:
                    self._replace(bar, batch.principal, report)
                else:
                    self._take(bar, batch.mode is BatchMode.BACKFILL, report)
            except GlasstapeError as error:
                report.rejections.append((index, bar.symbol, error))
        return report

    def counts(self) -> dict[SeriesKey, int]:
        """Return how many bars are added to each series."""
        return Counter((str(row[0]), str(row[1])) for row in self.rows)

    def _take(self, bar: Bar, backfill: bool, report: Report) -> None:
        key = (bar.symbol, bar.interval)
        tail = self._stored_bars.tail(key)
        last = self._last.get(key, tail.last_close_time if tail else 0)
        if bar.provisional:
            if bar.close_time <= last:
                raise _out_of_order(bar, last)
            forming = self.forming.get(key) or self._stored_bars.forming(key)
            if forming is not None and bar.close_time < forming.close_time:
                raise _older_than_forming(bar, forming)
            self.forming[key] = bar
            report.quotes.append(bar)
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
                    f"a final bar with other values is stored: {stored}, received {bar.values}; to replace it, "
                    "send it with BAR_MODE_REPLACE (`glasstape bars replace`)",
                    metadata={"symbol": bar.symbol},
                )
            if not backfill:
                raise _out_of_order(bar, last)
            self._check_spacing(key, bar, last)
            self.changed.add(key)
            insort(self._closes.setdefault(key, []), bar.close_time)
        else:
            self._check_spacing(key, bar, last)
            if not backfill and last:
                self._check_step(key, bar)
            self.appended.setdefault(key, []).append(bar)
            self._closes.setdefault(key, []).append(bar.close_time)
            self._last[key] = bar.close_time
            if backfill:
                self.backfilled[key] = bar.close_time
            if self._to_signal(bar, backfill):
                report.closed.append((key, bar.close_time))
        signaled = int(self._to_signal(bar, backfill))
        self.rows.append((bar.symbol, bar.interval, bar.close_time, *bar.values, signaled))
        self._written[key, bar.close_time] = bar.values
        report.stored += 1
        report.halted += bar.halted

    def _replace(self, bar: Bar, principal: str, report: Report) -> None:
        """Replace the values of a stored bar.

        Raises:
            InvalidArgument: the bar is provisional.
            NotFound: no final bar is stored at its close time.
        """
        key = (bar.symbol, bar.interval)
        if bar.provisional:
            raise InvalidArgument.field("provisional", "must be false with BAR_MODE_REPLACE", "BAR_INVALID")
        stored = self._stored(key, bar.close_time)
        if stored is None:
            time = datetime.fromtimestamp(bar.close_time / SECOND, UTC).isoformat()
            raise NotFound(
                "BAR_NOT_FOUND",
                f"close_time: no final {bar.interval} bar of {bar.symbol!r} is stored at {time}",
                metadata={"symbol": bar.symbol},
            )
        if stored == bar.values:
            report.duplicates += 1
            return
        self.replacements.append(Replacement(bar, stored, principal))
        self._written[key, bar.close_time] = bar.values
        self.changed.add(key)
        report.replaced += 1

    def _check_spacing(self, key: SeriesKey, bar: Bar, last: int) -> None:
        """Check that a bar overlaps no stored and no drafted bar; `last` is the newest of them, 0: none.

        Raises:
            AlreadyExists: it overlaps one.
        """
        known, stated = self._stored_bars.instruments.get(bar.symbol), self.instruments.get(bar.symbol)
        zone = "UTC" if known is None else known.time_zone
        if stated is not None:
            zone = stated.time_zone or zone_of(stated.exchange) or zone
        if last < earliest_overlap(bar.close_time, bar.interval, zone):
            return  # most bars are newer than all others: nothing is read for them
        described = stated or known
        calendar = None if described is None else calendars.find(described.exchange)
        check_spacing(bar, _Closes(self, key), zone, calendar)

    def closes_between(self, key: SeriesKey, first: int, last: int) -> list[int]:
        """Return the closes of stored and drafted bars in a range, both ends included, oldest first."""
        drafted = self._closes.get(key, [])
        drafted = drafted[bisect_left(drafted, first) : bisect_right(drafted, last)]
        stored = self._stored_bars.closes_between(key, first, last)
        return sorted(stored + drafted) if drafted else stored

    def close_after(self, key: SeriesKey, time: int) -> int | None:
        """Return the first close after a time of a stored bar or one of the current transaction and batch."""
        if not self._batch_closes:
            for bar in self._batch:
                self._batch_closes.setdefault((bar.symbol, bar.interval), []).append(bar.close_time)
            for closes in self._batch_closes.values():
                closes.sort()
        found = [
            closes[position]
            for closes in (self._closes.get(key, []), self._batch_closes.get(key, []))
            if (position := bisect_right(closes, time)) < len(closes)
        ]
        stored = self._stored_bars.close_after(key, time)
        return min(found if stored is None else [*found, stored], default=None)

    def _check_step(self, key: SeriesKey, bar: Bar) -> None:
        """Check the move from the newest final bar.

        Raises:
            InvalidArgument: see `rules.check_step`.
        """
        drafted, tail = self.appended.get(key), self._stored_bars.tail(key)
        before = drafted[-1].close if drafted else tail.last_values[3] if tail else bar.close
        instrument = self.instruments.get(bar.symbol) or self._stored_bars.instruments.get(bar.symbol)
        check_step(bar, before, instrument.price_step if instrument else 0.0)

    def _to_signal(self, bar: Bar, backfill: bool) -> bool:
        return not backfill and bar.usable and bar.interval == self._stored_bars.interval

    def _stored(self, key: SeriesKey, close_time: int) -> tuple[float, ...] | None:
        written = self._written.get((key, close_time))
        if written is not None:
            return written
        return self._stored_bars.values_at(key, close_time)


@dataclass(frozen=True, slots=True)
class _Closes:
    """Close times of one series of a draft. See `SeriesCloses`."""

    draft: Draft
    key: SeriesKey

    def between(self, first: int, last: int) -> list[int]:
        return self.draft.closes_between(self.key, first, last)

    def after(self, time: int) -> int | None:
        return self.draft.close_after(self.key, time)


def _out_of_order(bar: Bar, last: int) -> InvalidArgument:
    unless = "" if bar.provisional else " unless BAR_MODE_BACKFILL"
    rule = f"must be after the last final bar ({_iso(last)}){unless}, is {_iso(bar.close_time)}"
    return InvalidArgument.field("close_time", rule, "BAR_OUT_OF_ORDER")


def _older_than_forming(bar: Bar, forming: Bar) -> InvalidArgument:
    newest = _iso(forming.close_time)
    rule = f"must not be before the newest provisional bar ({newest}), is {_iso(bar.close_time)}"
    return InvalidArgument.field("close_time", rule, "BAR_OUT_OF_ORDER")


def _iso(time: int) -> str:
    return datetime.fromtimestamp(time / SECOND, UTC).isoformat()
