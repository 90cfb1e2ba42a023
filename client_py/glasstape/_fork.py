"""What a forked process may do with gRPC, whose threads and sockets stay with the process that made them.

A process that was forked while no thread waited in gRPC may open channels of its own. It must never touch the channels
and calls that it inherited: even freeing them writes to the sockets of the other process. Streams that another thread
or an event loop reads are interrupted before a fork and resume after it: grpcio (1.80) crashes the forked process when
a read is pending.
"""

import os
import threading
import time
import weakref
from collections.abc import Callable
from typing import Any, Protocol, TypeVar

from glasstape.errors import PreconditionError

C = TypeVar("C")

FORKED = "FORKED"
"""Reason of the error of a client or stream that another process used."""
REMEDY = 'fork before the first call, or start processes by the method "spawn" or "forkserver"'
ASYNC_CONNECTED = "while an AsyncClient was connected"
"""An obstacle that waiting does not remove."""
PATIENCE_SECONDS = 0.5
"""How long a fork waits for other threads to leave gRPC."""
SETTLE_SECONDS = 0.02
"""How long a fork waits for gRPC's own threads to finish what they do for calls that ended."""
OPENING_SECONDS = 3.0
"""How long a forked process may take to open a channel: gRPC may have been forked with a lock held."""


class Owner(Protocol):
    """Owns objects of gRPC: a connection or a stream."""

    def interrupt(self) -> None:
        """End a read that is pending, before a fork."""

    def fork_obstacle(self) -> str:
        """Return why gRPC will not work in a process forked now; empty: it will."""

    def abandon(self) -> list[Any]:
        """Forget the objects of gRPC and return them; runs in the forked process."""


_owners: "weakref.WeakSet[Any]" = weakref.WeakSet()
_registering = threading.Lock()
_opened = False
"""Whether this process, or one that it was forked from, opened a channel."""
_obstacle = ""
"""Why gRPC does not work in this process."""
_forked = False
"""Whether this process was forked by one that had opened a channel."""
_coming_obstacle = ""
"""The same for the process that is being forked."""
_not_forking = threading.Event()
_not_forking.set()


def track(owner: Owner) -> None:
    """Make an owner abandon its objects in processes forked later."""
    _owners.add(owner)


def opened() -> None:
    """Note that this process has opened a channel: from now on, forks are handled."""
    global _opened
    with _registering:
        # After gRPC has registered its own functions: those registered last run first before a fork.
        if not _opened and hasattr(os, "register_at_fork"):  # not on Windows
            os.register_at_fork(
                before=_before, after_in_parent=_after_in_parent, after_in_child=_after_in_child
            )
        _opened = True


def check() -> None:
    """Check that gRPC works in this process.

    Raises:
        PreconditionError: it was forked while its parent used gRPC.
    """
    if _obstacle:
        raise PreconditionError(f"this process was forked {_obstacle}: {REMEDY}", reason=FORKED)


def guarded(open_channel: Callable[[], C]) -> C:
    """Return the channel that a function opens; in a forked process, refuse to wait for ever.

    Raises:
        PreconditionError: gRPC does not work in this process.
    """
    global _obstacle
    check()
    if not _forked:
        return open_channel()
    found: list[C] = []
    thread = threading.Thread(target=lambda: found.append(open_channel()), name="glasstape-open", daemon=True)
    thread.start()
    thread.join(OPENING_SECONDS)
    if not found:
        _obstacle = "while gRPC held a lock"
        check()
    return found[0]


def forking() -> bool:
    """Return whether a thread of this process is forking: gRPC must not be entered."""
    return not _not_forking.is_set()


def wait() -> None:
    """Wait until no thread of this process is forking."""
    _not_forking.wait(PATIENCE_SECONDS * 2)


def _before() -> None:
    global _coming_obstacle
    _not_forking.clear()
    for owner in list(_owners):
        owner.interrupt()
    if os.environ.get("GRPC_ENABLE_FORK_SUPPORT", "1").lower() not in ("1", "true", "yes"):
        _coming_obstacle = "after a connection was opened, with GRPC_ENABLE_FORK_SUPPORT off"
    else:
        _coming_obstacle = _remaining_obstacle()
    time.sleep(SETTLE_SECONDS)


def _remaining_obstacle() -> str:
    """Return the obstacle that remains after waiting for other threads to leave gRPC."""
    end = time.monotonic() + PATIENCE_SECONDS
    while True:
        obstacles = [text for owner in list(_owners) if (text := owner.fork_obstacle())]
        passing = [text for text in obstacles if text != ASYNC_CONNECTED]
        if not passing or time.monotonic() > end:
            return next(iter(passing + obstacles), "")
        time.sleep(SETTLE_SECONDS / 10)


def _after_in_parent() -> None:
    _not_forking.set()


def _after_in_child() -> None:
    global _obstacle, _not_forking, _forked
    _forked = True
    _not_forking = threading.Event()
    _not_forking.set()
    _obstacle = _obstacle or _coming_obstacle
    inherited = [part for owner in list(_owners) for part in owner.abandon()]
    if inherited:
        import ctypes

        for part in inherited:
            ctypes.pythonapi.Py_IncRef(ctypes.py_object(part))  # never freed, not at exit either
