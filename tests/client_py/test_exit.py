"""A process ends although a recording, a server in it or a stream was not closed."""

import subprocess
import sys

import pytest
from glasstape.session import read_session, write_session
from glasstape.testing import FakeServer, make_confidence_event

BEGIN = """
import sys, threading, time
from glasstape import Client
from glasstape.session import Recorder, SessionServer
from glasstape.testing import FakeServer
address, path = sys.argv[1:]
"""


@pytest.fixture
def server():
    with FakeServer() as fake:
        fake.emit(make_confidence_event("AAPL"))
        yield fake


def ended(program, *arguments):
    """The exit status and standard error of a program; its end is not waited for without a limit."""
    done = subprocess.run(
        [sys.executable, "-c", BEGIN + program, *arguments], capture_output=True, text=True, timeout=60
    )
    return done.returncode, done.stderr


@pytest.mark.parametrize("name", ["x.session", "x.session.gz"])
def test_a_recording_that_is_not_closed_is_completed_at_the_end(name, server, tmp_path):
    program = """
recorder = Recorder(address, path, methods=["gradient"])
while not recorder.maps:
    time.sleep(0.01)
raise RuntimeError("a bug of the user")
"""
    status, said = ended(program, server.address, str(tmp_path / name))
    assert status == 1
    assert said.endswith("RuntimeError: a bug of the user\n")
    session = read_session(tmp_path / name)
    assert session.explanations
    if name.endswith(".gz"):
        subprocess.run(["gzip", "--test", str(tmp_path / name)], check=True)


@pytest.mark.parametrize(
    "program",
    [
        "server = FakeServer().__enter__()",
        "server = SessionServer(path).start()",
        "server = FakeServer().__enter__(); server.freeze()",
    ],
)
def test_a_server_with_an_open_stream_ends_with_its_process(program, tmp_path):
    write_session(tmp_path / "x.session", [(0.0, [make_confidence_event("AAPL")])])
    stream = "\nstream = Client(server.address).signals().messages(); next(stream)"
    assert ended(program + stream, "", str(tmp_path / "x.session"))[0] == 0


def test_a_stream_in_another_thread_ends_with_its_process(server):
    program = """
stream = Client(address).signals()
threading.Thread(target=list, args=(stream,), daemon=True).start()
time.sleep(0.3)
"""
    assert ended(program, server.address, "") == (0, "")


def test_a_forked_process_leaves_the_recording_to_its_parent(server, tmp_path):
    program = """
import os
recorder = Recorder(address, path)
if os.fork() == 0:
    sys.exit(0)
os.wait()
recorder.close()
sys.exit(recorder.error is not None)
"""
    assert ended(program, server.address, str(tmp_path / "x.session"))[0] == 0
    assert read_session(tmp_path / "x.session").models
