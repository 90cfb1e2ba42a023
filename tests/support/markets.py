"""A server with history of three symbols, and their next bars."""

from dataclasses import dataclass

from made_up import daily
from running import ServerProcess

from glasstape import Bar, Client

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
        """Publish the next bar of every symbol, in one batch."""
        report = self.client.publish_bars([bars[self.published] for bars in self.bars.values()])
        assert report.stored == len(self.bars)
        self.published += 1


def open_market(server: ServerProcess, client: Client, bars: int = 400) -> Market:
    market = Market(server, client, {s: daily(s, bars, seed) for seed, s in enumerate(SYMBOLS)})
    for history in market.bars.values():
        assert client.publish_bars(history[:HISTORY], backfill=True).stored == HISTORY
    return market
