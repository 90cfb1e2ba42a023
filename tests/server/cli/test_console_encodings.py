"""Every command does the same on every console: its exit status is that of a Unicode one."""

import json
import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from datetime import date, timedelta
from pathlib import Path

import every_command
import pytest
from effort import effort
from made_up import columns

ENCODINGS = effort(("utf-8", "cp949"), ("utf-8", "cp949", "cp1252", "cp437", "cp932", "koi8-r"))
ASCII = {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}
"""Environment in which streams, arguments and the names of files are ASCII."""
AT_ONCE = 2
REFUSED = {
    "instruments import": 1,
    "restore --data-dir /restored --from /missing": 1,
    f"train --data /{every_command.NAME}.csv --close 24:00 --time-zone UTC --arch linear --epochs 1 --out /models": 1,
    f"evaluate --data /{every_command.NAME}.csv --close 24:00 --time-zone UTC --arch {every_command.NAME}": 1,
    "retrain": 1,
    f"portfolio --model {every_command.NAME} sample": 1,
    "doctor --offline --check-bars": 1,
    "cluster": 1,
    "bench page": 1,
    "fetch": 2,
    "follow": 2,
    f"demo --view {every_command.NAME}": 2,
}
"""Commands whose input is wrong, by how they begin, and their exit status."""


def _write_bars(path: Path) -> None:
    rows = ["symbol,date,open,high,low,close,volume"]
    for day, values in enumerate(zip(*columns(500, 1), strict=True)):
        numbers = ",".join(f"{value:.4f}" for value in values)
        rows.append(f"AAA,{date(2020, 1, 1) + timedelta(day)},{numbers}")
    path.write_text("\n".join(rows) + "\n", encoding="utf-8")


def _run(
    folder: Path, environment: dict[str, str], commands: str, *consoles: str
) -> dict[str, tuple[dict[str, int], str]]:
    """Return the exit status of each command by console, and standard error."""
    for console in consoles:
        (folder / console).mkdir()
        _write_bars(folder / console / f"{every_command.NAME}.csv")
    kept = {
        name: value for name, value in os.environ.items() if not name.startswith(("LC_", "LANG", "PYTHON"))
    }
    paths = os.pathsep.join(path for path in sys.path if path)
    done = subprocess.run(
        [sys.executable, every_command.__file__, str(folder), commands, *consoles],
        capture_output=True,
        timeout=200,
        env={**kept, "PYTHONPATH": paths, "QT_QPA_PLATFORM": "offscreen", **environment},
        cwd=folder,
    )
    errors = done.stderr.decode("utf-8", "replace")
    assert done.returncode == 0, errors
    statuses = json.loads((folder / "statuses").read_text())
    return {console: (statuses[console], errors) for console in consoles}


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    """Exit statuses and standard error of each console."""
    folders = [tmp_path_factory.mktemp("console") for _ in range(2)]
    with ThreadPoolExecutor(AT_ONCE) as pool:
        encoded = pool.submit(_run, folders[0], {"PYTHONUTF8": "1"}, "all", *ENCODINGS)
        ascii_only = pool.submit(_run, folders[1], ASCII, "light", "locale")
        return {**encoded.result(), "ascii": ascii_only.result()["locale"]}


def test_every_command_of_the_help_is_run(runs, capsys):
    from glasstape.cli import main

    assert main(["--help"]) == 0
    lines = capsys.readouterr().out.splitlines()
    commands = {line.split()[0] for line in lines if line.startswith("  ") and not line.startswith("   ")}
    assert len(commands) > 20
    assert {line.split()[0] for line in runs["utf-8"][0]} == commands


def test_commands_do_what_they_should_on_a_unicode_console(runs):
    statuses, errors = runs["utf-8"]
    expected = {
        command: next((status for start, status in REFUSED.items() if command.startswith(start)), 0)
        for command in statuses
    }
    expected.update({command: 0 for command in statuses if command.endswith(("--name small", "/report"))})
    assert statuses == expected, errors
    assert "Traceback" not in errors


@pytest.mark.parametrize("name", [*ENCODINGS[1:], "ascii"])
def test_a_console_of_another_encoding_changes_no_exit_status(runs, name):
    statuses, errors = runs[name]
    unicode = runs["utf-8"][0]
    assert statuses == {command: unicode[command] for command in statuses}, errors
    assert len(statuses) >= len(unicode) - len(list(every_command.heavy(Path())))
    assert "Traceback" not in errors


@pytest.mark.parametrize("locale", ["C", "POSIX"])
def test_the_locales_c_and_posix_have_the_streams_of_a_unicode_console(locale):
    """So that the commands that are run on one are run on all three."""
    shown = "import sys; print(sys.getfilesystemencoding(), *(s.encoding for s in (sys.stdout, sys.stderr)))"
    prepared = f"from glasstape.cli import output; output.prepare(); {shown}"
    kept = {
        name: value for name, value in os.environ.items() if not name.startswith(("LC_", "LANG", "PYTHON"))
    }
    paths = {"PYTHONPATH": os.pathsep.join(path for path in sys.path if path)}
    command = [sys.executable, "-c", prepared]
    found = [
        subprocess.run(command, capture_output=True, env={**kept, **paths, **environment}, check=True).stdout
        for environment in ({"LC_ALL": locale}, {"PYTHONUTF8": "1"})
    ]
    assert found[0] == found[1] == b"utf-8 utf-8 utf-8\n"
