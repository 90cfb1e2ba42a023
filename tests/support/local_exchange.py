"""An exchange on this machine that speaks Binance's REST and WebSocket formats, with faults.

`exchangeInfo`, `time`, `klines` and the kline stream, in the shapes of Binance's public documentation, as far as ccxt
reads them.
"""

import asyncio
import json
import threading
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from aiohttp import WSCloseCode, web
from candles import MINUTE, TRADES, Market

QUOTE = "USDT"


@dataclass
class Faults:
    """What is wrong now; may be changed at any moment."""

    silent: bool = False
    """WebSockets stay open and send nothing."""
    refuse_stream: bool = False
    maintenance: str = ""
    """"503" or "html": the answer of every REST request, and no WebSocket."""
    retry_after: int = 0
    """429 with Retry-After in seconds."""
    bad_json: bool = False
    skew: float = 0.0
    """Seconds that the exchange's clock and its candles are late."""
    hidden: set[tuple[str, datetime]] = field(default_factory=set)
    """Candles (symbol, open time) that REST leaves out."""
    duplicate: bool = False
    late: bool = False
    """Each final candle of the stream arrives after the first change of the next one."""
    corrected: dict[tuple[str, datetime], float] = field(default_factory=dict)
    """Closing prices (symbol, open time) that the exchange changed afterwards."""
    delisted: set[str] = field(default_factory=set)
    slow: float = 0.0
    """Wall seconds before a REST answer."""


class LocalExchange:
    """Serves a `Market` on a free port of 127.0.0.1."""

    def __init__(self, market: Market, time) -> None:
        self.market, self._time = market, time
        self.faults = Faults()
        self.requests = 0
        self.connections = 0
        self.port = 0
        self._sockets: dict[web.WebSocketResponse, set[str]] = {}
        self._runner: web.AppRunner | None = None
        self._pusher: asyncio.Task | None = None

    @property
    def ccxt_config(self):
        """Settings of ccxt that lead to this exchange."""
        at = f"127.0.0.1:{self.port}"
        return {
            "urls": {"api": {"public": f"http://{at}/api/v3", "ws": {"spot": f"ws://{at}/ws"}}},
            "options": {"fetchMarkets": {"types": ["spot"]}},
            "timeout": 2000,
            "timeout_on_exit": 0,
            "enableRateLimit": False,
        }

    def now(self) -> datetime:
        return self._time.now() - timedelta(seconds=self.faults.skew)

    async def start(self) -> None:
        app = web.Application()
        app.add_routes(
            [
                web.get("/api/v3/exchangeInfo", self._rest(self._exchange_info)),
                web.get("/api/v3/time", self._rest(self._server_time)),
                web.get("/api/v3/klines", self._rest(self._klines)),
                web.get("/ws/{stream}", self._stream),
            ]
        )
        self._runner = web.AppRunner(app, shutdown_timeout=0.1, access_log=None)
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", self.port)
        await site.start()
        self.port = self._runner.addresses[0][1]
        self._pusher = asyncio.create_task(self._push())

    async def stop(self) -> None:
        self._pusher.cancel()
        await asyncio.gather(self._pusher, return_exceptions=True)
        self.disconnect()
        await self._runner.cleanup()

    def disconnect(self) -> None:
        """Break every WebSocket as a network does: without a closing message."""
        for socket in list(self._sockets):
            if socket._req.transport is not None:
                socket._req.transport.abort()
        self._sockets.clear()

    async def __aenter__(self):
        await self.start()
        return self

    async def __aexit__(self, *error):
        await self.stop()

    def _rest(self, answer):
        async def handler(request):
            self.requests += 1
            faults = self.faults
            if faults.slow:
                await asyncio.sleep(faults.slow)
            if faults.maintenance == "html":
                return web.Response(
                    text="<html><body>Under maintenance</body></html>", content_type="text/html"
                )
            if faults.maintenance:
                return web.json_response({"code": -1001, "msg": "Internal error"}, status=503)
            if faults.retry_after:
                headers = {"Retry-After": str(faults.retry_after)}
                body = {"code": -1003, "msg": "Too many requests."}
                return web.json_response(body, status=429, headers=headers)
            if faults.bad_json:
                return web.Response(text='[[1, "2', content_type="application/json")
            return answer(request)

        return handler

    def _server_time(self, request):
        return web.json_response({"serverTime": _milliseconds(self.now())})

    def _exchange_info(self, request):
        symbols = [
            {
                "symbol": symbol, "status": "BREAK" if symbol in self.faults.delisted else "TRADING",
                "baseAsset": symbol.removesuffix(QUOTE), "quoteAsset": QUOTE, "baseAssetPrecision": 8,
                "quoteAssetPrecision": 8, "quotePrecision": 8, "isSpotTradingAllowed": True,
                "isMarginTradingAllowed": False, "permissions": ["SPOT"], "permissionSets": [["SPOT"]],
                "orderTypes": ["LIMIT", "MARKET"],
                "filters": [
                    {"filterType": "PRICE_FILTER", "minPrice": "0.01", "maxPrice": "1000000", "tickSize": "0.01"},
                    {"filterType": "LOT_SIZE", "minQty": "0.0001", "maxQty": "9000", "stepSize": "0.0001"},
                ],
            }
            for symbol in self.market.symbols
        ]  # fmt: skip
        body = {
            "timezone": "UTC",
            "serverTime": _milliseconds(self.now()),
            "rateLimits": [],
            "symbols": symbols,
        }
        return web.json_response(body)

    def _klines(self, request):
        symbol = request.query["symbol"]
        if symbol in self.faults.delisted or symbol not in self.market.symbols:
            return web.json_response({"code": -1121, "msg": "Invalid symbol."}, status=400)
        start = datetime.fromtimestamp(int(request.query.get("startTime", 0)) / 1000, UTC)
        limit = int(request.query.get("limit", 500))
        candles = self.market.candles(symbol, start, self.now(), limit)
        rows = [
            self._row(symbol, candle)
            for candle in candles
            if (symbol, candle.open_time) not in self.faults.hidden
        ]
        return web.json_response(rows)

    def _row(self, symbol, candle):
        close = self.faults.corrected.get((symbol, candle.open_time), candle.close)
        high, low = max(candle.high, close), min(candle.low, close)
        prices = [f"{value:.8f}" for value in (candle.open, high, low, close, candle.volume)]
        opened = _milliseconds(candle.open_time)
        return [opened, *prices, opened + 59_999, "0.0", 4, "0.0", "0.0", "0"]

    async def _stream(self, request):
        if self.faults.refuse_stream or self.faults.maintenance:
            return web.Response(status=503, text="unavailable")
        socket = web.WebSocketResponse(autoping=False)
        await socket.prepare(request)
        self.connections += 1
        self._sockets[socket] = set()
        try:
            async for message in socket:
                if message.type is web.WSMsgType.PING and not self.faults.silent:
                    await socket.pong(message.data)
                if message.type is not web.WSMsgType.TEXT:
                    continue
                command = json.loads(message.data)
                if command["method"] == "SUBSCRIBE":
                    self._sockets.setdefault(socket, set()).update(command["params"])
                await socket.send_json({"result": None, "id": command["id"]})
        finally:
            self._sockets.pop(socket, None)
            await socket.close(code=WSCloseCode.GOING_AWAY)
        return socket

    async def _push(self):
        """Send what each trade and each close changes."""
        done = self.now()
        while True:
            now = self.now()
            for moment, closing in _moments(done, now):
                await self._send(moment, closing)
            done = max(done, now)
            await asyncio.sleep(0.001)

    async def _send(self, moment, closing):
        minute = self.market.minute_of(moment) - closing
        if not 0 <= minute < self.market.minutes:
            return
        opened = self.market.first + minute * MINUTE
        seconds = (moment - opened).total_seconds()
        late = self.faults.late
        for symbol in self.market.symbols:
            messages = []
            if not (late and closing):
                messages.append(self._message(symbol, minute, seconds, moment))
            if late and not closing and seconds == TRADES[0] and minute:
                messages.append(self._message(symbol, minute - 1, 60.0, moment))
            await self._send_to_all(symbol, [text for text in messages if text])

    def _message(self, symbol, minute, seconds, moment):
        candle = self.market.candle(symbol, minute, seconds)
        if candle is None:
            return None
        opened = _milliseconds(candle.open_time)
        text = {
            "o": f"{candle.open:.8f}", "c": f"{candle.close:.8f}", "h": f"{candle.high:.8f}",
            "l": f"{candle.low:.8f}", "v": f"{candle.volume:.8f}",
        }  # fmt: skip
        kline = {
            "t": opened,
            "T": opened + 59_999,
            "s": symbol,
            "i": "1m",
            "x": seconds >= 60,
            "n": 4,
            **text,
        }
        return json.dumps({"e": "kline", "E": _milliseconds(moment), "s": symbol, "k": kline})

    async def _send_to_all(self, symbol, messages):
        if self.faults.silent or symbol in self.faults.delisted:
            return
        stream = f"{symbol.lower()}@kline_1m"
        for socket, streams in list(self._sockets.items()):
            if stream not in streams or socket.closed:
                continue
            for text in messages * (2 if self.faults.duplicate else 1):
                try:
                    await socket.send_str("{" if self.faults.bad_json else text)
                except ConnectionError:
                    self._sockets.pop(socket, None)


def _moments(start, end):
    """Trades and closes after `start`, until `end`."""
    minute = start.replace(second=0, microsecond=0)
    while minute <= end:
        for moment, closing in [
            (minute, True),
            *((minute + timedelta(seconds=second), False) for second in TRADES),
        ]:
            if start < moment <= end:
                yield moment, closing
        minute += MINUTE


def _milliseconds(moment):
    return round(moment.timestamp() * 1000)


@contextmanager
def exchange_in_thread(market, time):
    """Yield an exchange that runs on a thread of its own, for commands."""
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, name="exchange", daemon=True)
    thread.start()
    exchange = LocalExchange(market, time)
    asyncio.run_coroutine_threadsafe(exchange.start(), loop).result(10)
    try:
        yield exchange
    finally:
        asyncio.run_coroutine_threadsafe(exchange.stop(), loop).result(10)
        loop.call_soon_threadsafe(loop.stop)
        thread.join(5)
        loop.close()
