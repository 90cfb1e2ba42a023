"""`glasstape bars` against a scripted server: what it sends, prints and asks."""

import io
import json
from dataclasses import replace
from datetime import UTC, datetime

import pytest
from glasstape import Client, PermissionDeniedError
from glasstape.cli import main
from glasstape.testing import FakeServer
from made_up import daily

BARS = daily("A", 5, first=datetime(2024, 3, 4, 21, tzinfo=UTC))


@pytest.fixture
def fake():
    with FakeServer() as server, Client(server.address) as client:
        client.publish_bars([*BARS, replace(BARS[0], symbol="B", interval="1h")])
        yield server


@pytest.fixture
def bars(fake, capsys):
    """Run `glasstape bars`; return its exit status, standard output and standard error."""

    def run(*arguments):
        status = main(["bars", *arguments, "--server", fake.address])
        return status, *capsys.readouterr()

    return run


def answer(monkeypatch, text, terminal=True):
    stdin = io.StringIO(text)
    stdin.isatty = lambda: terminal
    monkeypatch.setattr("sys.stdin", stdin)


def lines(out):
    return [json.loads(line) for line in out.splitlines()]


def stored(fake):
    return [bar.close_time.day for bar in fake.published if bar.symbol == "A"]


def test_series_are_listed_with_their_age(bars):
    status, out, _ = bars("list")
    assert status == 0
    first, second = (line for line in out.splitlines() if "2024-03-0" in line)
    assert "A" in first
    assert "2024-03-04 21:00:00" in first
    assert "2024-03-08 21:00:00" in first
    assert "days" in first
    assert "1h" in second
    found = lines(bars("list", "--json")[1])
    assert [(item["symbol"], item["interval"], item["bar_count"]) for item in found] == [
        ("A", "1d", 5),
        ("B", "1h", 1),
    ]
    assert found[0]["retired"] is False
    assert found[0]["age"] > 86_400


def test_bars_of_a_symbol_are_listed(bars):
    assert len(lines(bars("list", "A", "--json")[1])) == 5
    assert "2024-03-08 21:00:00" in bars("list", "A")[1]
    assert len(lines(bars("list", "B", "--interval", "1h", "--json")[1])) == 1


@pytest.mark.parametrize(
    ("options", "left"),
    [
        (["--from", "2024-03-05", "--to", "2024-03-06", "--time-zone", "America/New_York"], [4, 7, 8]),
        (["--from", "2024-03-06T06:00", "--time-zone", "Asia/Seoul"], [4]),
        (["--to", "2024-03-06T20:59Z"], [6, 7, 8]),
        (["--to", "2024-03-06T21:00Z"], [7, 8]),
        (["--all"], []),
    ],
)
def test_bars_are_removed_between_two_times(fake, bars, options, left):
    removed = 5 - len(left)
    status, out, err = bars("remove", "A", "--interval", "1d", *options, "--yes")
    assert (status, out) == (0, f"{removed} removed\n")
    assert f"remove {removed} 1d bars of A, 2024-03-0" in err
    assert stored(fake) == left
    entries = lines(bars("list", "--corrections", "--json")[1])
    assert {(entry["kind"], entry["symbol"]) for entry in entries} == {("REMOVED", "A")}
    assert len(entries) == removed


@pytest.mark.parametrize(
    ("options", "error"),
    [
        ([], "requires --from and --to, one of them, or --all"),
        (["--all", "--from", "2024-03-05T00:00Z"], "requires --from and --to, one of them, or --all"),
        (
            ["--from", "2024-03-05"],
            "--from: must have an offset, or --time-zone must be set, is '2024-03-05'",
        ),
        (["--to", "yesterday"], "--to: must be an ISO 8601 date or time, is 'yesterday'"),
    ],
)
def test_a_range_must_be_given_and_have_a_zone(fake, bars, options, error):
    status, out, err = bars("remove", "A", "--interval", "1d", *options, "--yes")
    assert status > 0
    assert out == ""
    assert error in err
    assert len(stored(fake)) == 5


def test_nothing_to_remove_is_reported(bars):
    status, _, err = bars("remove", "A", "--interval", "1h", "--all", "--yes")
    assert (status, err) == (1, "A: no 1h bars to remove\n")


def test_without_a_terminal_a_correction_requires_yes(fake, bars, monkeypatch):
    answer(monkeypatch, "y\n", terminal=False)
    for arguments in (["remove", "A", "--interval", "1d", "--all"], ["rename", "A", "C"]):
        status, _, err = bars(*arguments)
        assert status == 2
        assert "requires --yes without a terminal" in err
    assert len(stored(fake)) == 5


@pytest.mark.parametrize(("reply", "left"), [("y\n", 0), ("yes\n", 0), ("\n", 5), ("n\n", 5), ("", 5)])
def test_in_a_terminal_a_correction_is_confirmed(fake, bars, monkeypatch, reply, left):
    answer(monkeypatch, reply)
    status, _, err = bars("remove", "A", "--interval", "1d", "--all")
    assert "continue? [y/N]" in err
    assert (status == 0) == (left == 0)
    assert len(stored(fake)) == left


def test_a_symbol_is_renamed(fake, bars):
    status, out, err = bars("rename", "A", "C", "--yes", "--json")
    assert (status, json.loads(out)) == (0, {"moved": 5})
    assert "rename A to C: 5 1d bars; signals made before stay as they are" in err
    assert {bar.symbol for bar in fake.published} == {"B", "C"}
    out = bars("list", "--corrections", "C")[1]
    assert "renamed" in out
    assert "A to C" in out


def test_bars_are_replaced_by_those_of_a_file(fake, bars, tmp_path):
    (tmp_path / "bars.csv").write_text("date,open,high,low,close,volume\n2024-03-04,1,2,1,2,5\n")
    status, _, _ = bars(
        "replace", str(tmp_path / "bars.csv"), "--symbol", "A", "--close", "16:00", "--time-zone", "UTC"
    )
    assert status == 0
    assert fake.published_modes[-1] == "replace"
    assert fake.published[-1].close == 2.0


def test_a_refusal_is_one_sentence(fake, bars):
    fake.fail("ListSeries", PermissionDeniedError("no scope", reason="SCOPE_MISSING"))
    status, out, err = bars("list")
    assert (status, out, err) == (1, "", "glasstape: PERMISSION_DENIED: no scope\n")
