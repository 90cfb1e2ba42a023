"""Closed and full standard streams end no command with a traceback."""

import os
import shlex
import subprocess
import sys

import pytest
from glasstape.testing import FakeServer, make_confidence_event

FULL = "glasstape: standard output: No space left on device\n"


@pytest.fixture(scope="module")
def server():
    with FakeServer() as fake:
        fake.emit(make_confidence_event("AAPL"))
        yield fake


def ended(command, redirection, server, **environment):
    """The exit status of a command and what it says, under a redirection of the shell."""
    words = [sys.executable, "-m", "glasstape.cli", *command.split()]
    at = ["--server", server.address] if "--" not in words[3] else []
    buffered = {name: value for name, value in os.environ.items() if name != "PYTHONUNBUFFERED"}
    done = subprocess.run(
        ["/bin/sh", "-c", f"exec {shlex.join([*words, *at])} {redirection}"],
        capture_output=True,
        text=True,
        timeout=100,
        env={**buffered, "GRPC_VERBOSITY": "NONE", **environment},
    )
    assert "Traceback" not in done.stderr
    assert "Exception ignored" not in done.stderr
    return done.returncode, done.stderr


@pytest.mark.parametrize("redirection", [">&-", ">&- 2>&-", "<&- >&- 2>&-"])
@pytest.mark.parametrize("command", ["watch --for 0.2s", "watch --json --for 0.2s", "--version", "models"])
def test_a_closed_output_is_like_the_null_device(command, redirection, server):
    assert ended(command, redirection, server) == (0, "")


def test_help_without_an_output_succeeds(server):
    assert ended("watch --help", ">&-", server)[0] == 0


@pytest.mark.parametrize("command", ["bars rename AAPL MSFT", "bars remove AAPL --interval 1d --all"])
def test_what_asks_requires_yes_without_an_input(command, server):
    status, said = ended(command, "<&-", server)
    assert status in (1, 2)
    assert "requires --yes without a terminal" in said or "no 1d bars to remove" in said


@pytest.mark.parametrize("command", ["--version", "--help", "watch --help", "export"])
def test_a_full_disk_is_one_sentence(command, server):
    assert ended(command, ">/dev/full", server) == (1, FULL)


@pytest.mark.parametrize("command", ["doctor", "models --json", "track"])
def test_a_full_disk_is_an_error_of_commands_that_call_a_server(command, server):
    status, said = ended(command, ">/dev/full", server)
    assert status == 1
    assert len(said.splitlines()) == 1
    assert said.startswith("glasstape: ")
    assert "No space left on device" in said


@pytest.mark.parametrize(
    ("command", "status"), [("--version", 0), ("nonsense", 1), ("publish missing.csv", 1)]
)
def test_an_error_output_that_is_full_fails_only_what_prints_an_error(command, status, server):
    assert ended(command, "2>/dev/full", server) == (status, "")


@pytest.mark.parametrize("command", ["--version", "models", "models --json"])
def test_a_full_disk_is_an_error_without_buffers_too(command, server):
    status, said = ended(command, ">/dev/full", server, PYTHONUNBUFFERED="1")
    assert (status, len(said.splitlines())) == (1, 1)


def test_a_server_and_a_token_file_that_are_empty_are_not_set(server):
    status, said = ended("models", ">/dev/null", server, GLASSTAPE_SERVER="", GLASSTAPE_TOKEN_FILE="")
    assert (status, said) == (0, "")


@pytest.mark.parametrize(
    "option", ["--token-file", "--root-certificates", "--client-key", "--client-certificate"]
)
def test_an_option_with_an_empty_file_name_is_refused(option, server):
    status, said = ended(f"models {option}=", ">/dev/null", server)
    assert status == 2
    assert f"{option}: must name a file, is empty" in said
