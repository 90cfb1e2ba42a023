"""A local server that speaks the socket protocol of TWS, as far as history and its updates need it."""

import asyncio
import struct
from contextlib import asynccontextmanager

from source_markets import moment

SERVER_VERSION = 176
CURRENT_TIME, CONTRACT_DETAILS, HISTORY, CANCEL_HISTORY, START_API, POSITIONS = (
    "49",
    "9",
    "20",
    "25",
    "71",
    "61",
)


class Tws:
    """Contracts and bars by symbol; each request for history is kept as a dictionary."""

    def __init__(self, clock):
        self.clock = clock
        self.contracts = {}
        """Contracts by symbol, each with fields of `contract`."""
        self.history = lambda request: []
        """Returns rows (time, open, high, low, close, volume) of a request, or (code, message) of an error."""
        self.requests = []
        self.canceled = []
        self.subscribed = asyncio.Queue()
        """Ids of requests that want updates."""
        self.refuse = False
        self.port = 0
        self._writers = []

    @asynccontextmanager
    async def serve(self):
        server = await asyncio.start_server(self._client, "127.0.0.1", 0)
        self.port = server.sockets[0].getsockname()[1]
        try:
            yield self
        finally:
            server.close()
            await self.disconnect()

    async def disconnect(self):
        """Close the connections of all clients."""
        for writer in self._writers:
            writer.close()
            await writer.wait_closed()
        self._writers.clear()

    def send(self, *fields):
        """Send a message to the newest client."""
        data = "".join(f"{field}\0" for field in fields).encode()
        self._writers[-1].write(struct.pack(">I", len(data)) + data)

    def update(self, request, row, count=1):
        """Send an update of a bar."""
        time, opened, high, low, closed, volume = row
        self.send(90, request, count, time, opened, closed, high, low, 0, volume)

    async def _client(self, reader, writer):
        self._writers.append(writer)
        try:
            assert await reader.readexactly(4) == b"API\0"
            await self._read(reader)
            self.send(SERVER_VERSION, "20240708 10:00:00 EST")
            while True:
                await self._answer(await self._read(reader))
        except asyncio.IncompleteReadError:
            writer.close()

    async def _read(self, reader):
        (length,) = struct.unpack(">I", await reader.readexactly(4))
        return (await reader.readexactly(length)).decode().split("\0")

    async def _answer(self, fields):
        kind = fields[0]
        if kind == START_API:
            if self.refuse:
                await self.disconnect()
                return
            self.send(15, 1, "DU123")
            self.send(9, 1, 1)
        elif kind == POSITIONS:
            self.send(62, 1)
        elif kind == CURRENT_TIME:
            self.send(49, 1, int(self.clock.machine_time().timestamp()))
        elif kind == CONTRACT_DETAILS:
            self._describe(fields[2], fields[4])
        elif kind == HISTORY:
            self._history(fields)
        elif kind == CANCEL_HISTORY:
            self.canceled.append(fields[2])

    def _describe(self, request, symbol):
        contracts = self.contracts.get(symbol, [])
        if not contracts:
            self.send(4, 2, request, 200, "No security definition has been found for the request", "")
        for contract in contracts:
            self.send(10, request, *contract)
        self.send(52, 1, request)

    def _history(self, fields):
        names = ("id", "con_id", "symbol", "type", "", "", "", "", "exchange", "primary", "currency")
        request = dict(zip(names, fields[1:], strict=False))
        rest = ("end", "bar_size", "duration", "regular_hours", "what", "format", "updates")
        request |= dict(zip(rest, fields[15:], strict=False))
        self.requests.append(request)
        rows = self.history(request)
        if isinstance(rows, tuple):
            self.send(4, 2, request["id"], *rows, "")
            return
        self.send(17, request["id"], "", "", len(rows), *(field for row in rows for field in (*row, 0, 1)))
        if request["updates"] == "1":
            self.subscribed.put_nowait(request["id"])


def contract(symbol, kind="STK", exchange="SMART", currency="USD", primary="NASDAQ", **details):
    """Return the fields of a contract's description, in the order of the protocol."""
    details = {
        "name": "Apple Inc",
        "tick": "0.01",
        "industry": "Technology",
        "category": "Computers",
        "zone": "US/Eastern",
    } | details
    last_trade, strike, right, market, trading_class, con_id = "", "0", "", "NMS", "NMS", "265598"
    multiplier, order_types, valid_exchanges, magnifier, under_con_id, month = (
        "",
        "LMT",
        "SMART",
        "1",
        "0",
        "",
    )
    subcategory, trading_hours, liquid_hours, ev_rule, ev_multiplier, sec_ids = "", "", "", "", "0", "0"
    group, under_symbol, under_type, rules, expiration, stock_type = "1", "", "", "26", "", "COMMON"
    sizes = ("1", "1", "1")
    return [
        symbol, kind, last_trade, strike, right, exchange, currency, symbol, market, trading_class, con_id,
        details["tick"], multiplier, order_types, valid_exchanges, magnifier, under_con_id, details["name"], primary,
        month, details["industry"], details["category"], subcategory, details["zone"], trading_hours, liquid_hours,
        ev_rule, ev_multiplier, sec_ids, group, under_symbol, under_type, rules, expiration, stock_type, *sizes,
    ]  # fmt: skip


def row(opened, price=100.0, volume=10):
    """Return a bar of less than a day, whose time TWS sends as seconds since 1970."""
    return (int(moment(opened).timestamp()), price, price + 2, price - 2, price + 1, volume)


def day_row(date, price=100.0):
    return (date, price, price + 2, price - 2, price + 1, 10)
