"""Ranks of the symbols of stored closes, and when a close is complete.

A close holds the bars of one interval and close time that are not halted. Ranks of a sealed close never change, unless
its bars are corrected; those of another one are of the bars that are stored. All methods run on the market thread.
"""

from collections import OrderedDict
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from glasstape_server.domain.arrays import Float32s, Floats, Ints
from glasstape_server.domain.bars import SeriesKey
from glasstape_server.domain.times import INTERVALS
from glasstape_server.features.compute import values_to_rank
from glasstape_server.features.cross_section import CloseRanks
from glasstape_server.features.series import Series
from glasstape_server.features.spec import FeatureSpec
from glasstape_server.features.windows import latest_windows
from glasstape_server.market.calendars import MarketCalendars
from glasstape_server.market.close_section import CloseSection
from glasstape_server.market.store import BarStore

_KEPT = 256
"""Closes whose ranks are kept in memory."""


@dataclass(frozen=True, slots=True)
class _Known:
    """Ranks of a close that were computed."""

    section: CloseSection
    sealed: bool
    """Whether the close was sealed when it was read."""


class CrossSections:
    """Closes of a store, each with its ranks by feature spec."""

    def __init__(self, store: BarStore, calendars: MarketCalendars) -> None:
        self._store = store
        self._calendars = calendars
        self._numbers: dict[str, int] = {}
        self._sections: OrderedDict[tuple[str, str, int], _Known] = OrderedDict()
        self._waiting: tuple[str, int, SeriesKey] | None = None
        """Interval, close, and the series that was awaited last."""

    def windows(
        self, spec: FeatureSpec, keys: Sequence[SeriesKey], series: Series
    ) -> tuple[Float32s, NDArray[np.bool_], Ints]:
        """Return the newest window of each of some series of one interval.

        Args:
            spec: of the features.
            keys: series.
            series: their stored bars, (series, bar), at least `spec.min_bars` of each.

        Returns:
            Windows, float32 (series, time, feature); whether each one is usable, as `latest_windows` returns it; and
            the most symbols that were missing at one of its closes, (series,): 0 without ranked features. For a symbol
            that was late itself, those that were late count as missing.
        """
        if not spec.ranked_names:
            return *latest_windows(spec, series), np.zeros(len(keys), dtype=np.int64)
        windows, usable = latest_windows(spec, series, self._ranks(spec, keys))
        return windows, usable, self.missing_symbols(keys, series.close_time[:, -spec.window_bars :])

    def missing_symbols(self, keys: Sequence[SeriesKey], close_time: Ints) -> Ints:
        """Return the most symbols that were missing at one of the closes of each series, (series,); see `windows`.

        Args:
            keys: series of one interval.
            close_time: closes of each, microseconds, (series, close).
        """
        closes, which = np.unique(close_time, return_inverse=True)
        missing = self._missing_symbols(keys[0][1], closes.tolist())
        counts = np.array(list(missing.values()), dtype=np.int64)[which.reshape(len(keys), -1)].max(axis=1)
        for close in closes.tolist():
            late = self.late_symbols(keys[0][1], close)
            for row in [row for row, key in enumerate(keys) if late and key[0] in late]:
                counts[row] = max(counts[row], len(late))
        return np.asarray(counts)

    def closed_symbols(self, interval: str, close: int) -> set[str]:
        """Return the symbols whose newest usable bar has a close time."""
        symbols = set()
        for key in self._store.series_keys(interval):
            tail = self._store.tail(key)
            columns = None if tail is None else tail.columns()
            if columns is not None and columns.shape[1] and columns[0, -1] == close:
                symbols.add(key[0])
        return symbols

    def late_symbols(self, interval: str, close: int) -> set[str]:
        """Return the symbols whose bar of a close was stored after it was sealed."""
        bars = self._store.closes.late_bars(interval, close)
        return {symbol for symbol, times in bars.items() if close in times}

    def is_complete(self, interval: str, close: int) -> bool:
        """Return whether a close is sealed, or no symbol is awaited any more."""
        if self._store.closes.missing_symbols(interval, close) is not None:
            return True
        if self._waiting is not None and self._waiting[:2] == (interval, close):
            tail = self._store.tail(self._waiting[2])
            if tail is not None and tail.last_close_time < close:
                return False
        key = next(self._awaited(interval, close), None)
        self._waiting = None if key is None else (interval, close, key)
        return key is None

    def seal(self, spec: FeatureSpec, interval: str, series: Series, *, rank_head: bool = False) -> None:
        """Seal the closes of the newest windows, before anything is published of their ranks.

        Args:
            spec: of the features; without ranked ones, at most the last close is sealed.
            interval: of the bars.
            series: bars of the windows, (series, bar).
            rank_head: whether the last close is ranked, whatever the features.

        Raises:
            ResourceExhausted: the disk rejected the write; nothing was sealed.
            Unavailable: the lease of the data folder was lost.
        """
        ranked = spec.window_bars if spec.ranked_names else int(rank_head)
        if ranked:
            closes = np.unique(series.close_time[:, -ranked:]).tolist()
            self._store.closes.seal(interval, self._missing_symbols(interval, closes))

    def forget(self, *, corrected: bool) -> None:
        """Forget ranks after bars were stored: those of closes that are not sealed.

        Args:
            corrected: whether bars before the newest were added, replaced, removed or renamed: forget all ranks.
        """
        for key, known in list(self._sections.items()):
            if corrected or not known.sealed:
                del self._sections[key]

    def _missing_symbols(self, interval: str, closes: Collection[int]) -> dict[int, int]:
        """Return how many symbols were awaited and did not close in time, by close time."""
        sealed = {close: self._store.closes.missing_symbols(interval, close) for close in closes}
        return {
            close: sum(1 for _ in self._awaited(interval, close)) if count is None else count
            for close, count in sealed.items()
        }

    def _ranks(self, spec: FeatureSpec, keys: Sequence[SeriesKey]) -> CloseRanks:
        """Return the ranks of stacked series of one interval, (series, bar)."""
        numbers = np.array([self._number(key[0]) for key in keys], dtype=np.int64)

        def ranks_of(close_time: Ints, values: Float32s) -> Float32s:
            ranks = np.full_like(values, np.nan)
            closes, which = np.unique(close_time, return_inverse=True)
            which = which.reshape(close_time.shape)
            for index, close in enumerate(closes.tolist()):
                rows, bars = np.nonzero(which == index)
                section = self._section(spec, keys[0][1], close)
                ranks[rows, bars] = section.ranks_of(numbers[rows], values[rows, bars])
            return ranks

        return ranks_of

    def _awaited(self, interval: str, close: int) -> Iterator[SeriesKey]:
        """Yield the series that are awaited at a close: their newest bar is the one before it of another symbol.

        A series whose exchange or whose own pattern shows no bar at that time is not awaited. One that does not close
        is awaited once, and not at the closes after.
        """
        before, behind = set[int](), list[tuple[SeriesKey, int]]()
        for key in self._store.series_keys(interval):
            tail = self._store.tail(key)
            if tail is None:
                continue
            if tail.last_close_time < close:
                behind.append((key, tail.last_close_time))
            elif (previous := tail.close_before(close)) is not None:
                before.add(previous)
        for key, last in reversed(behind):  # the newest series are often published last
            if last in before and self._calendars.bars_later(key, last, 1)[0] < close + INTERVALS[interval]:
                yield key

    def _number(self, symbol: str) -> int:
        return self._numbers.setdefault(symbol, len(self._numbers))

    def _section(self, spec: FeatureSpec, interval: str, close: int) -> CloseSection:
        key = (spec.hash, interval, close)
        known = self._sections.get(key)
        if known is None:
            sealed = self._store.closes.missing_symbols(interval, close) is not None
            known = self._sections[key] = _Known(self._read(spec, interval, close), sealed)
            if len(self._sections) > _KEPT:
                self._sections.popitem(last=False)
        self._sections.move_to_end(key)
        return known.section

    def _read(self, spec: FeatureSpec, interval: str, close: int) -> CloseSection:
        """Return the section of a close from the stored bars."""
        late = self._store.closes.late_bars(interval, close)
        by_length: dict[int, tuple[list[SeriesKey], list[Floats]]] = {}
        for key in self._store.series_keys(interval):
            bars = self._bars(key, close, spec.ranked_look_back, late.get(key[0], set()))
            if bars.shape[1] and bars[0, -1] == close:
                keys, columns = by_length.setdefault(bars.shape[1], ([], []))
                keys.append(key)
                columns.append(bars)
        members = [key for keys, _ in by_length.values() for key in keys]
        values = np.concatenate(
            [np.empty((0, len(spec.ranked_columns)), np.float32)]
            + [
                values_to_rank(spec, self._store.stack(keys, bars))[:, -1]
                for keys, bars in by_length.values()
            ]
        )
        numbers = np.array([self._number(key[0]) for key in members], dtype=np.int64)
        return CloseSection.of(numbers, values)

    def _bars(self, key: SeriesKey, close: int, count: int, late: Collection[int]) -> Floats:
        """Return the last bars up to a close, (6, <= count), without late ones."""
        bars = self._store.until(key, close, count + len(late))
        if late:
            bars = bars[:, ~np.isin(bars[0], list(late))][:, -count:]
        return bars
