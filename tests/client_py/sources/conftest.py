"""A local server for tests of sources."""

import pytest
from kis_answers import KEY, SECRET, serve_token
from source_markets import FakeClock, Market


@pytest.fixture
async def market():
    pytest.importorskip("aiohttp")
    async with Market().serve() as serving:
        yield serving


@pytest.fixture
async def make_kis(market):
    """Return a source of the local server; a function of the time, and of the source's options."""
    pytest.importorskip("exchange_calendars")
    from glasstape.sources.credentials import Credentials
    from glasstape.sources.kis import KisSource
    from glasstape.sources.kis_http import KisUrls

    made = []

    def build(now="2025-11-14T00:00", **options):
        market.clock = FakeClock(now)
        serve_token(market)
        urls = KisUrls(market.url, market.url.replace("http", "ws") + "/tryitout", 15)
        credentials = Credentials("kis", {"key": KEY, "secret": SECRET})
        made.append(KisSource(credentials, urls=urls, clock=market.clock, **options))
        return made[-1]

    yield build
    for source in made:
        await source.close()
