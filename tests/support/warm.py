"""Servers forked from a process that has loaded their modules: loading is most of what a start costs.

What is skipped is Python's own end (modules are not torn down), so `tests/client_py/test_cli.py` and `make faults`
start the command as users do.
"""

import contextlib
import multiprocessing
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Sequence
from multiprocessing.connection import Connection

_LOADED = multiprocessing.get_context("forkserver")
_LOADED.set_forkserver_preload(
    ["pytest", "glasstape_server.app", "glasstape_server.cli.serve", "glasstape_server.cluster.member"]
)


def _nothing() -> None:
    pass


class ForkedServer:
    """What `subprocess.Popen` has of a server, as far as tests use it."""

    def __init__(self, arguments: Sequence[str], prepare: Callable[[], None] = _nothing) -> None:
        """`prepare` runs in the server's process before the command."""
        out, child_out = _LOADED.Pipe(duplex=False)
        err, child_err = _LOADED.Pipe(duplex=False)
        self._process = _LOADED.Process(
            target=_run, args=(list(arguments), dict(os.environ), child_out, child_err, prepare)
        )
        self._process.start()
        child_out.close()
        child_err.close()
        self.stdout, self.stderr = (os.fdopen(os.dup(end.fileno()), "r") for end in (out, err))
        out.close()
        err.close()
        assert self._process.pid is not None
        self.pid = self._process.pid

    @property
    def returncode(self) -> int | None:
        return self._process.exitcode

    def poll(self) -> int | None:
        return self._process.exitcode

    def wait(self, timeout: float) -> int:
        self._process.join(timeout)
        if self._process.exitcode is None:
            raise subprocess.TimeoutExpired(str(self._process), timeout)
        return self._process.exitcode

    def send_signal(self, number: int) -> None:
        if self._process.exitcode is None:
            with contextlib.suppress(ProcessLookupError):  # it ended meanwhile
                os.kill(self.pid, number)

    def terminate(self) -> None:
        self.send_signal(signal.SIGTERM)

    def kill(self) -> None:
        self.send_signal(signal.SIGKILL)


def _run(
    arguments: list[str],
    environment: dict[str, str],
    out: Connection,
    err: Connection,
    prepare: Callable[[], None],
) -> None:
    from glasstape.cli import main

    for pipe, number in ((out, 1), (err, 2)):
        os.dup2(pipe.fileno(), number)
        pipe.close()
    sys.stdout, sys.stderr = (os.fdopen(number, "w", buffering=1, closefd=False) for number in (1, 2))
    os.environ.clear()
    os.environ.update(environment)
    prepare()
    sys.exit(main(arguments))
