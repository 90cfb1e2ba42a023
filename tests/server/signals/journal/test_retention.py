import pytest
from glasstape_server.domain.values import DAY, Kind
from glasstape_server.signals.journal import retention
from glasstape_server.signals.journal.log import Entry, Record
from glasstape_server.signals.journal.retention import Retention

NOW = 1_000 * DAY


class _Event:
    """An event of which only the publish time counts here."""

    def __init__(self, payload):
        self.publish_time = int(payload)


@pytest.fixture
def filled(log):
    """An event a day, the last one published now."""
    days = range(NOW - 99 * DAY, NOW + DAY, DAY)
    log.append(
        [
            Entry(Record(n, Kind.CONFIDENCE, "A", "1d", "m", 0.4, 0, str(t).encode()))
            for n, t in enumerate(days, 1)
        ],
        {},
    )
    return log


def test_events_older_than_the_limit_are_removed_and_younger_ones_stay(filled):
    Retention(filled, _Event, days=30).apply(NOW)
    assert filled.bounds().earliest == 70  # published exactly 30 days ago
    assert filled.bounds().head == 100
    assert len(filled.read(69, 100)) == 31


def test_nothing_is_removed_that_is_hardly_beyond_the_limit(filled):
    Retention(filled, _Event, days=95).apply(NOW)
    assert filled.bounds().earliest == 1


def test_the_newest_event_stays_however_old_it_is(filled):
    Retention(filled, _Event, days=1).apply(NOW + 500 * DAY)
    assert (filled.bounds().earliest, filled.bounds().head) == (100, 100)


def test_so_many_events_are_kept(filled):
    Retention(filled, _Event, keep=40).apply(NOW)
    assert filled.bounds().earliest == 61
    Retention(filled, _Event, keep=38).apply(NOW)  # within a tenth of it
    assert filled.bounds().earliest == 61


def test_without_limits_everything_is_kept(filled):
    Retention(filled, _Event).apply(NOW + 500 * DAY)
    assert filled.bounds().earliest == 1


def test_ages_are_not_looked_at_with_every_burst(filled, monkeypatch):
    keeper = Retention(filled, _Event, days=30)
    keeper.apply(NOW)
    keeper.apply(NOW + 40 * DAY)
    assert filled.bounds().earliest == 70
    monkeypatch.setattr(retention, "LOOK_SECONDS", 0.0)
    keeper.apply(NOW + 40 * DAY)
    assert filled.bounds().earliest == 100
