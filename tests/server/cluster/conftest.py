"""Servers of one cluster that take bars, each with a store of its own."""

import pytest
from brokers import OverStream
from glasstape_server.cluster.bars import ReplicatedIngest
from glasstape_server.market.clock import Clock
from glasstape_server.market.store import BarStore


class Takers(OverStream):
    """Makes entries of bars over one stream."""

    async def start(self, name, *, reads=True):
        store = BarStore(self.path(name), "1m")
        ingest = ReplicatedIngest(store, Clock(), self.broker, self.stream)
        self._open.append(ingest)
        if reads:
            ingest.start()
            await ingest.catch_up()
        return ingest

    async def stop(self, ingest):
        self._open.remove(ingest)
        await ingest.close()

    async def close(self):
        for ingest in self._open:
            await ingest.close()
        await self.broker.close()


@pytest.fixture
async def takers(tmp_path, nats_server):
    made = Takers(tmp_path, nats_server)
    await made.connect()
    yield made
    await made.close()
