"""The four sources of a request, resolved into items: each with its window and its pinned model.

Broken framing fails the call (an exception); a bad value fails its item (its `error`).
"""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np
from glasstape.symbols import reason_invalid

from glasstape_server.domain.arrays import Float32s, Floats, Ints
from glasstape_server.domain.bars import SeriesKey
from glasstape_server.domain.calls import Call
from glasstape_server.domain.errors import InvalidArgument, NotFound
from glasstape_server.domain.signals import Event, ModelRef
from glasstape_server.features.spec import FeatureSpec
from glasstape_server.market.ingest import Ingest
from glasstape_server.market.missing_bars import MissingBars
from glasstape_server.models.model import Model
from glasstape_server.models.repository import Repository
from glasstape_server.serving.items import Bars, Item, check_count, set_previous, set_window, too_few_bars
from glasstape_server.serving.past_signals import PastSignals
from glasstape_server.serving.requests import BarSeries, SignalRefs, Source, Symbols, Windows
from glasstape_server.serving.series import check_series_framing, needs_time_zones, series_items
from glasstape_server.serving.windows import window_items
from glasstape_server.signals.delivery.hub import Hub


class Inputs:
    """Resolves sources against the market, the journal and the models."""

    def __init__(
        self,
        repository: Repository,
        ingest: Ingest,
        hub: Hub,
        interval: str,
        decode: Callable[[bytes, ModelRef], Event],
    ) -> None:
        """Make inputs.

        Args:
            repository: models.
            ingest: the market, whose thread reads bars.
            hub: the feed, whose threads read the journal.
            interval: bar interval of `Symbols`.
            decode: the event of a journaled payload and its model.
        """
        self.repository = repository
        self.ingest = ingest
        self._interval = interval
        self._past = PastSignals(repository, hub, decode)

    def model(self, name: str) -> Model:
        """Return the model of "name", "name@version" or "" (the active one).

        Raises:
            NotFound: there is none.
        """
        return self.repository.get(name)

    def pin(self, source: Source, name: str) -> Model | None:
        """Return the one model of all items; None for past signals, each of which has its own.

        Raises:
            NotFound: there is none.
            InvalidArgument: past signals with a model.
        """
        if not isinstance(source, SignalRefs):
            return self.model(name)
        if name:
            raise InvalidArgument.field("model", "must be unset with input.signals: each has its own")
        return None

    async def resolve(
        self,
        source: Source,
        model: Model | None,
        call: Call,
        *,
        with_bars: bool = False,
        with_previous: bool = False,
    ) -> list[Item]:
        """Resolve a source into items, in order.

        Args:
            source: what to predict from.
            model: as `pin` returned it.
            call: lookups stop once it is canceled or past its deadline.
            with_bars: also find the bars of past signals (the other sources have them).
            with_previous: find the window of the signal before each.

        Raises:
            InvalidArgument: broken framing, or too many items.
            FailedPrecondition: past signals of another epoch.
        """
        if isinstance(source, SignalRefs):
            items = await self._past.items(source, call, with_previous)
            if with_bars:
                await self.ingest.run_on_market_thread(self._add_bars, items)
            return items
        assert model is not None
        match source:
            case Windows():
                if with_previous:
                    rule = (
                        "BASELINE_PREVIOUS needs bars, symbols or signals; of windows, send baseline_windows"
                    )
                    raise InvalidArgument.field("baseline", rule)
                return window_items(source, model)
            case BarSeries():
                check_series_framing(source, model)
                zones = dict[str, str]()
                if needs_time_zones(model):
                    zones = await self.ingest.run_on_market_thread(self._time_zones, source)
                items = await asyncio.to_thread(series_items, source, model, zones, with_previous)
                if with_bars:
                    await self.ingest.run_on_market_thread(self._add_exchange_rules, items)
                return items
            case Symbols():
                check_count("input.symbols.symbols", len(source.symbols))
                return await self.ingest.run_on_market_thread(
                    self._latest, source.symbols, model, with_previous
                )

    def _latest(self, symbols: Sequence[str], model: Model, with_previous: bool) -> list[Item]:
        """Return items of the latest stored bars; on the market thread."""
        store, spec = self.ingest.store, model.spec
        items = [Item(model=model, symbol=symbol) for symbol in symbols]
        ready = []
        for item in items:
            key = (item.symbol, self._interval)
            last = store.last_close(key)
            if rule := reason_invalid(item.symbol):
                item.error = InvalidArgument.field("input.symbols.symbols", rule)
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
                    item.error = too_few_bars(item.symbol, bars.shape[1], spec.min_bars)
                else:
                    ready.append((item, key, bars))
        if ready:
            keys = [key for _, key, _ in ready]
            series = store.stack(keys, [bars for _, _, bars in ready])
            windows, usable, absent = self.ingest.cross_sections.windows(spec, keys, series)
            missing = MissingBars(store, self.ingest.calendars)
            spanned = series.close_time[:, -spec.window_bars - 1 :].tolist()
            for row, (item, key, bars) in enumerate(ready):
                item.missing_bars = missing.count(key, spanned[row])
                item.missing_symbols = int(absent[row])
                set_window(item, windows[row], bool(usable[row]))
                item.bars = self._bars(key, bars, series.session[row])
                if with_previous:
                    earlier = store.until(key, int(bars[0, -1]) - 1, spec.min_bars)
                    set_previous(item, self._window(key, earlier, spec))
        return items

    def _bars(self, key: SeriesKey, columns: Floats, session: Ints) -> Bars:
        """Return bars with the exchange's rules; on the market thread."""
        store, last = self.ingest.store, int(columns[0, -1])
        instrument = store.instruments[key[0]]
        before = store.previous_session_close(key, last) if instrument.price_limit else None
        limit, zone = instrument.price_limit or 0.0, instrument.time_zone
        return Bars(columns, session, instrument.price_step, limit, before or 0.0, zone)

    def _time_zones(self, source: BarSeries) -> dict[str, str]:
        """Return the time zones of the symbols that the server knows; on the market thread."""
        known = self.ingest.store.instruments
        symbols = {bars[0].symbol for bars in source.series if bars}
        return {symbol: known[symbol].time_zone for symbol in symbols if symbol in known}

    def _add_exchange_rules(self, items: list[Item]) -> None:
        """Add tick and price limit to bars that a request carried; on the market thread."""
        for item in items:
            instrument = self.ingest.store.instruments.get(item.symbol)
            if item.bars is None or instrument is None:
                continue
            columns, session = item.bars.columns, item.bars.session
            before = np.flatnonzero(session != session[-1])
            close = float(columns[4, before[-1]]) if len(before) else 0.0
            item.bars = replace(
                item.bars,
                tick=instrument.price_step,
                price_limit=instrument.price_limit or 0.0,
                previous_session_close=close,
            )

    def _window(self, key: SeriesKey, bars: Floats, spec: FeatureSpec) -> Float32s | None:
        """Return the window of these bars, or None if they make none; on the market thread."""
        if bars.shape[1] < spec.min_bars:
            return None
        series = self.ingest.store.stack([key], [bars])
        windows, usable, _ = self.ingest.cross_sections.windows(spec, [key], series)
        return windows[0] if usable[0] else None

    def _add_bars(self, items: list[Item]) -> None:
        """Add the bars of past signals, unless they were pruned or replaced; on the market thread."""
        store = self.ingest.store
        for item in items:
            if item.model is None or item.window is None or item.bar_close_time is None:
                continue
            key = (item.symbol, item.model.manifest.interval)
            bars = store.until(key, item.bar_close_time, item.model.spec.min_bars)
            if bars.shape[1] == item.model.spec.min_bars and int(bars[0, -1]) == item.bar_close_time:
                item.bars = self._bars(key, bars, store.stack([key], [bars]).session[0])
