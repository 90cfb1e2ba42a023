"""The source `ccxt` against an exchange on this machine, through ccxt's own URLs."""

import argparse
import json
from datetime import UTC, datetime, timedelta

import pytest
from candles import MINUTE, Market
from glasstape.sources import RateLimitedError, SourceError, SourceUnavailableError, UnknownSymbolError
from simulated_time import SimulatedTime

pytest.importorskip("ccxt")
from glasstape.sources.ccxt import CcxtSource
from local_exchange import LocalExchange  # needs aiohttp, which ccxt brings

FIRST = datetime(2026, 1, 5, tzinfo=UTC)
NOW = FIRST + timedelta(minutes=1500, seconds=20)


def options(folder, exchange=None, **config):
    file = folder / "ccxt.json"
    settings = exchange.ccxt_config if exchange else {}
    file.write_text(json.dumps(settings | config))
    return argparse.Namespace(exchange="binance", market_type=None, ccxt_config=file, credentials=None)


@pytest.fixture
async def exchange():
    async with LocalExchange(Market(["AAAUSDT", "BBBUSDT"], FIRST, 3000), SimulatedTime(NOW, 60)) as exchange:
        yield exchange


@pytest.fixture
async def source(exchange, tmp_path):
    source = CcxtSource.from_options(options(tmp_path, exchange))
    yield source
    await source.close()


async def history(source, symbol="AAAUSDT", start=FIRST, end=NOW):
    return [bar async for page in source.history(symbol, "1m", start, end) for bar in page]


async def test_history_is_complete_over_many_pages_and_ends_before_the_forming_candle(source, exchange):
    bars = await history(source)
    truth = exchange.market.closed("AAAUSDT", NOW)
    assert [(bar.close_time, bar.open, bar.high, bar.low, bar.close, bar.volume) for bar in bars] == [
        (candle.close_time, *candle.values) for candle in truth
    ]
    assert len(bars) == 1500


async def test_history_begins_after_its_start_and_ends_with_its_end(source):
    bars = await history(source, start=FIRST + 5 * MINUTE, end=FIRST + 7 * MINUTE)
    assert [bar.close_time for bar in bars] == [FIRST + 6 * MINUTE, FIRST + 7 * MINUTE]


async def test_history_passes_over_a_gap_that_is_longer_than_a_page(source, exchange):
    hidden = {("AAAUSDT", FIRST + minute * MINUTE) for minute in range(10, 1210)}
    exchange.faults.hidden = hidden
    assert len(await history(source)) == 300


async def test_live_candles_are_provisional(source):
    bars = []
    async for bar in source.live(["AAAUSDT", "BBBUSDT"], "1m"):
        bars.append(bar)
        if {bar.symbol for bar in bars} == {"AAAUSDT", "BBBUSDT"}:
            break
    assert all(bar.provisional and bar.close_time > NOW for bar in bars)


async def test_its_time_is_the_exchanges(source, exchange):
    exchange.faults.skew = 3600.0
    assert abs(await source.now() - exchange.now()) < timedelta(minutes=2)


async def test_instruments_have_tick_and_currency(source):
    await source.instruments(["AAAUSDT"])
    (instrument,) = await source.instruments(["AAAUSDT"])
    assert (instrument.symbol, instrument.name) == ("AAAUSDT", "AAA/USDT on Binance")
    assert (instrument.currency, instrument.tick_size, instrument.exchange) == ("USDT", 0.01, "24/7")


@pytest.mark.parametrize(
    ("fault", "error"),
    [
        ({"maintenance": "503"}, SourceUnavailableError),
        ({"maintenance": "html"}, SourceUnavailableError),
        ({"retry_after": 7}, RateLimitedError),
        ({"bad_json": True}, SourceUnavailableError),
        ({"delisted": {"AAAUSDT"}}, UnknownSymbolError),
    ],
    ids=lambda value: str(value) if isinstance(value, dict) else "",
)
async def test_faults_have_their_errors(source, exchange, fault, error):
    await source.instruments(["AAAUSDT"])
    for name, value in fault.items():
        setattr(exchange.faults, name, value)
    with pytest.raises(error) as caught:
        await history(source)
    assert type(caught.value) is error
    assert getattr(caught.value, "retry_after", None) == (
        timedelta(seconds=7) if "retry_after" in fault else None
    )


async def test_a_symbol_that_is_no_longer_traded_is_unknown(source, exchange):
    exchange.faults.delisted = {"AAAUSDT"}
    with pytest.raises(UnknownSymbolError, match="AAAUSDT: the exchange no longer trades it"):
        await source.instruments(["AAAUSDT"])


async def test_a_lost_connection_ends_live(source, exchange):
    bars = source.live(["AAAUSDT"], "1m")
    await anext(bars)
    exchange.disconnect()
    with pytest.raises(SourceUnavailableError):
        [bar async for bar in bars]


async def test_an_interval_that_the_exchange_lacks_is_refused(source):
    await source.instruments(["AAAUSDT"])
    with pytest.raises(SourceError, match=r"--interval: binance has 1m .* not 10m"):
        await anext(source.history("AAAUSDT", "10m", FIRST, NOW))


def test_an_unknown_exchange_is_refused(tmp_path):
    wanted = options(tmp_path)
    wanted.exchange = "nowhere"
    with pytest.raises(SourceError, match="--exchange: must be an exchange of ccxt, is 'nowhere'"):
        CcxtSource.from_options(wanted)


async def test_credentials_come_from_the_environment(tmp_path, monkeypatch):
    monkeypatch.setenv("CCXT_API_KEY", "key")
    monkeypatch.setenv("CCXT_SECRET", "secret")
    source = CcxtSource.from_options(options(tmp_path))
    assert (source.exchange.apiKey, source.exchange.secret) == ("key", "secret")
    await source.close()


class TradesOnly:
    """An exchange of ccxt that has trades and no candles on its WebSocket."""

    id, name = "trades", "Trades"
    timeframes = {"1m": "1m"}  # noqa: RUF012  # as ccxt has it
    has = {"watchTrades": True, "fetchOHLCV": True}  # noqa: RUF012
    last_response_headers = None

    def __init__(self, *pages):
        self._pages = list(pages)

    def market(self, symbol):
        return {"symbol": symbol}

    async def watch_trades(self, symbol):
        if not self._pages:
            raise ConnectionError("closed")
        return self._pages.pop(0)


async def test_an_exchange_with_trades_alone_has_bars_from_them():
    at = int(FIRST.timestamp() * 1000)
    pages = [
        [{"timestamp": at + 1000, "price": 10.0, "amount": 1.0}, {"timestamp": at + 2000, "price": 12, "amount": 2}],
        [{"timestamp": at + 61_000, "price": 9.0, "amount": 5.0}],
    ]  # fmt: skip
    live = CcxtSource(TradesOnly(*pages)).live(["A/B"], "1m")
    bars = [await anext(live), await anext(live)]
    with pytest.raises(ConnectionError):
        await anext(live)
    assert [(bar.close_time, bar.open, bar.high, bar.close, bar.volume, bar.provisional) for bar in bars] == [
        (FIRST + MINUTE, 10.0, 12.0, 12.0, 3.0, True), (FIRST + 2 * MINUTE, 9.0, 9.0, 9.0, 5.0, True)
    ]  # fmt: skip
