"""A server with history of three symbols, and their next bars."""

import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from glasstape import Bar, Client
from made_up import FIRST_CLOSE, daily
from running import ServerProcess

SYMBOLS = ("AAA", "BBB", "005930")
HISTORY = 80


@dataclass
class Market:
    """What `open_market` opened."""

    server: ServerProcess
    client: Client
    bars: dict[str, list[Bar]]
    published: int = HISTORY

    @property
    def address(self) -> str:
        return self.server.address

    def close_bar(self) -> None:
        """Publish the next bar of every symbol, in one batch, and wait until it is signalled."""
        batch = [bars[self.published] for bars in self.bars.values()]
        report = self.client.publish_bars(batch)
        assert report.stored == len(self.bars)
        self.published += 1
        newest = {bar.symbol: bar.close_time for bar in batch}
        deadline = time.monotonic() + 10
        while not self._signalled(newest):
            assert time.monotonic() < deadline, "a bar was not signalled"
            time.sleep(0.01)

    def _signalled(self, newest: dict[str, datetime]) -> bool:
        for symbol, close_time in newest.items():
            events = self.client.history(symbols=[symbol], kinds=["confidence"], descending=True)
            if getattr(next(events, None), "bar_close_time", None) != close_time:
                return False
        return True


def open_market(
    server: ServerProcess, client: Client, bars: int = 400, first: datetime = FIRST_CLOSE
) -> Market:
    market = Market(server, client, {s: daily(s, bars, seed, first) for seed, s in enumerate(SYMBOLS)})
    for history in market.bars.values():
        assert client.publish_bars(history[:HISTORY], mode="backfill").stored == HISTORY
    return market


def market_on(wire: str, folder: Path) -> Iterator[Market]:
    """A server on one wire, its market after five signalled bars; what it was asked must not have broken it."""
    server = ServerProcess(folder, "--wire", wire)
    with server, Client(server.address) as client:
        opened = open_market(server, client)
        for _ in range(5):
            opened.close_bar()
        yield opened
    assert server.process is not None
    assert server.process.returncode == 0, "".join(server.log)
