"""A command that runs again and again."""

import pytest
from glasstape_server.training.schedule import repeat


class Ended(Exception):
    pass


def begun(every, durations):
    """When runs of these durations begin, and when the next ones are said to be due."""
    now, starts, due = [100.0], [], []
    left = iter(durations)

    def run(following):
        duration = next(left, None)
        if duration is None:
            raise Ended
        starts.append(now[0])
        due.append(following)
        now[0] += duration

    def wait(seconds):
        assert seconds >= 0
        now[0] += seconds

    with pytest.raises(Ended):
        repeat(every, run, lambda: now[0], wait)
    return starts, due


def test_it_runs_at_once_and_then_every_period_from_the_begin_of_a_run():
    starts, due = begun(60, [0, 10, 59])
    assert starts == [100, 160, 220]
    assert due == [160, 220, 280]


def test_a_run_longer_than_a_period_delays_the_next_and_none_is_made_up_for():
    assert begun(60, [200, 5, 5])[0] == [100, 300, 360]
