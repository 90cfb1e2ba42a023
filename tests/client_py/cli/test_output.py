"""Consoles that cannot show a character, and readers that end early, change no exit status."""

import json
import os
import subprocess
import sys

import pytest

COMMANDS = """
import json, sys
from pathlib import Path

import numpy as np
from glasstape import NotFoundError
from glasstape.cli import main
from glasstape.testing import FakeServer, make_buy, make_confidence, make_confidence_event

def predict(symbol, window):
    if symbol == "NOPE":
        raise NotFoundError("no bars of 하락 — ×", reason="SYMBOL_NOT_FOUND")
    return make_confidence()

folder, tokens = Path(sys.argv[1]), str(Path(sys.argv[1], "tokens.json"))
statuses = {}
with FakeServer() as server:
    server.predict = predict
    server.explain = lambda symbol, window: np.eye(6, 8, dtype=np.float32)
    server.emit(make_confidence_event("AAPL"))
    server.emit(make_buy("AAPL"))
    at = ["--server", server.address]
    commands = [
        ["--version"], ["--help"], ["nonsense×"], ["predict", "--help"],
        ["predict", "AAPL", "NOPE", *at], ["predict", "NOPE", "--json", *at], ["predict", "AAPL", *at],
        ["explain", "AAPL", *at], ["explain", "AAPL", "--language", "ko", *at], ["models", *at],
        ["models", "fake", *at], ["models", "--json", *at], ["track", *at], ["doctor", *at],
        ["watch", "--for", "0.3s", "--view", "text", *at], ["watch", "--for", "0.3s", "--view", "table", *at],
        ["tokens", "create", "--name", "하락 — ×", "--scopes", "signals", "--tokens", tokens],
        ["tokens", "list", "--tokens", tokens], ["tokens", "list", "--json", "--tokens", tokens],
        ["tokens", "list", "--tokens", "missing"], ["publish", "missing.csv", *at],
        ["export", str(folder / "events.csv"), *at],
    ]
    for command in commands:
        try:
            status = main(command)
        except SystemExit as end:
            status = end.code
        except Exception as error:
            status = repr(error)
        statuses[" ".join(command).replace(server.address, "").replace(str(folder), "")] = status
Path(folder, "statuses").write_text(json.dumps(statuses), "ascii")
"""


def _statuses(folder, **environment):
    folder.mkdir()
    script = folder / "commands.py"
    script.write_text(COMMANDS, encoding="utf-8")
    kept = {
        name: value for name, value in os.environ.items() if not name.startswith(("LC_", "LANG", "PYTHON"))
    }
    done = subprocess.run(
        [sys.executable, str(script), str(folder)],
        capture_output=True,
        timeout=100,
        env={**kept, **environment},
    )
    assert done.returncode == 0, done.stderr.decode("utf-8", "replace")
    assert b"Traceback" not in done.stderr
    return json.loads((folder / "statuses").read_text()), done.stdout


@pytest.fixture(scope="module")
def under_utf8(tmp_path_factory):
    return _statuses(tmp_path_factory.mktemp("statuses") / "utf8", PYTHONIOENCODING="utf-8", PYTHONUTF8="1")


def test_commands_do_what_they_should_under_utf_8(under_utf8):
    statuses, out = under_utf8
    failed = {command for command, status in statuses.items() if status}
    assert failed == {
        "nonsense×", "predict AAPL NOPE --server ", "predict NOPE --json --server ",
        "tokens list --tokens missing", "publish missing.csv --server ",
    }  # fmt: skip
    assert "하락 — ×".encode() in out


@pytest.mark.parametrize(
    "environment",
    [
        {"PYTHONIOENCODING": "cp949"},
        {"PYTHONIOENCODING": "cp1252"},
        {"PYTHONIOENCODING": "cp437"},
        {"LC_ALL": "C"},
        {"LC_ALL": "POSIX"},
        {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"},
    ],
    ids=["cp949", "cp1252", "cp437", "C", "POSIX", "ascii"],
)
def test_every_encoding_has_the_exit_status_of_utf_8(under_utf8, tmp_path, environment):
    statuses, out = _statuses(tmp_path / "other", **environment)
    assert statuses == under_utf8[0]
    for line in out.splitlines():
        if line.startswith(b"{"):
            json.loads(line.decode("ascii" if b"\\u" in line else "utf-8", "replace"))


def test_json_is_complete_where_the_console_is_not_unicode(tmp_path):
    _, out = _statuses(tmp_path / "cp1252", PYTHONIOENCODING="cp1252")
    rows = [json.loads(line) for line in out.splitlines() if line.startswith(b"{")]
    assert "하락 — ×" in [row.get("name") for row in rows]


@pytest.mark.parametrize("arguments", [["--help"], ["serve", "--help"], ["doctor", "--offline"]])
def test_a_reader_that_ends_early_is_silent(arguments):
    read, write = os.pipe()
    os.close(read)
    command = [sys.executable, "-m", "glasstape.cli", *arguments]
    done = subprocess.run(command, stdout=write, stderr=subprocess.PIPE, timeout=60)
    os.close(write)
    assert (done.returncode, done.stderr) == (0, b"")
