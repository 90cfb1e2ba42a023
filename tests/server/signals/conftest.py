"""Journals for the tests of signals."""

import pytest
from glasstape_server.signals.journal.history import HistoryReaders
from glasstape_server.signals.journal.sqlite.journal import SqliteJournal


@pytest.fixture
async def journal(tmp_path):
    opened = SqliteJournal(tmp_path / "journal.sqlite")
    yield opened
    opened.close()


@pytest.fixture
async def readers(journal):
    made = HistoryReaders(journal.history)
    yield made
    made.close()
