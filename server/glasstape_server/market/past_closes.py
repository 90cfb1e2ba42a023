"""Ranks of the symbols of stored closes, read beside the market thread: those that serving states now.

Serving ranks a close without the bars that came after it was sealed; so are closes here (`cross_sections`).
"""

from collections.abc import Collection, Mapping, Sequence

import numpy as np

from glasstape_server.domain.arrays import Float32s, Floats, Ints
from glasstape_server.domain.bars import SeriesKey
from glasstape_server.domain.calls import Call
from glasstape_server.features.compute import values_to_rank
from glasstape_server.features.cross_section import CloseRanks
from glasstape_server.features.spec import FeatureSpec
from glasstape_server.market.bar_reader import BarReader, stacked
from glasstape_server.market.close_section import CloseSection


class PastCloses:
    """Closes of one interval with the ranks of a feature spec.

    To be used on the thread of its reader.

    Args:
        reader: of the stored bars.
        spec: of the features.
        keys: every series of the interval; all of them are ranked.
        zones: IANA zone of each symbol.
        call: reading ends once it is canceled or past its deadline.
    """

    def __init__(
        self,
        reader: BarReader,
        spec: FeatureSpec,
        keys: Sequence[SeriesKey],
        zones: Mapping[str, str],
        call: Call,
    ) -> None:
        self._reader, self._spec, self._keys, self._zones, self._call = reader, spec, keys, zones, call
        self._numbers = {key: number for number, key in enumerate(keys)}
        self._range = (0, -1)
        self._close_time = np.empty(0, dtype=np.int64)  # ascending, (bar,)
        self._symbols = np.empty(0, dtype=np.int64)  # (bar,)
        self._values = np.empty((0, len(spec.ranked_columns)), dtype=np.float32)
        self._sections: dict[int, CloseSection] = {}

    def ranks(self, keys: Sequence[SeriesKey]) -> CloseRanks:
        """Return the ranks of stacked series, (series, bar).

        Raises (when called):
            DeadlineExceeded: the call was canceled, or its deadline passed.
        """
        numbers = np.array([self._numbers[key] for key in keys], dtype=np.int64)

        def ranks_of(close_time: Ints, values: Float32s) -> Float32s:
            self._read(int(close_time.min()), int(close_time.max()))
            ranks = np.full_like(values, np.nan)
            order = np.argsort(close_time, axis=None, kind="stable")
            closes, begins = np.unique(close_time.ravel()[order], return_index=True)
            for close, places in zip(closes.tolist(), np.split(order, begins[1:]), strict=True):
                rows, bars = np.unravel_index(places, close_time.shape)
                ranks[rows, bars] = self._section(close).ranks_of(numbers[rows], values[rows, bars])
            return ranks

        return ranks_of

    def _read(self, first: int, last: int) -> None:
        """Read what the symbols of the closes of a range are ranked by, unless it is known."""
        if self._range[0] <= first and last <= self._range[1]:
            return
        if self._range[1] >= 0:
            first, last = min(first, self._range[0]), max(last, self._range[1])
        parts: list[tuple[Ints, Ints, Float32s]] = []
        for key, number in self._numbers.items():
            self._call.check_open()
            bars = self._reader.span(key, first, last, self._spec.ranked_look_back - 1)
            close_time = bars[0].astype(np.int64)
            inside = close_time >= first
            if inside.any():
                count = int(np.count_nonzero(inside))
                parts.append((close_time[inside], np.full(count, number), self._values_of(key, bars)[inside]))
        if parts:
            times, symbols, values = (np.concatenate(columns) for columns in zip(*parts, strict=True))
            order = np.argsort(times, kind="stable")
            self._close_time, self._symbols, self._values = times[order], symbols[order], values[order]
        self._range = (first, last)
        self._sections.clear()

    def _section(self, close: int) -> CloseSection:
        section = self._sections.get(close)
        if section is None:
            begin, end = np.searchsorted(self._close_time, [close, close + 1])
            numbers, values = self._symbols[begin:end], self._values[begin:end]
            late = self._reader.late_bars(self._keys[0][1], close)
            if late:
                numbers, values = self._without_late(close, numbers, values, late)
            section = self._sections[close] = CloseSection.of(numbers, values)
        return section

    def _without_late(
        self, close: int, numbers: Ints, values: Float32s, late: Mapping[str, Collection[int]]
    ) -> tuple[Ints, Float32s]:
        """Return the symbols of a close as they were when it was sealed."""
        keys = [key for key in self._keys if key[0] in late]
        kept = ~np.isin(numbers, [self._numbers[key] for key in keys])
        numbers, values = numbers[kept], values[kept]
        for key in keys:
            count = self._spec.ranked_look_back
            bars, _ = self._reader.around(key, close, count + len(late[key[0]]), 0)
            bars = bars[:, ~np.isin(bars[0], list(late[key[0]]))][:, -count:]
            if bars.shape[1] and bars[0, -1] == close:
                numbers = np.append(numbers, self._numbers[key])
                values = np.concatenate([values, self._values_of(key, bars)[-1:]])
        return numbers, values

    def _values_of(self, key: SeriesKey, bars: Floats) -> Float32s:
        """Return what the bars of a series are ranked by, (bar, ranked feature)."""
        values: Float32s = values_to_rank(self._spec, stacked([key], [bars], self._zones))[0]
        return values
