"""A local server for tests of sources."""

import pytest
from source_markets import Market


@pytest.fixture
async def market():
    pytest.importorskip("aiohttp")
    async with Market().serve() as serving:
        yield serving
