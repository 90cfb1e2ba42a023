"""Journals and records for the feed's tests."""

import pytest
from glasstape_server.domain.values import Kind
from glasstape_server.signals.journal.log import Entry, Record
from glasstape_server.signals.journal.sqlite.log import SqliteLog


@pytest.fixture
def log(tmp_path):
    opened = SqliteLog(tmp_path / "journal.sqlite")
    yield opened
    opened.close()


@pytest.fixture
def append():
    """Append records of given kinds and symbols; returns what the log made of them."""

    def do(log, *described, model="m", expire=1 << 60):
        head = log.bounds().head
        entries = [
            Entry(
                Record(
                    head + 1 + n,
                    Kind[kind],
                    symbol,
                    "1d",
                    model,
                    winning,
                    expire,
                    f"{kind}{symbol}{head + n}".encode(),
                )
            )
            for n, (kind, symbol, winning) in enumerate(described)
        ]
        return log.append(entries, {})

    return do
