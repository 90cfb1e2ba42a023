"""A local server for tests of sources."""

import pytest
from kis_answers import KEY, SECRET, serve_token
from source_markets import FakeClock, Market
from tws import Tws, contract


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


@pytest.fixture
async def tws():
    async with Tws(FakeClock("2024-07-09T12:00")).serve() as serving:
        serving.contracts["AAPL"] = [contract("AAPL")]
        yield serving


@pytest.fixture
async def make_ib(tws):
    """Return a source of the local TWS; a function of the time, and of the source's options."""
    pytest.importorskip("exchange_calendars")
    from glasstape.sources.ib import IbSource
    from glasstape.sources.ib_session import IbAddress

    made = []

    def build(now="2024-07-09T12:00", **options):
        tws.clock = FakeClock(now)
        made.append(IbSource(IbAddress("127.0.0.1", tws.port, 7), clock=tws.clock, **options))
        return made[-1]

    yield build
    for source in made:
        await source.close()
