"""What a scenario is, and what it has to judge a client by."""

import json
import shlex
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from google.protobuf.message import Message

from glasstape.conformance.scripted import Failure, Received, Script, ScriptedServer

START_S = 30.0
"""Seconds within which a client opens its first stream."""
SCENARIOS: "dict[str, Scenario]" = {}
"""Every scenario, by name."""


@dataclass(frozen=True, slots=True)
class Scenario:
    """One scenario."""

    name: str
    judge: "Callable[[Trial], None]"
    """Raises AssertionError with what the client did wrong."""
    action: str
    """What the client is asked to do: follow, predict or publish."""
    needs: str = ""
    """Placeholder that the command must have."""

    @property
    def text(self) -> str:
        """What a client must do."""
        return " ".join((self.judge.__doc__ or "").split())


def scenario(
    action: str = "follow", needs: str = ""
) -> "Callable[[Callable[[Trial], None]], Callable[[Trial], None]]":
    """Register a scenario by the name of its function."""

    def register(judge: "Callable[[Trial], None]") -> "Callable[[Trial], None]":
        SCENARIOS[judge.__name__] = Scenario(judge.__name__, judge, action, needs)
        return judge

    return register


@dataclass
class Trial:
    """One client against its scripted servers.

    Args:
        command: of the client, with placeholders.
        folder: for its files.
    """

    command: str
    folder: Path
    _servers: list[ScriptedServer] = field(default_factory=list)
    _clients: list["subprocess.Popen[bytes]"] = field(default_factory=list)

    def serve(
        self,
        *scripts: Script,
        unary: "Mapping[str, Sequence[Message | Failure]] | None" = None,
        port: int = 0,
    ) -> ScriptedServer:
        """Start a server."""
        server = ScriptedServer(*scripts, unary=unary, port=port)
        self._servers.append(server)
        return server

    def start(self, address: str, action: str = "follow", seconds: float = 60) -> "subprocess.Popen[bytes]":
        """Start the client."""
        words = [
            word.format(address=address, action=action, token=self.folder / "token", seconds=f"{seconds:g}")
            for word in shlex.split(self.command)
        ]
        words = [part for word in words for part in (word.split() if word == action else [word])]
        with (self.folder / "out").open("ab") as out, (self.folder / "err").open("ab") as err:
            client = subprocess.Popen(words, stdout=out, stderr=err)
        self._clients.append(client)
        return client

    def follow(self, *scripts: Script) -> ScriptedServer:
        """Start a server and a client that follows it."""
        server = self.serve(*scripts)
        self.start(server.address)
        return server

    def lines(self) -> list[dict[str, Any]]:
        """Return what the client printed: JSON objects, or lines `SEQUENCE …`, whose sequence is returned."""
        found = []
        for line in (self.folder / "out").read_text("utf-8", "replace").splitlines():
            if line.startswith("{"):
                found.append(json.loads(line))
            elif line[:1].isdigit():
                found.append({"sequence": int(line.split()[0])})
        return found

    def sequences(self, wanted: Sequence[int], seconds: float = 5) -> None:
        """Check the sequences of the events that the client printed, once it has had time for them."""
        end = time.monotonic() + seconds
        while (found := [line["sequence"] for line in self.lines() if "sequence" in line]) != list(wanted):
            assert time.monotonic() < end, f"printed events {found}, expected {list(wanted)}"
            time.sleep(0.02)

    def wait_for_token(self, seconds: float = 5) -> None:
        """Check that the client stored a token: after it has handled a message."""
        end = time.monotonic() + seconds
        file = self.folder / "token"
        while not (file.exists() and file.stat().st_size):
            assert time.monotonic() < end, f"stored no token in {{token}} within {seconds:g} s"
            time.sleep(0.02)

    def close(self) -> None:
        """End clients and servers."""
        for client in self._clients:
            client.kill()
            client.wait()
        for server in self._servers:
            server.stop()


def came_back(server: ScriptedServer, number: int, token: bytes, seconds: float = 10) -> Received:
    """Check that a client opened a stream with a token; return its request.

    Args:
        server: of the client.
        number: of the stream, from 0.
        token: expected.
        seconds: that it may take, once the client has opened its first stream.
    """
    assert server.wait_for(0, START_S) is not None, f"opened no stream within {START_S:g} s"
    received = server.wait_for(number, seconds)
    assert received is not None, f"did not open stream {number + 1} within {seconds:g} s"
    stated = received.request.resume_token
    assert stated == token, f"opened stream {number + 1} with token {_name(stated)}, expected {_name(token)}"
    return received


def _name(token: bytes) -> str:
    return f"{token[0]}" if token else "none"
