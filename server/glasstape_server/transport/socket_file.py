"""The file of a Unix socket on which the server listens."""

import os
import socket
import stat
from pathlib import Path

from filelock import FileLock, Timeout

LOCK_SUFFIX = ".lock"
_CONNECT_SECONDS = 1.0


class SocketFile:
    """A path for a socket, locked until `remove`. The lock's file stays: removing it could admit two servers."""

    def __init__(self, path: Path) -> None:
        """Lock the path, and remove a socket that a server left there when it was killed.

        Args:
            path: of the socket; its folder must exist.

        Raises:
            RuntimeError: a server listens there, a file that is no socket is there, or the folder cannot be written.
        """
        if not path.parent.is_dir():  # the lock would create it
            raise RuntimeError(f"the folder {path.parent} does not exist")
        self.path = path
        self._lock = FileLock(path.with_name(path.name + LOCK_SUFFIX))
        try:
            self._lock.acquire(timeout=0)
        except Timeout:
            raise RuntimeError("another server listens there; stop it first") from None
        except OSError as error:
            raise RuntimeError(f"{error.filename or path}: {error.strerror or error}") from None
        try:
            self._remove_stale()
        except BaseException:
            self._lock.release()
            raise

    def set_mode(self, mode: int) -> None:
        """Set the mode of the bound socket: who may write to it may connect."""
        self.path.chmod(mode)

    def remove(self) -> None:
        """Remove the socket, if the server has not, and release the lock."""
        self.path.unlink(missing_ok=True)
        self._lock.release()

    def _remove_stale(self) -> None:
        try:
            status = self.path.lstat()
        except FileNotFoundError:
            return
        if not stat.S_ISSOCK(status.st_mode):
            raise RuntimeError(f"{self.path} exists and is no socket")
        if _has_listener(self.path):
            raise RuntimeError("another program listens there; stop it first")
        self.path.unlink(missing_ok=True)


def _has_listener(path: Path) -> bool:
    """Return whether a process listens on a socket; True where that cannot be found out."""
    with socket.socket(socket.AF_UNIX) as probe:
        probe.settimeout(_CONNECT_SECONDS)
        try:
            probe.connect(os.fspath(path))
        except (ConnectionRefusedError, FileNotFoundError):
            return False
        except OSError:
            return True
    return True
