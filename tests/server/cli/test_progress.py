"""Progress on a terminal and elsewhere."""

import io
import itertools

import pytest
from glasstape_server.cli.progress import LINE_SECONDS, Progress, duration


class Terminal(io.StringIO):
    def isatty(self):
        return True


class Seconds:
    now = 100.0

    def __call__(self):
        return self.now


@pytest.fixture
def clock():
    return Seconds()


def test_without_a_terminal_lines_are_plain_and_state_step_loss_and_time_left(clock):
    stream = io.StringIO()
    with Progress(stream, clock) as progress:
        task = progress.task("mine@1", "epoch", 40, early=True)
        clock.now += 30
        task.update(1, "loss 1.0912, validation 1.0950")
    assert stream.getvalue() == (
        "mine@1: epoch 1 of at most 40, loss 1.0912, validation 1.0950, 30 s elapsed, at most 20 min left\n"
    )


def test_lines_are_at_least_ten_seconds_apart_but_the_last_step_is_shown(clock):
    stream = io.StringIO()
    with Progress(stream, clock) as progress:
        task = progress.task("fits", "fit")
        for done in range(1, 61):
            clock.now += 1
            task.update(done, "", 60)
        task.finish()
    lines = stream.getvalue().splitlines()
    steps = [int(line.split()[2]) for line in lines]
    assert steps[0] == 1
    assert steps[-1] == 60
    assert all(b - a == LINE_SECONDS for a, b in itertools.pairwise(steps[:-1]))
    assert lines[1] == "fits: fit 11 of 60, 11 s elapsed, 49 s left"
    assert lines[-1] == "fits: fit 60 of 60, 1 min elapsed"


def test_a_training_that_stops_early_ends_complete(clock):
    stream = io.StringIO()
    with Progress(stream, clock) as progress:
        task = progress.task("mine@1", "epoch", 40, early=True)
        for done in (1, 2, 3):
            clock.now += 1
            task.update(done, f"loss {done}")
        task.finish()
    assert stream.getvalue().splitlines()[-1] == "mine@1: epoch 3 of 3, loss 3, 3 s elapsed"


def test_a_resumed_training_estimates_from_its_own_epochs(clock):
    stream = io.StringIO()
    with Progress(stream, clock) as progress:
        task = progress.task("mine@1", "epoch", 40)
        clock.now += 2
        task.update(31, "")
    assert stream.getvalue() == "mine@1: epoch 31 of 40, 2 s elapsed, 18 s left\n"


def test_a_training_that_was_complete_prints_nothing(clock):
    stream = io.StringIO()
    with Progress(stream, clock) as progress:
        progress.task("mine@1", "epoch", 40, early=True).finish()
    assert not stream.getvalue()


def test_a_long_step_is_noted_between_its_begin_and_its_end(clock):
    stream = io.StringIO()
    with Progress(stream, clock) as progress:
        task = progress.task("evaluate", "fit", 4)
        for epoch in range(1, 5):
            clock.now += 6
            task.note(f"fold 1 of 2, conv1d, epoch {epoch}")
        task.update(1, "fold 1 of 2, conv1d")
        clock.now += 6
        task.note("fold 1 of 2, linear, epoch 1")
        clock.now += 6
        task.note("fold 1 of 2, linear, epoch 2")
    assert stream.getvalue().splitlines() == [
        "evaluate: 0 of 4 fits done, fold 1 of 2, conv1d, epoch 1, 6 s elapsed",
        "evaluate: 0 of 4 fits done, fold 1 of 2, conv1d, epoch 3, 18 s elapsed",
        "evaluate: 1 of 4 fits done, fold 1 of 2, linear, epoch 1, 30 s elapsed, 2 min left",
    ]


def test_a_short_task_may_print_nothing(clock):
    stream = io.StringIO()
    with Progress(stream, clock) as progress:
        for seconds in (0.01, 4.0):
            task = progress.task("reading", "file", 4, delayed=True)
            for done in range(1, 5):
                clock.now += seconds
                task.update(done, "")
            task.finish()
    assert stream.getvalue().splitlines() == [
        "reading: file 3 of 4, 12 s elapsed, 4 s left", "reading: file 4 of 4, 16 s elapsed",
    ]  # fmt: skip


def test_on_a_terminal_a_bar_ends_full_though_the_training_stopped_early(clock, monkeypatch):
    monkeypatch.setenv("TERM", "xterm")
    stream = Terminal()
    with Progress(stream, clock) as progress:
        task = progress.task("mine@1", "epoch", 40, early=True)
        task.update(3, "loss 1.0912")
        task.finish()
    assert "100%" in stream.getvalue()
    assert "loss 1.0912" in stream.getvalue()


@pytest.mark.parametrize("variable", [("TERM", "dumb"), ("FORCE_COLOR", "1")])
def test_lines_have_no_control_characters(clock, monkeypatch, variable):
    monkeypatch.setenv(*variable)
    stream = Terminal() if variable[0] == "TERM" else io.StringIO()
    with Progress(stream, clock) as progress:
        task = progress.task("mine@1", "epoch", 2)
        task.update(1, "loss 1.0912")
        task.finish()
    assert stream.getvalue().startswith("mine@1: epoch 1 of 2, loss 1.0912, 0 s elapsed")
    assert not {"\x1b", "\r"} & set(stream.getvalue())


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0.4, "0 s"), (59.4, "59 s"), (61, "1 min"), (3599, "1 h 0 min"), (7500, "2 h 5 min")],
)
def test_a_duration_has_one_or_two_units(seconds, text):
    assert duration(seconds) == text
