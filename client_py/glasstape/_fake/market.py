"""The MarketService of a fake server: whatever is published is stored, and can be corrected."""

from collections.abc import Iterator
from dataclasses import asdict, dataclass, field, replace
from datetime import UTC, datetime
from typing import Any

from glasstape._convert.common import time_from, time_to
from glasstape._convert.corrections import correction_to
from glasstape._convert.market import bar_from, bar_to, instrument_from, instrument_to
from glasstape.types.enums import CorrectionKind
from glasstape.types.market import Bar, Correction, Instrument
from glasstape.v1 import market_pb2 as pb

_PRINCIPAL = "fake"


@dataclass
class FakeMarket:
    """What was published to a fake server."""

    bars: list[Bar] = field(default_factory=list)
    instruments: dict[str, Instrument] = field(default_factory=dict)
    modes: list[str] = field(default_factory=list)
    """Mode of each published batch."""
    corrections: list[Correction] = field(default_factory=list)

    def state(self, instrument: Instrument) -> None:
        """Take over the fields that an instrument states; the others are kept."""
        before = self.instruments.get(instrument.symbol, instrument)
        stated = {name: value for name, value in asdict(instrument).items() if value not in ("", None, ())}
        self.instruments[instrument.symbol] = replace(before, **stated)

    def journal(self, kind: CorrectionKind, symbol: str, bar: Bar | None, new_symbol: str = "") -> None:
        """Add a correction, made now."""
        self.corrections.append(
            Correction(
                kind=kind,
                time=datetime.now(UTC),
                principal=_PRINCIPAL,
                symbol=symbol,
                bar=bar,
                new_symbol=new_symbol,
            )
        )


class FakeMarketServicer:
    """The MarketService over a `FakeMarket`."""

    _market: FakeMarket

    def PublishBars(self, request: pb.PublishBarsRequest, context: Any) -> pb.PublishBarsResponse:
        self._market.modes.append(pb.BarMode.Name(request.mode).removeprefix("BAR_MODE_").lower())
        self._market.bars += [bar_from(bar) for bar in request.bars]
        for item in request.instruments:
            self._market.state(instrument_from(item))
        return pb.PublishBarsResponse(stored=len(request.bars))

    def StreamBars(
        self, requests: Iterator[pb.StreamBarsRequest], context: Any
    ) -> Iterator[pb.StreamBarsResponse]:
        for request in requests:
            receipt = self.PublishBars(request.batch, context)
            yield pb.StreamBarsResponse(batch_id=request.batch_id, receipt=receipt)

    def ListBars(self, request: pb.ListBarsRequest, context: Any) -> pb.ListBarsResponse:
        first = time_from(request.start_time) if request.HasField("start_time") else None
        last = time_from(request.end_time) if request.HasField("end_time") else None
        bars = self._between(request.symbol, request.interval, first, last)
        return pb.ListBarsResponse(bars=[bar_to(bar) for bar in bars])

    def ListInstruments(self, request: pb.ListInstrumentsRequest, context: Any) -> pb.ListInstrumentsResponse:
        known = {bar.symbol: Instrument(symbol=bar.symbol) for bar in self._market.bars}
        known |= self._market.instruments
        instruments = [instrument_to(_with_zone(known[symbol])) for symbol in sorted(known)]
        return pb.ListInstrumentsResponse(instruments=instruments)

    def ListSeries(self, request: pb.ListSeriesRequest, context: Any) -> pb.ListSeriesResponse:
        closes: dict[tuple[str, str], list[datetime]] = {}
        for bar in self._market.bars:
            if request.symbol in ("", bar.symbol):
                closes.setdefault((bar.symbol, bar.interval), []).append(bar.close_time)
        response = pb.ListSeriesResponse(market_time=time_to(datetime.now(UTC), "market_time"))
        for (symbol, interval), times in sorted(closes.items()):
            response.series.add(
                symbol=symbol,
                interval=interval,
                bar_count=len(times),
                first_close_time=time_to(min(times), "first_close_time"),
                last_close_time=time_to(max(times), "last_close_time"),
            )
        return response

    def RemoveBars(self, request: pb.RemoveBarsRequest, context: Any) -> pb.RemoveBarsResponse:
        first, last = time_from(request.start_time), time_from(request.end_time)
        removed = self._between(request.symbol, request.interval, first, last)
        for bar in removed:
            self._market.bars.remove(bar)
            self._market.journal(CorrectionKind.REMOVED, bar.symbol, bar)
        return pb.RemoveBarsResponse(removed=len(removed))

    def RenameSymbol(self, request: pb.RenameSymbolRequest, context: Any) -> pb.RenameSymbolResponse:
        market, symbol = self._market, request.symbol
        moved = [bar for bar in market.bars if bar.symbol == symbol]
        market.bars[:] = [
            replace(bar, symbol=request.new_symbol) if bar.symbol == symbol else bar for bar in market.bars
        ]
        if symbol in market.instruments:
            described = replace(market.instruments.pop(symbol), symbol=request.new_symbol)
            market.instruments.setdefault(request.new_symbol, described)
        market.journal(CorrectionKind.RENAMED, symbol, None, request.new_symbol)
        return pb.RenameSymbolResponse(moved=len(moved))

    def ListCorrections(self, request: pb.ListCorrectionsRequest, context: Any) -> pb.ListCorrectionsResponse:
        found = [
            correction_to(item)
            for item in self._market.corrections
            if request.symbol in ("", item.symbol, item.new_symbol)
        ]
        return pb.ListCorrectionsResponse(corrections=found)

    def _between(
        self, symbol: str, interval: str, first: datetime | None, last: datetime | None
    ) -> list[Bar]:
        """Return bars of a series that close in a range, both ends included; None: not limited."""
        return [
            bar
            for bar in self._market.bars
            if (bar.symbol, bar.interval) == (symbol, interval)
            and (first is None or first <= bar.close_time)
            and (last is None or bar.close_time <= last)
        ]


def _with_zone(instrument: Instrument) -> Instrument:
    """Return an instrument as servers list it: with a time zone."""
    if instrument.time_zone:
        return instrument
    return replace(instrument, time_zone="UTC", assumed=("time_zone",))
