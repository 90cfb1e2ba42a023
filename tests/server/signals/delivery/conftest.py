"""Feeds for the tests of delivery."""

import pytest
from feeds import HubFixture


@pytest.fixture
async def feeds():
    """Makes feeds."""
    made = []

    async def make(journal, **options):
        made.append(HubFixture(journal, **options))
        await made[-1].hub.start()
        return made[-1]

    yield make
    for feed in made:
        await feed.hub.close()


@pytest.fixture
async def feed(feeds, journal):
    return await feeds(journal)
