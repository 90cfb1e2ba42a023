"""Servers of one cluster that take bars, each with a store of its own."""

import itertools

import pytest
from brokers import broker_of
from glasstape_server.broker.streams import Stream, ensure_stream
from glasstape_server.cluster.bars import ReplicatedIngest
from glasstape_server.market.clock import Clock
from glasstape_server.market.store import BarStore

_numbers = itertools.count()


class Takers:
    """Makes entries of bars over one stream."""

    def __init__(self, folder, server):
        self._folder = folder
        self._server = server
        self.stream = Stream(f"bars-{next(_numbers)}", "c", replicas=1)
        self._open = []

    async def connect(self):
        self.broker = await broker_of(self._server)
        await ensure_stream(self.broker, self.stream)

    def path(self, name):
        return self._folder / f"{name}.sqlite"

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
