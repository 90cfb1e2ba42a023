"""Implementations of the journal and its history that one suite runs on."""

from contextlib import ExitStack, closing

import pytest
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


@pytest.fixture(params=[Sqlite, Replicated])
async def member(request, tmp_path):
    opened = request.param(tmp_path)
    yield opened
    opened.close()


@pytest.fixture
def journal(member):
    return member.journal


@pytest.fixture
def history(member):
    return member.journal.history
