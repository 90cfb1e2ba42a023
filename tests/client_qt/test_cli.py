"""`glasstape desk` as a process."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from glasstape.testing import FakeServer, make_confidence_event


def desk(*arguments, folder, **settings):
    environment = {
        **os.environ,
        "QT_QPA_PLATFORM": "offscreen",
        "GLASSTAPE_CONFIG": str(folder),
        "LANG": "C.UTF-8",
    }
    environment.pop("GLASSTAPE_SERVER", None)
    return subprocess.Popen(
        [sys.executable, "-m", "glasstape.cli", "desk", *arguments], env=environment, text=True,
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, **settings,
    )  # fmt: skip


def finish(process):
    out, err = process.communicate(timeout=60)
    lines = [line for line in err.splitlines() if "This plugin does not support" not in line]
    return process.returncode, out, "\n".join(lines)


def test_it_connects_saves_rows_and_preferences_and_prints_nothing(tmp_path):
    with FakeServer() as server:
        server.emit(make_confidence_event("A"))
        own = [{"name": "127.0.0.1", "address": server.address, "tls": True}, {"name": "c", "address": "h:1"}]
        (tmp_path / "desktop.json").write_text(json.dumps({"profiles": own, "profile": "c"}))
        assert finish(desk("--server", server.address, "--for", "3s", folder=tmp_path)) == (0, "", "")
    assert len(list(tmp_path.glob("rows-*.gz"))) == 1
    saved = json.loads((tmp_path / "desktop.json").read_text())
    assert [profile["name"] for profile in saved["profiles"]] == ["127.0.0.1", "c"]
    assert saved["profile"] == "c"
    assert saved["profiles"][0]["tls"]


def _wait_for_handler(number, process):
    end = time.monotonic() + 60
    while time.monotonic() < end:
        status = Path(f"/proc/{process.pid}/status").read_text()
        caught = int(next(line for line in status.splitlines() if line.startswith("SigCgt")).split()[1], 16)
        if caught >> (number - 1) & 1:
            return
        time.sleep(0.05)
    pytest.fail("it did not start")


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="reads /proc")
def test_a_signal_closes_it_cleanly(tmp_path):
    numbers = {signal.SIGINT: tmp_path / "int", signal.SIGTERM: tmp_path / "term"}
    processes = {number: desk("--profile", "demo", folder=folder) for number, folder in numbers.items()}
    for process in processes.values():
        _wait_for_handler(signal.SIGTERM, process)  # installed after that of SIGINT
    time.sleep(3)  # until its window is painted: Qt warns if it is closed meanwhile
    for number, process in processes.items():
        process.send_signal(number)
        assert finish(process) == (0, "", "")
        assert (numbers[number] / "desktop.json").exists()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--profile", "none"], "--profile: must be one of local, demo, is 'none'"),
        (["--session", "/no/such"], "--session: no such file: /no/such"),
        (["--server", "nonsense"], "must be host:port"),
    ],
)
def test_wrong_arguments_are_rejected_with_one_sentence(tmp_path, arguments, message):
    status, out, err = finish(desk(*arguments, folder=tmp_path))
    assert (status, out) == (1, "")
    assert message in err
    assert "Traceback" not in err


def test_an_address_is_refused_in_one_sentence(tmp_path):
    status, out, err = finish(desk("--server", "http://h:1", folder=tmp_path))
    assert (status, out, err.count("\n")) == (1, "", 0)
    assert err.startswith("glasstape desk: --server: must be host:port")


def test_a_session_whose_name_is_no_text_is_refused_in_one_sentence(tmp_path):
    path = os.fsdecode(os.fsencode(tmp_path) + b"/\xff.session")
    Path(path).touch()
    status, out, err = finish(desk("--session", path, folder=tmp_path))
    assert (status, out, err.count("\n")) == (1, "", 0)
    assert "is not text in this locale; set a UTF-8 locale" in err
