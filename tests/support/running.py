"""A real server in a process of its own, as users run it."""

import os
import signal
import subprocess
import sys
import threading
from pathlib import Path

from effort import LONG
from warm import ForkedServer


def _as_users_do(arguments: list[str]) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "glasstape.cli", *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONUNBUFFERED": "1"},
    )


def refusal(data_dir: Path, *flags: str) -> tuple[int, str]:
    """Exit status and words of a server that does not start."""
    port = [] if any(flag.startswith("unix") for flag in flags) else ["--port", "0"]
    process = ForkedServer(["serve", *port, "--data-dir", str(data_dir), *flags])
    with process.stdout, process.stderr:
        said = process.stderr.read()
    return process.wait(timeout=30), said


class ServerProcess:
    """`glasstape serve` on a free port, on the port it had before, or on a socket that a flag names."""

    def __init__(self, data_dir: Path, *flags: str, loaded: bool = True) -> None:
        """Not `loaded`: started as users do, with Python's own start and end."""
        self._data_dir = data_dir
        self._flags = flags
        self._begin = ForkedServer if loaded and not LONG else _as_users_do
        self._socket = next((flag for flag in flags if flag.startswith("unix")), "")
        self.port = 0
        self.log: list[str] = []
        self.process: ForkedServer | subprocess.Popen[str] | None = None

    @property
    def address(self) -> str:
        return self._socket or f"127.0.0.1:{self.port}"

    def start(self) -> "ServerProcess":
        port = [] if self._socket else ["--port", str(self.port)]
        arguments = ["serve", *port, "--data-dir", str(self._data_dir), *self._flags]
        self.process = self._begin(arguments)
        threading.Thread(target=self._collect, daemon=True).start()
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        if not line.startswith("serving on "):
            self.kill()
            raise AssertionError("".join(self.log))
        if self._socket:
            assert line == f"serving on {self._socket}\n"
        else:
            self.port = int(line.rsplit(":", 1)[1])
        return self

    def kill(self) -> None:
        assert self.process is not None
        self.process.kill()
        self._reap()

    def stop(self) -> int:
        """SIGTERM; returns the exit status."""
        assert self.process is not None
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        return self._reap()

    def _reap(self) -> int:
        assert self.process is not None
        try:
            status = self.process.wait(timeout=30)
        except subprocess.TimeoutExpired:
            self.process.kill()  # Python waits for it at its end, otherwise
            raise
        assert self.process.stdout is not None
        self.process.stdout.close()
        return status

    def _collect(self) -> None:
        assert self.process is not None
        assert self.process.stderr is not None
        with self.process.stderr as stream:
            self.log.extend(stream)

    def __enter__(self) -> "ServerProcess":
        return self.start()

    def __exit__(self, *error: object) -> None:
        self.stop()
