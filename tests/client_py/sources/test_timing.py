from datetime import timedelta

import pytest
from glasstape.sources.timing import Backoff


class Clock:
    def __init__(self):
        self.now = 0.0

    def monotonic(self):
        return self.now


@pytest.fixture
def clock():
    return Clock()


def test_delays_double_up_to_the_longest_with_jitter(clock):
    backoff = Backoff(clock, first=1, longest=8)
    delays = [backoff.delay() for _ in range(6)]
    for delay, longest in zip(delays, (1, 2, 4, 8, 8, 8), strict=True):
        assert longest / 2 <= delay <= longest


def test_a_short_connection_does_not_reset_the_delay(clock):
    backoff = Backoff(clock, first=1, longest=64, lasting=60)
    for _ in range(5):
        backoff.delay()
    backoff.connected()
    clock.now += 59
    assert backoff.delay() >= 16
    backoff.connected()
    clock.now += 60
    assert backoff.delay() <= 1


def test_the_requested_pause_is_the_shortest(clock):
    assert Backoff(clock, first=1).delay(timedelta(seconds=90)) == 90
