"""The four sources of an Input, resolved into windows, each with its pinned model.

Framing breaks the call (an exception); a bad value breaks its item (an error in its place).
"""

import asyncio
from collections.abc import Sequence

import numpy as np
from glasstape.v1 import inference_pb2 as pb

from glasstape_server.domain.errors import (
    FailedPrecondition,
    GlasstapeError,
    InvalidArgument,
    NotFound,
    OutOfRange,
)
from glasstape_server.domain.values import (
    SYMBOL_RULE,
    Buy,
    Call,
    Event,
    Float32s,
    Floats,
    Ints,
    Kind,
    is_symbol,
)
from glasstape_server.features.spec import FeatureSpec
from glasstape_server.features.windows import latest_windows
from glasstape_server.market.draft import Key
from glasstape_server.market.ingest import Ingest
from glasstape_server.models.model import Model
from glasstape_server.models.repository import Repository
from glasstape_server.rpc.convert.signals import decode_event
from glasstape_server.serving.carried import series_from, windows_from
from glasstape_server.serving.items import Bars, Item, check_count, put, put_previous, too_few
from glasstape_server.signals.delivery.hub import Hub
from glasstape_server.signals.journal.records import Selection


class Inputs:
    """Resolves inputs against the market, the journal and the models."""

    def __init__(self, repository: Repository, ingest: Ingest, hub: Hub, interval: str) -> None:
        self._repository = repository
        self._ingest = ingest
        self._hub = hub
        self._interval = interval

    def model(self, name: str) -> Model:
        """The model of "name", "name@version" or "" (the active one).

        Raises:
            NotFound: there is none.
        """
        return self._repository.get(name)

    async def resolve(
        self,
        source: pb.Input,
        model: str,
        call: Call,
        *,
        with_bars: bool = False,
        with_previous: bool = False,
    ) -> list[Item]:
        """Resolve a request's input.

        Args:
            source: what to predict from.
            model: "name" or "name@version"; empty: the active one.
            call: nothing is looked up any more once it is over.
            with_bars: find the bars behind past signals, too (the other sources have them at hand).
            with_previous: find the window of the signal before each.

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
            items = await self._signals(source.signals, call, with_previous)
            if with_bars:
                await self._ingest.read(self._find_bars, items)
            return items
        pinned = self._repository.get(model)
        match kind:
            case "windows":
                if with_previous:
                    rule = (
                        "BASELINE_PREVIOUS needs bars, symbols or signals; of windows, send baseline_windows"
                    )
                    raise InvalidArgument.field("baseline", rule)
                items = windows_from(source.windows, pinned)
            case "bars":
                items = await asyncio.to_thread(series_from, source.bars, pinned, with_previous)
                if with_bars:
                    await self._ingest.read(self._find_rules, items)
            case "symbols":
                items = await self._symbols(list(source.symbols.symbols), pinned, with_previous)
            case _:
                raise InvalidArgument.field("input.source", "must be set: windows, bars, symbols or signals")
        for item in items:
            item.model = pinned
        return items

    async def _symbols(self, symbols: list[str], model: Model, with_previous: bool) -> list[Item]:
        check_count("input.symbols.symbols", len(symbols))
        return await self._ingest.read(self._latest, symbols, model, with_previous)

    def _latest(self, symbols: Sequence[str], model: Model, with_previous: bool) -> list[Item]:
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
                    item.error = too_few(item.symbol, bars.shape[1], spec.min_bars)
                else:
                    ready.append((item, key, bars))
        if ready:
            series = store.stack([key for _, key, _ in ready], [bars for _, _, bars in ready])
            windows, usable = latest_windows(spec, series)
            for row, (item, key, bars) in enumerate(ready):
                put(item, windows[row], bool(usable[row]))
                item.bars = self._bars(key, bars, series.session[row])
                if with_previous:
                    earlier = store.until(key, int(bars[0, -1]) - 1, spec.min_bars)
                    put_previous(item, self._window(key, earlier, spec))
        return items

    def _bars(self, key: Key, columns: Floats, session: Ints) -> Bars:
        """On the market thread."""
        store, last = self._ingest.store, int(columns[0, -1])
        instrument = store.instruments[key[0]]
        before = store.previous_session_close(key, last) if instrument.price_limit else None
        return Bars(columns, session, instrument.price_step, instrument.price_limit or 0.0, before or 0.0)

    def _find_rules(self, items: list[Item]) -> None:
        """What the exchange allows of bars that a request carried, on the market thread."""
        for item in items:
            instrument = self._ingest.store.instruments.get(item.symbol)
            if item.bars is None or instrument is None:
                continue
            columns, session = item.bars.columns, item.bars.session
            before = np.flatnonzero(session != session[-1])
            close = float(columns[4, before[-1]]) if len(before) else 0.0
            item.bars = Bars(columns, session, instrument.price_step, instrument.price_limit or 0.0, close)

    def _window(self, key: Key, bars: Floats, spec: FeatureSpec) -> Float32s | None:
        """The window of these bars, on the market thread; None: they make none."""
        if bars.shape[1] < spec.min_bars:
            return None
        windows, usable = latest_windows(spec, self._ingest.store.stack([key], [bars]))
        return windows[0] if usable[0] else None

    def _find_bars(self, items: list[Item]) -> None:
        """The bars of past signals, on the market thread. Bars may have been pruned or changed since."""
        store = self._ingest.store
        for item in items:
            if item.model is None or item.window is None or item.bar_close_time is None:
                continue
            key = (item.symbol, item.model.manifest.interval)
            bars = store.until(key, item.bar_close_time, item.model.spec.min_bars)
            if bars.shape[1] == item.model.spec.min_bars and int(bars[0, -1]) == item.bar_close_time:
                item.bars = self._bars(key, bars, store.stack([key], [bars]).session[0])

    async def _signals(self, refs: pb.SignalRefs, call: Call, with_previous: bool) -> list[Item]:
        check_count("input.signals.sequences", len(refs.sequences))
        epoch = self._hub.bounds.epoch.hex()
        if refs.epoch and refs.epoch != epoch:
            raise FailedPrecondition(
                "EPOCH_CHANGED",
                f"input.signals.epoch: the journal's epoch is {epoch}, asked for {refs.epoch[:64]!r}",
                metadata={"epoch": epoch},
            )

        def past() -> list[Item]:
            found = []
            for sequence in refs.sequences:
                call.check_open()
                found.append(self._past(sequence, with_previous))
            return found

        return await self._hub.read(past)

    def _past(self, sequence: int, with_previous: bool) -> Item:
        """On a journal reader thread: one past signal with its window and model."""
        history, bounds = self._hub.history, self._hub.bounds
        record = history.record(sequence) if bounds.earliest <= sequence <= bounds.head else None
        window = history.window(sequence) if record is not None else None
        if record is None:
            known = f"{bounds.earliest}..{bounds.head}"
            return Item(
                error=OutOfRange(
                    "SEQUENCE_OUT_OF_RANGE",
                    f"input.signals.sequences: {sequence} is outside the journal ({known})",
                    metadata={"sequence": str(sequence)},
                )
            )
        if window is None:
            rule = f"must name a confidence or a buy, {sequence} is an outcome"
            return Item(error=InvalidArgument.field("input.signals.sequences", rule))
        event = decode_event(record.payload, record.model)
        made = event.body.signal if isinstance(event.body, Buy) else event.body
        item = Item(symbol=event.symbol, bar_close_time=event.bar_close_time, journalled=made.confidence)
        try:
            item.model = self._repository.by_digest(record.model.digest)
            item.window = np.frombuffer(window, dtype="<f4").reshape(item.model.window_shape)
        except GlasstapeError as error:
            item.error = error
            return item
        if with_previous:
            put_previous(item, self._before(event, item.model))
        return item

    def _before(self, event: Event, model: Model) -> Float32s | None:
        """The window of the signal before a past one, on a journal reader thread; None: there is none."""
        history = self._hub.history
        selection = Selection(symbols=frozenset({event.symbol}), kinds=frozenset({Kind.CONFIDENCE}))
        for record in history.page(selection, 1, event.sequence - 1, 8, True):
            window = history.window(record.sequence)
            earlier = decode_event(record.payload, record.model)
            same = earlier.interval == event.interval and earlier.bar_close_time < event.bar_close_time
            if same and window is not None:
                if earlier.model.feature_spec_hash != model.ref.feature_spec_hash:
                    return None
                return np.frombuffer(window, dtype="<f4").reshape(model.window_shape)
        return None
