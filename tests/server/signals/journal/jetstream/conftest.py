"""Members of one cluster, each with a projection of its own."""

import secrets
from dataclasses import replace

import pytest
from brokers import OverStream
from glasstape_server.signals.journal.jetstream.journal import JetStreamJournal
from glasstape_server.signals.journal.jetstream.projection import Identity


class Members(OverStream):
    """Makes journals over one stream."""

    def __init__(self, folder, server):
        super().__init__(folder, server)
        self.identity = Identity("c", secrets.token_bytes(32), secrets.token_bytes(8))

    async def start(self, name="a", *, leads=True, reads=True, broker=None, **identity):
        journal = JetStreamJournal(
            self.path(name),
            broker or self.broker,
            self.stream,
            replace(self.identity, **identity),
            is_owner=lambda: leads,
        )
        self._open.append(journal)
        if reads:
            journal.start()
            await journal.catch_up()
        return journal

    def stop(self, journal):
        self._open.remove(journal)
        journal.close()

    async def close(self):
        for journal in self._open:
            journal.close()
        await self.broker.close()


@pytest.fixture
async def members(tmp_path, nats_server):
    made = Members(tmp_path, nats_server)
    await made.connect()
    yield made
    await made.close()
