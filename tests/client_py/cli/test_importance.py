"""`glasstape importance` against a scripted server."""

import json
from dataclasses import replace
from datetime import UTC, datetime

import pytest
from glasstape import Direction, WindowFilter
from glasstape.cli import main
from glasstape.testing import FakeServer


@pytest.fixture
def fake():
    with FakeServer() as server:
        server.asked = []
        answer = server.importance
        server.importance = lambda *filters: server.asked.append(filters) or answer(*filters)
        yield server


@pytest.fixture
def command(fake, capsys):
    """Run the command; return its exit status, standard output and standard error."""

    def run(*arguments):
        status = main(["importance", *arguments, "--server", fake.address])
        return status, *capsys.readouterr()

    return run


def test_the_table_has_features_by_bars_with_intervals(command):
    status, out, _ = command()
    assert status == 0
    lines = {line.split()[0]: line for line in out.splitlines() if line.strip().startswith("feature_")}
    assert len(lines) == 8
    first = lines["feature_7"].replace("│", " ").split()
    # 8/36 of the whole; its newest bar has 6/21 of that.
    assert first[6] == "6.3"
    assert first[7] == "22.2"
    assert " ".join(first[8:11]) == "17.7 to 26.8"
    assert "loss increase" in out
    assert "90 (20 down, 30 flat, 40 up) of 3 symbols at 30 closes" in out
    assert "change" not in out


def test_a_reference_adds_the_change_with_its_mark(command, fake):
    status, out, _ = command("--days", "7", "--reference-from", "2026-01-01", "--reference-to", "2026-01-02")
    assert status == 0
    assert "0.001*" in out
    assert "compared with: 90" in out
    ((wanted, reference),) = fake.asked
    assert wanted == WindowFilter(days=7)
    assert reference.start == datetime(2026, 1, 1, 0, 0, 0, 1, UTC)
    assert reference.end == datetime(2026, 1, 3, tzinfo=UTC)


def test_the_filters_are_sent(command, fake):
    command("A", "B", "--direction", "up,DOWN", "--exclude-abstained", "--from", "2026-01-01T10:00+09:00")
    command("--validation")
    (first, _), (second, _) = fake.asked
    assert first == WindowFilter(
        symbols=("A", "B"), directions=(Direction.UP, Direction.DOWN), exclude_abstained=True,
        start=datetime(2026, 1, 1, 1, tzinfo=UTC),
    )  # fmt: skip
    assert second == WindowFilter(validation=True)


def test_json_is_one_object(command):
    status, out, _ = command("--json")
    assert status == 0
    parsed = json.loads(out)
    assert parsed["parts"][0]["share"]["value"] == pytest.approx(1 / 36)
    assert parsed["windows"]["labeled"] == 84


def test_without_a_window_the_reason_is_printed(command, fake):
    answer = fake.importance
    fake.importance = lambda *filters: replace(answer(*filters), parts=())
    status, out, _ = command()
    assert status == 1
    assert out.startswith("no window: 100 of 100 bars from")


def test_no_interval_is_said_to_be_none(command, fake):
    answer = fake.importance

    def without(*filters):
        importance = answer(*filters)
        parts = [
            replace(part, **{
                name: replace(getattr(part, name), low=None, high=None)
                for name in ("importance", "share", "signed_mean", "loss_increase")
            })
            for part in importance.parts
        ]  # fmt: skip
        return replace(importance, parts=tuple(parts))

    fake.importance = without
    status, out, _ = command()
    assert status == 0
    assert "no intervals: 30 closes are fewer than three blocks of 6" in out
    assert " to " not in out.split("windows:")[0]


@pytest.mark.parametrize("encoding", ["ascii", "cp949", "utf-8"])
def test_the_table_is_readable_in_any_encoding(fake, encoding):
    import os
    import subprocess
    import sys

    arguments = [sys.executable, "-m", "glasstape.cli", "importance", "--server", fake.address]
    env = {**os.environ, "PYTHONIOENCODING": encoding}
    done = subprocess.run(arguments, capture_output=True, env=env, check=True)
    out = done.stdout.decode(encoding)
    assert "feature_7" in out
    assert "?" not in out


@pytest.mark.parametrize("arguments", [("--direction", "sideways"), ("--from", "soon"), ("--windows", "x")])
def test_malformed_options_are_named(command, capsys, arguments):
    with pytest.raises(SystemExit):
        command(*arguments)
    assert arguments[0] in capsys.readouterr().err
