"""Folders and patterns of bar files, in every command that reads bars."""

import json
import re
import time

import pytest
from glasstape import Client
from glasstape.cli import main
from made_up import columns
from running import ServerProcess

DATES = ("--time-zone", "UTC", "--close", "24:00")
BARS = 130
SYMBOLS = 12


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """One file per symbol, in two subfolders, and one row without a close."""
    root = tmp_path_factory.mktemp("market")
    for number in range(SYMBOLS):
        prices = zip(*(map(str, column) for column in columns(BARS, number)), strict=True)
        days = (f"2024-{1 + day // 28:02d}-{1 + day % 28:02d}" for day in range(BARS))
        rows = [f"{day},{','.join(values)}" for day, values in zip(days, prices, strict=True)]
        if number == 0:
            rows[50] = rows[50].rpartition(",")[0].rpartition(",")[0] + ",,1000"
        path = root / ("first", "second")[number % 2] / f"S{number:02d}.csv"
        path.parent.mkdir(exist_ok=True)
        path.write_text("\n".join(["date,open,high,low,close,volume", *rows]) + "\n")
    return root


SUMMARY = (
    "12 files, 12 symbols, 1,559 bars, closes from 2024-01-02 00:00 to 2024-05-19 00:00 UTC, "
    "1 row left out (missing 1)"
)


def commands(data, out):
    fit = ("--data", data, "--horizon", "1", "--accept", "missing,gap")
    return {
        "train": ["train", *fit, "--arch", "linear", "--epochs", "1", "--out", str(out / "models")],
        "evaluate": ["evaluate", *fit, "--folds", "1", "--epochs", "1", "--arch", "linear", "--processes", "1",
                     "--out", str(out / "report")],
        "doctor": ["doctor", "--offline", "--check-bars", data, "--accept", "missing"],
    }  # fmt: skip


@pytest.mark.parametrize("command", ["train", "evaluate", "doctor"])
@pytest.mark.parametrize("pattern", ["", "*/*.csv"])
def test_many_files_are_one_line(folder, tmp_path, capsys, command, pattern):
    main([*commands(str(folder / pattern), tmp_path)[command], *DATES])
    captured = capsys.readouterr()
    text = captured.out + captured.err
    assert text.count(SUMMARY) == 1
    assert "S03.csv: " not in text
    assert "how each file was read" in text


def test_details_are_printed_on_request(folder, tmp_path, capsys):
    assert main([*commands(str(folder), tmp_path)["doctor"], *DATES, "--verbose"]) == 0
    text = capsys.readouterr().out
    assert len(re.findall(r"S\d\d\.csv: time = date", text)) == SYMBOLS
    assert text.count(SUMMARY) == 1
    assert "left out: missing: 1 row: close" in text


def test_a_training_is_named_after_its_folder(folder, tmp_path, capsys):
    assert main([*commands(str(folder), tmp_path)["train"], *DATES]) == 0
    assert capsys.readouterr().out.split() == [f"{tmp_path}/models/{folder.name}-linear/1"]


def test_a_folder_is_published_and_replayed(folder, tmp_path, capsys):
    flags = ("--replay", str(folder), *DATES, "--accept", "missing", "--replay-step", "0")
    with ServerProcess(tmp_path / "replay", *flags) as server, Client(server.address) as client:
        deadline = time.monotonic() + 30
        while len(client.stored_series()) < SYMBOLS and time.monotonic() < deadline:
            time.sleep(0.05)
        assert len(client.stored_series()) == SYMBOLS
        assert sum(SUMMARY in line for line in server.log) == 1
    with ServerProcess(tmp_path / "live") as server:
        address = server.address
        publish = ["publish", str(folder), "--server", address, "--backfill", "--json", "--accept", "missing"]
        assert main([*publish, *DATES]) == 0
        captured = capsys.readouterr()
        assert captured.err.splitlines() == [f"{SUMMARY} (--verbose: how each file was read)"]
        assert json.loads(captured.out)["stored"] == SYMBOLS * BARS - 1


@pytest.mark.parametrize("command", ["train", "evaluate", "doctor", "publish"])
@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (lambda folder: folder / "*.json", r"\*\.json: no file matches the pattern"),
        (
            lambda folder: (folder / "empty").mkdir() or folder / "empty",
            "empty: the folder holds no file whose name",
        ),
        (lambda folder: (folder / "x.csv").write_text("{}") and folder, r"x\.csv: is JSON, expected CSV"),
        (
            lambda folder: (folder / "x.csv").symlink_to("absent") or folder,
            r"x\.csv: cannot be read: No such file",
        ),
    ],
)
def test_what_cannot_be_read_is_one_sentence(tmp_path, capsys, command, damage, message):
    (tmp_path / "data").mkdir()
    data = str(damage(tmp_path / "data"))
    every = {"publish": ["publish", data, "--server", "127.0.0.1:1"], **commands(data, tmp_path)}
    assert main([*every[command], *DATES]) in (1, 2)
    captured = capsys.readouterr()
    lines = [line for line in (captured.out + captured.err).splitlines() if re.search(message, line)]
    assert len(lines) == 1
    assert "Traceback" not in captured.err
