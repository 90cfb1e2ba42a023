"""Implementations of the journal and its history that one suite runs on."""

import itertools
import secrets
from contextlib import ExitStack, closing

import pytest
from brokers import broker_of
from glasstape_server.broker.streams import Stream, ensure_stream
from glasstape_server.signals.journal.jetstream.journal import JetStreamJournal
from glasstape_server.signals.journal.jetstream.projection import Identity
from glasstape_server.signals.journal.sqlite.journal import SqliteJournal
from replicas import Replica, SharedLog


class Sqlite:
    """The embedded journal."""

    def __init__(self, folder):
        self._path = folder / "journal.sqlite"
        self._open = ExitStack()
        self.journal = self._open.enter_context(closing(SqliteJournal(self._path)))

    def reopen(self):
        """End the process that holds it, and begin another."""
        self.close()
        self.journal = self._open.enter_context(closing(SqliteJournal(self._path)))

    def close(self):
        self._open.close()


class Replicated:
    """The owner of a replicated journal."""

    def __init__(self, folder):
        self._log = SharedLog()
        self.journal = Replica(self._log, owner=True)

    def reopen(self):
        self.journal = Replica(self._log, owner=True)

    def close(self):
        pass


class JetStream:
    """The leader of a cluster, over a real broker."""

    _numbers = itertools.count()

    def __init__(self, folder, broker):
        self._path = folder / "journal.sqlite"
        self._broker = broker
        self._identity = Identity("c", secrets.token_bytes(32), secrets.token_bytes(8))
        self.stream = Stream(f"contract-{next(self._numbers)}", "c", replicas=1)

    async def begin(self):
        await ensure_stream(self._broker, self.stream)
        self._begin()

    def _begin(self):
        self.journal = JetStreamJournal(
            self._path, self._broker, self.stream, self._identity, is_owner=lambda: True
        )
        self.journal.start()

    def reopen(self):
        """End the process that holds it, and begin another."""
        self.close()
        self._begin()

    def close(self):
        self.journal.close()


@pytest.fixture(params=[Sqlite, Replicated, JetStream])
async def member(request, tmp_path):
    if request.param is JetStream:
        broker = await broker_of(request.getfixturevalue("nats_server"))
        opened = JetStream(tmp_path, broker)
        await opened.begin()
        yield opened
        opened.close()
        await broker.close()
        return
    opened = request.param(tmp_path)
    yield opened
    opened.close()


@pytest.fixture
def journal(member):
    return member.journal


@pytest.fixture
def history(member):
    return member.journal.history
