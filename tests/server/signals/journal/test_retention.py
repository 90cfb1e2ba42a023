import itertools

import pytest
from glasstape_server.domain.times import DAY
from glasstape_server.signals.journal.retention import Retention
from journals import A, append

NOW = 1_000 * DAY


class _Event:
    """An event of which only the publish time counts here."""

    def __init__(self, payload, model):
        self.publish_time = int(payload)


@pytest.fixture
async def retention(journal, readers):
    """Makes the limits of a journal with an event a day, the last one published now."""
    days = itertools.count(NOW - 99 * DAY, DAY)
    await append(journal, *[A] * 100, encode=lambda event: str(next(days)).encode())
    return lambda **limits: Retention(journal, readers, _Event, **limits)


async def test_events_older_than_the_limit_are_removed_and_younger_ones_stay(journal, retention):
    await retention(days=30).apply(NOW)
    assert journal.bounds.earliest == 70  # published exactly 30 days ago
    assert journal.bounds.head == 100
    assert len(journal.history.read(69, 100)) == 31


async def test_nothing_is_removed_that_is_hardly_beyond_the_limit(journal, retention):
    await retention(days=95).apply(NOW)
    assert journal.bounds.earliest == 1


async def test_the_newest_event_stays_however_old_it_is(journal, retention):
    await retention(days=1).apply(NOW + 500 * DAY)
    assert (journal.bounds.earliest, journal.bounds.head) == (100, 100)


async def test_so_many_events_are_kept(journal, retention):
    await retention(keep=40).apply(NOW)
    assert journal.bounds.earliest == 61
    await retention(keep=38).apply(NOW)  # within a tenth of it
    assert journal.bounds.earliest == 61


async def test_without_limits_everything_is_kept(journal, retention):
    await retention().apply(NOW + 500 * DAY)
    assert journal.bounds.earliest == 1


@pytest.mark.parametrize(("seconds", "earliest"), [(60.0, 70), (0.0, 100)])
async def test_ages_are_checked_from_time_to_time(journal, retention, seconds, earliest):
    keeper = retention(days=30, age_check_seconds=seconds)
    await keeper.apply(NOW)
    await keeper.apply(NOW + 40 * DAY)
    assert journal.bounds.earliest == earliest
