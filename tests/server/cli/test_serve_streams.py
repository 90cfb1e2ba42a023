"""A server whose standard streams are full, closed or not read serves, and every stop signal drains it."""

import shlex
import signal
import subprocess
import sys
import time

import pytest
from glasstape import Client


def started(tmp_path, redirection, **options):
    """Start a server on a socket, with a shell's redirection; return its process and address once it is ready."""
    address = f"unix:{tmp_path / 'socket'}"
    command = [sys.executable, "-m", "glasstape.cli", "serve", "--host", address]
    command += ["--data-dir", str(tmp_path / "data")]
    process = subprocess.Popen(["/bin/sh", "-c", f"exec {shlex.join(command)} {redirection}"], **options)
    if process.stdout is not None:
        assert process.stdout.readline()
        process.stdout.close()
    with Client(address) as client:
        while not client.ready():
            assert process.poll() is None
            time.sleep(0.05)
    return process, address


@pytest.mark.parametrize(
    ("redirection", "number"),
    [(">/dev/full", signal.SIGHUP), ("<&- >&- 2>&-", signal.SIGTERM)],
    ids=["full", "closed"],
)
def test_a_server_that_cannot_print_serves_and_drains(tmp_path, redirection, number):
    with (tmp_path / "log").open("wb") as log:
        process, _ = started(tmp_path, redirection, stderr=log, preexec_fn=_take_hangups)
    process.send_signal(number)
    assert process.wait(30) == 0
    assert not (tmp_path / "data/lease").exists()
    text = (tmp_path / "log").read_text()
    assert "Traceback" not in text
    assert ("standard output: No space left on device" in text) == ("full" in redirection)


def test_a_server_whose_reader_has_ended_serves_on_and_ignores_a_hangup_as_nohup_does(tmp_path):
    pipe = {"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT}
    process, address = started(tmp_path, "", preexec_fn=_ignore_hangups, **pipe)
    process.send_signal(signal.SIGHUP)
    with Client(address) as client:
        assert client.server_info().wires
    process.terminate()
    assert process.wait(30) == 0
    assert not (tmp_path / "data/lease").exists()


def _take_hangups():
    signal.signal(signal.SIGHUP, signal.SIG_DFL)  # also if the tests themselves run under nohup


def _ignore_hangups():
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
