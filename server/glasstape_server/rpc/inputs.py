"""The four sources of an Input, resolved into windows, each with its pinned model.

Framing breaks the call (an exception); a bad value breaks its item (an error in its place).
"""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from glasstape.v1 import inference_pb2 as pb

from glasstape_server.domain import SYMBOL_RULE, Bar, Buy, Confidence, Float32s, is_symbol
from glasstape_server.errors import (
    FailedPrecondition,
    GlasstapeError,
    InvalidArgument,
    NotFound,
    OutOfRange,
    ResourceExhausted,
)
from glasstape_server.features.series import from_columns, sessions
from glasstape_server.features.windows import latest_windows
from glasstape_server.feed.hub import Hub
from glasstape_server.market.ingest import Ingest
from glasstape_server.market.rules import check_bar
from glasstape_server.models.artefact import Model
from glasstape_server.models.repository import Repository
from glasstape_server.rpc.convert.market import bar_from
from glasstape_server.rpc.convert.signals import decode_event

MAX_ITEMS = 16_384
MAX_SERIES_BARS = 4096
LARGEST = 1e6
"""Values beyond this are no features; they would only overflow."""


@dataclass(slots=True)
class Item:
    """One thing to predict."""

    model: Model | None = None
    window: Float32s | None = None
    error: GlasstapeError | None = None
    symbol: str = ""
    bar_close_time: int | None = None
    journalled: Confidence | None = None
    """What was published of this very window, for past signals."""


@dataclass(slots=True)
class Group:
    """Items that one model answers together."""

    model: Model
    rows: list[int] = field(default_factory=list)
    windows: list[Float32s] = field(default_factory=list)


def group_by_model(items: Sequence[Item]) -> list[Group]:
    """Items without an error, by model."""
    groups: dict[str, Group] = {}
    for row, item in enumerate(items):
        if item.error is None and item.model is not None and item.window is not None:
            group = groups.setdefault(item.model.ref.digest, Group(item.model))
            group.rows.append(row)
            group.windows.append(item.window)
    return list(groups.values())


class Inputs:
    """Resolves inputs against the market, the journal and the models."""

    def __init__(self, repository: Repository, ingest: Ingest, hub: Hub, interval: str) -> None:
        self._repository = repository
        self._ingest = ingest
        self._hub = hub
        self._interval = interval

    async def resolve(self, source: pb.Input, model: str) -> list[Item]:
        """Resolve a request's input.

        Raises:
            InvalidArgument: broken framing.
            NotFound: no such model.
            ResourceExhausted: too many items.
            FailedPrecondition: past signals of another epoch.
        """
        kind = source.WhichOneof("source")
        if kind == "signals":
            if model:
                raise InvalidArgument.field("model", "must be unset with input.signals: each has its own")
            return await self._signals(source.signals)
        pinned = self._repository.get(model)
        match kind:
            case "windows":
                items = _windows(source.windows, pinned)
            case "bars":
                items = await asyncio.to_thread(_series, source.bars, pinned)
            case "symbols":
                items = await self._symbols(list(source.symbols.symbols), pinned)
            case _:
                raise InvalidArgument.field("input.source", "must be set: windows, bars, symbols or signals")
        for item in items:
            item.model = pinned
        return items

    async def _symbols(self, symbols: list[str], model: Model) -> list[Item]:
        _check_count("input.symbols.symbols", len(symbols))
        return await self._ingest.read(self._latest, symbols, model)

    def _latest(self, symbols: Sequence[str], model: Model) -> list[Item]:
        """On the market thread."""
        store, spec = self._ingest.store, model.spec
        items = [Item(symbol=symbol) for symbol in symbols]
        ready = []
        for item in items:
            key = (item.symbol, self._interval)
            last = store.last_close(key)
            if not is_symbol(item.symbol):
                item.error = InvalidArgument.field(
                    "input.symbols.symbols", f"{SYMBOL_RULE}, is {item.symbol[:64]!r}"
                )
            elif last is None:
                item.error = NotFound(
                    "SYMBOL_NOT_FOUND",
                    f"no {self._interval} bars of {item.symbol!r}",
                    metadata={"symbol": item.symbol},
                )
            else:
                bars = store.until(key, last, spec.min_bars)
                item.bar_close_time = last
                if bars.shape[1] < spec.min_bars:
                    item.error = _too_few(item.symbol, bars.shape[1], spec.min_bars)
                else:
                    ready.append((item, key, bars))
        if ready:
            series = store.stack([key for _, key, _ in ready], [bars for _, _, bars in ready])
            windows, usable = latest_windows(spec, series)
            for row, (item, _, _) in enumerate(ready):
                _put(item, windows[row], bool(usable[row]))
        return items

    async def _signals(self, refs: pb.SignalRefs) -> list[Item]:
        _check_count("input.signals.sequences", len(refs.sequences))
        epoch = self._hub.bounds.epoch.hex()
        if refs.epoch and refs.epoch != epoch:
            raise FailedPrecondition(
                "EPOCH_CHANGED",
                f"input.signals.epoch: the journal's epoch is {epoch}, asked for {refs.epoch[:64]!r}",
                metadata={"epoch": epoch},
            )
        return await self._hub.read(lambda: [self._past(sequence) for sequence in refs.sequences])

    def _past(self, sequence: int) -> Item:
        """On a journal reader thread: one past signal with its window and model."""
        log, bounds = self._hub.log, self._hub.bounds
        record = log.record(sequence) if bounds.earliest <= sequence <= bounds.head else None
        kept = log.window(sequence) if record is not None else None
        if record is None:
            known = f"{bounds.earliest}..{bounds.head}"
            return Item(
                error=OutOfRange(
                    "SEQUENCE_OUT_OF_RANGE",
                    f"input.signals.sequences: {sequence} is outside the journal ({known})",
                    metadata={"sequence": str(sequence)},
                )
            )
        if kept is None:
            rule = f"must name a confidence or a buy, {sequence} is an outcome"
            return Item(error=InvalidArgument.field("input.signals.sequences", rule))
        digest, data = kept
        event = decode_event(record.payload)
        made = event.body.signal if isinstance(event.body, Buy) else event.body
        item = Item(symbol=event.symbol, bar_close_time=event.bar_close_time, journalled=made.confidence)
        try:
            item.model = self._repository.by_digest(digest)
            item.window = np.frombuffer(data, dtype="<f4").reshape(item.model.window_shape)
        except GlasstapeError as error:
            item.error = error
        return item


def _windows(message: pb.Windows, model: Model) -> list[Item]:
    steps, width = model.window_shape
    _check_count("input.windows.count", message.count)
    expected = message.count * steps * width * 4
    if len(message.data) != expected:
        raise InvalidArgument.field(
            "input.windows.data",
            f"{len(message.data)} bytes, expected count x {steps} x {width} x 4 = {expected}",
        )
    windows = np.frombuffer(message.data, dtype="<f4").reshape(message.count, steps, width)
    good = (np.abs(windows) <= LARGEST).all(axis=(1, 2))  # NaN compares false
    items = [Item(window=window) for window in windows]
    for row in (~good).nonzero()[0]:
        items[row].error = _bad_cell(int(row), windows[row], model)
    return items


def _bad_cell(row: int, window: Float32s, model: Model) -> InvalidArgument:
    time, feature = (int(i[0]) for i in (~(np.abs(window) <= LARGEST)).nonzero())
    name = model.spec.names[feature]
    return InvalidArgument.field(
        "input.windows.data",
        f"must be finite and within +-{LARGEST:g}, is {window[time, feature]} in window {row}, "
        f"time {time}, feature {name}",
        "WINDOW_INVALID",
    )


def _series(message: pb.BarSeries, model: Model) -> list[Item]:
    _check_count("input.bars.series", len(message.series))
    items = []
    for position, sequence in enumerate(message.series):
        if len(sequence.bars) > MAX_SERIES_BARS:
            raise InvalidArgument.field(
                f"input.bars.series[{position}].bars",
                f"at most {MAX_SERIES_BARS}, has {len(sequence.bars)}",
            )
        item = Item()
        try:
            bars = [bar_from(bar) for bar in sequence.bars]
            _check_series(bars, f"input.bars.series[{position}].bars")
            bars = [bar for bar in bars if not bar.halted]
            if len(bars) < model.spec.min_bars:
                raise _too_few(bars[0].symbol if bars else "", len(bars), model.spec.min_bars)
            item.symbol, item.bar_close_time = bars[-1].symbol, bars[-1].close_time
            window, usable = _window_of(bars[-model.spec.min_bars :], model)
            _put(item, window, usable)
        except GlasstapeError as error:
            item.error = error
        items.append(item)
    return items


def _check_series(bars: Sequence[Bar], path: str) -> None:
    for index, bar in enumerate(bars):
        where = f"{path}[{index}]"
        try:
            check_bar(bar)
        except InvalidArgument as error:
            first = error.violations[0]
            raise InvalidArgument.field(f"{where}.{first.field}", first.rule, "BAR_INVALID") from None
        if bar.provisional:
            raise InvalidArgument.field(f"{where}.provisional", "must be false: windows end at a closed bar")
        if index and (bar.symbol, bar.interval) != (bars[0].symbol, bars[0].interval):
            raise InvalidArgument.field(f"{where}.symbol", "all bars of a series share symbol and interval")
        if index and bar.close_time <= bars[index - 1].close_time:
            raise InvalidArgument.field(f"{where}.close_time", "must be after the bar before it")


def _window_of(bars: Sequence[Bar], model: Model) -> tuple[Float32s, bool]:
    columns = np.array([bar.values for bar in bars]).T[:, None, :]
    times = np.array([[bar.close_time for bar in bars]], dtype=np.int64)
    session = sessions(times, bars[0].interval, "UTC")
    windows, usable = latest_windows(model.spec, from_columns(times, columns, session))
    return windows[0], bool(usable[0])


def _put(item: Item, window: Float32s, usable: bool) -> None:
    if usable:
        item.window = window
    else:
        item.error = FailedPrecondition(
            "WINDOW_UNUSABLE",
            f"the last bars of {item.symbol!r} make no window: not finite, or not within one session",
            metadata={"symbol": item.symbol},
        )


def _too_few(symbol: str, have: int, need: int) -> FailedPrecondition:
    return FailedPrecondition(
        "TOO_FEW_BARS",
        f"{symbol!r} has {have} bars, the model needs {need}",
        metadata={"symbol": symbol, "bars": str(have), "min_bars": str(need)},
    )


def _check_count(field_name: str, count: int) -> None:
    if count == 0:
        raise InvalidArgument.field(field_name, f"must be 1-{MAX_ITEMS}, is 0")
    if count > MAX_ITEMS:
        raise ResourceExhausted(
            "TOO_MANY_ITEMS",
            f"{field_name}: at most {MAX_ITEMS} in a call, asked for {count}",
            metadata={"limit": str(MAX_ITEMS), "count": str(count)},
        )
