"""A market of daily bars."""

import pytest
from glasstape_server.domain.bars import Bar
from glasstape_server.domain.times import DAY
from glasstape_server.engine.engine import Engine
from glasstape_server.market.clock import Clock
from glasstape_server.market.draft import Batch, BatchMode
from glasstape_server.market.ingest import Ingest
from glasstape_server.market.store import BarStore
from importance_parts import DAYS, FIRST_DAY, SYMBOLS, Parts, RecordingEngine
from made_up import columns


@pytest.fixture(scope="session")
def stored(tmp_path_factory):
    """A store of `DAYS` daily bars of each symbol."""
    store = BarStore(tmp_path_factory.mktemp("bars") / "bars.sqlite")
    for seed, symbol in enumerate(SYMBOLS):
        rows = columns(DAYS, seed).T.tolist()
        bars = [Bar(symbol, "1d", (FIRST_DAY + day) * DAY, *row) for day, row in enumerate(rows)]
        store.publish([Batch(bars, mode=BatchMode.BACKFILL)])
    yield store
    store.close()


@pytest.fixture
def parts(stored, bundled):
    engine = Engine()
    yield Parts(Ingest(stored, Clock()), RecordingEngine(engine), bundled)
    engine.stop()
