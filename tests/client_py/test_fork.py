"""Clients and forks: what works does, the rest raises one error at once; never a hang, never a signal."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from effort import effort
from glasstape.testing import FakeServer

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork on this system")
PROGRAM = Path(__file__).parents[1] / "support" / "fork_rounds.py"
ROUNDS = effort(2, 50)
WORKS, RAISES = "0", "3"


@pytest.fixture(scope="module")
def address():
    with FakeServer() as server:
        yield server.address


def outcomes(address, *arguments, rounds=ROUNDS, **environment):
    result = subprocess.run(
        [sys.executable, str(PROGRAM), address, *arguments, str(rounds)],
        capture_output=True,
        text=True,
        timeout=110,
        env={**{k: v for k, v in os.environ.items() if k != "GRPC_ENABLE_FORK_SUPPORT"}, **environment},
    )
    assert result.returncode == 0, result.stderr
    return result.stdout.split()


@pytest.mark.parametrize("stream", ["none", "open", "read"])
@pytest.mark.parametrize("used", ["used", "unused"])
@pytest.mark.parametrize("made", ["before", "after"])
def test_a_forked_process_uses_clients(address, made, used, stream):
    assert outcomes(address, "sync", made, used, stream) == [WORKS]


@pytest.mark.parametrize("stream", ["none", "open"])
@pytest.mark.parametrize("used", ["used", "unused"])
@pytest.mark.parametrize("made", ["before", "after"])
def test_a_fork_while_an_asyncio_client_is_connected_ends_in_one_error(address, made, used, stream):
    connected = used == "used" or stream == "open"
    assert outcomes(address, "async", made, used, stream) == [RAISES if connected else WORKS]


@pytest.mark.parametrize(("used", "expected"), [("used", RAISES), ("unused", WORKS)])
@pytest.mark.parametrize("made", ["before", "after"])
def test_without_the_fork_support_of_grpc_the_error_names_it(address, made, used, expected):
    found = outcomes(address, "sync", made, used, "none", rounds=1, GRPC_ENABLE_FORK_SUPPORT="0")
    assert found == [expected]
