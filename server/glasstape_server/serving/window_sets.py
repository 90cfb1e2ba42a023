"""Sets of windows of stored bars: drawn at random from a period, with their outcomes where these are known."""

from collections.abc import Generator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import numpy as np

from glasstape_server.domain.arrays import Float32s, Floats, Ints
from glasstape_server.domain.bars import SeriesKey
from glasstape_server.domain.calls import Call
from glasstape_server.domain.errors import InvalidArgument, NotFound
from glasstape_server.domain.signals import Direction
from glasstape_server.domain.times import DAY, SECOND
from glasstape_server.features.compute import volatility
from glasstape_server.features.labels import future_paths, realized
from glasstape_server.features.series import Series
from glasstape_server.features.windows import latest_windows
from glasstape_server.market.bar_reader import BarReader, reading_bars, stacked
from glasstape_server.market.past_closes import PastCloses
from glasstape_server.market.store import BarStore
from glasstape_server.models.model import Model

DEFAULT_DAYS = 30
"""Length of a period without a start."""
WINDOWS_AT_ONCE = 2048
"""Windows that are read and predicted at once."""
EXAMINED_PER_WINDOW = 16
"""Bars that are examined at most for each window that is wanted, if the call decides which are kept."""


@dataclass(frozen=True, slots=True)
class WindowFilter:
    """Which windows."""

    symbols: tuple[str, ...] = ()
    """Empty: all."""
    start: int | None = None
    """First close, microseconds; None: `days` before the end."""
    end: int | None = None
    """Last close; None: the newest; of a reference, the last one before the windows that it is compared with."""
    validation: bool = False
    """Use the model's validation period; start and end are None."""
    days: int = DEFAULT_DAYS
    """Length of a period without a start."""
    directions: frozenset[Direction] = frozenset()
    """Predicted classes; empty: all."""
    exclude_abstained: bool = False

    @property
    def by_call(self) -> bool:
        """Whether the prediction decides which windows are kept."""
        return bool(self.directions) or self.exclude_abstained


@dataclass(frozen=True, slots=True)
class Period:
    """A filter resolved against what is stored."""

    keys: tuple[SeriesKey, ...]
    first: int
    """First close, microseconds."""
    last: int
    """Last close."""
    zones: Mapping[str, str]
    """IANA zone of each symbol."""
    ranked: tuple[SeriesKey, ...] = ()
    """Series that are ranked in each close: all of the interval; none for a model without ranked features."""

    def __str__(self) -> str:
        return f"{_text(self.first)} to {_text(self.last)}"


@dataclass(frozen=True, slots=True)
class Candidates:
    """Bars at which a window may end, in random order."""

    bars: int
    """Bars of the period; `ends` has as many of them as may be examined."""
    ends: Sequence[tuple[SeriesKey, int]]
    """Series and close time."""


@dataclass(frozen=True, slots=True)
class WindowBatch:
    """Windows of some candidates, in their order."""

    windows: Float32s  # (n, time, feature)
    place: Ints
    """Position of each window's bar among the candidates of the batch, (n,); the other bars end no window."""
    close_time: Ints  # (n,)
    labels: Ints
    """Realized class index, (n,); -1: not known."""
    symbols: Sequence[str]
    """(n,)"""
    candidates: int
    """Candidates of the batch."""

    def select(self, rows: Ints) -> "WindowBatch":
        """Return some of the windows, by their numbers (m,)."""
        return WindowBatch(
            self.windows[rows],
            self.place[rows],
            self.close_time[rows],
            self.labels[rows],
            [self.symbols[row] for row in rows],
            self.candidates,
        )


def resolve_period(
    store: BarStore, model: Model, wanted: WindowFilter, path: str, newest: int | None = None
) -> Period:
    """Return the series and the period of a filter. Runs on the market thread.

    Args:
        store: bars.
        model: gives interval and validation period.
        wanted: the filter.
        path: of the filter's field, for errors.
        newest: end of a period that states none; None: the newest close.

    Raises:
        NotFound: a symbol has no bars.
        InvalidArgument: the period ends before it begins.
    """
    interval = model.manifest.interval
    known = dict(store.series_keys(interval))
    for symbol in wanted.symbols:
        if symbol not in known:
            text = f"{path}.symbols: no {interval} bars of {symbol!r}"
            raise NotFound("SYMBOL_NOT_FOUND", text, metadata={"symbol": symbol})
    keys = tuple((symbol, interval) for symbol in sorted(set(wanted.symbols or known)))
    first, last = wanted.start, wanted.end
    if wanted.validation:
        validation = model.manifest.data.validation
        first, last = microseconds_of(validation.first_close), microseconds_of(validation.last_close)
    if last is None:
        last = newest
    if last is None:
        last = max((store.last_close(key) or 0 for key in keys), default=0)
    if first is None:
        first = max(0, last - wanted.days * DAY)
    if first > last:
        rule = f"must not be after the end of the period ({_text(last)}), is {_text(first)}"
        raise InvalidArgument.field(f"{path}.start_time", rule)
    ranked = tuple(sorted((symbol, interval) for symbol in known)) if model.spec.ranked_names else ()
    return Period(keys, first, last, {key[0]: store.time_zone(key[0]) for key in {*keys, *ranked}}, ranked)


def draw(path: Path, period: Period, count: int, seed: int, call: Call) -> Candidates:
    """Draw bars of a period at random, without replacement. Runs on a worker thread.

    Args:
        path: database of the store.
        period: to draw from.
        count: bars at most.
        seed: of the draw.
        call: the draw ends once it is canceled or past its deadline.

    Raises:
        DeadlineExceeded: the call was canceled, or its deadline passed.
        Unavailable: the database cannot be read now.
        DataLoss: it is damaged.
    """
    with reading_bars(path) as reader:
        counts = []
        for key in period.keys:
            call.check_open()
            counts.append(reader.count(key, period.first, period.last))
        ends = np.concatenate([[0], np.cumsum(counts)]).astype(np.int64)
        bars, random = int(ends[-1]), np.random.default_rng(seed)
        drawn = np.sort(random.choice(bars, min(count, bars), replace=False))
        found: list[tuple[SeriesKey, int]] = []
        for number, key in enumerate(period.keys):
            call.check_open()
            low, high = np.searchsorted(drawn, ends[number : number + 2])
            positions = (drawn[low:high] - ends[number]).tolist()
            closes = reader.closes(key, period.first, period.last, positions)
            found += [(key, close) for close in closes]
        return Candidates(bars, [found[place] for place in random.permutation(len(found))])


def batches(
    path: Path, model: Model, candidates: Candidates, period: Period, call: Call
) -> Generator[WindowBatch]:
    """Yield the windows of the candidates. Each step runs on the same worker thread.

    Args:
        path: database of the store.
        model: gives features and labels.
        candidates: bars at which windows may end.
        period: that they were drawn from.
        call: ends the iteration once it is canceled or past its deadline.

    Raises:
        DeadlineExceeded: the call was canceled, or its deadline passed.
        Unavailable: the database cannot be read now.
        DataLoss: it is damaged.
    """
    with reading_bars(path) as reader:
        closes = PastCloses(reader, model.spec, period.ranked, period.zones, call) if period.ranked else None
        for first in range(0, len(candidates.ends), WINDOWS_AT_ONCE):
            call.check_open()
            yield _batch(
                reader, model, candidates.ends[first : first + WINDOWS_AT_ONCE], period.zones, closes
            )


def _batch(
    reader: BarReader,
    model: Model,
    ends: Sequence[tuple[SeriesKey, int]],
    zones: Mapping[str, str],
    closes: PastCloses | None,
) -> WindowBatch:
    spec, ahead = model.spec, model.label_rule.bars_ahead
    places: list[int] = []
    bars: list[Floats] = []
    later: list[Floats] = []
    for place, (key, close_time) in enumerate(ends):
        before, after = reader.around(key, close_time, spec.min_bars, ahead)
        if before.shape[1] == spec.min_bars and int(before[0, -1]) == close_time:
            places.append(place)
            bars.append(before)
            later.append(after)
    if not places:
        empty = np.empty(0, dtype=np.int64)
        return WindowBatch(np.empty((0, *spec.window_shape), np.float32), empty, empty, empty, (), len(ends))
    keys = [ends[place][0] for place in places]
    series = stacked(keys, bars, zones)
    windows, usable = latest_windows(spec, series, None if closes is None else closes.ranks(keys))
    labels = _labels(model, series, keys, bars, later, zones)
    kept = np.array(places)[usable]
    symbols = [ends[each][0][0] for each in kept]
    return WindowBatch(
        windows[usable], kept, series.close_time[usable, -1], labels[usable], symbols, len(ends)
    )


def _labels(
    model: Model,
    series: Series,
    keys: Sequence[SeriesKey],
    bars: Sequence[Floats],
    later: Sequence[Floats],
    zones: Mapping[str, str],
) -> Ints:
    """Return the realized class of each window, (n,); -1 where the bars of its horizon are not stored."""
    spec, rule = model.spec, model.label_rule
    labels = np.full(len(keys), -1)
    known = [row for row, columns in enumerate(later) if columns.shape[1] == rule.bars_ahead]
    if not known:
        return labels
    spans = [np.concatenate([bars[row][:, -1:], later[row]], axis=1) for row in known]
    ahead = stacked([keys[row] for row in known], spans, zones)
    paths = np.stack([future_paths(spec, rule, _row(ahead, row))[0] for row in range(len(known))])
    threshold = rule.threshold(volatility(spec, series)[known, -1])
    valid = np.isfinite(paths).all(axis=1) & np.isfinite(threshold)
    classes, _ = realized(rule.kind, paths[valid], threshold[valid])
    labels[np.array(known)[valid]] = classes
    return labels


def _row(series: Series, row: int) -> Series:
    return Series(
        series.close_time[row],
        series.open[row],
        series.high[row],
        series.low[row],
        series.close[row],
        series.volume[row],
        series.session[row],
    )


def microseconds_of(moment: datetime) -> int:
    """Return a moment in microseconds since 1970."""
    return int(moment.timestamp() * SECOND)


def _text(time: int) -> str:
    return str(np.datetime64(time, "us").astype("datetime64[s]")) + "Z"
