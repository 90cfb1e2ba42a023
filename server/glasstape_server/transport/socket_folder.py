"""Where the socket lies between the fast wire and the grpcio server behind it."""

import contextlib
import os
import shutil
import stat
import tempfile
import time
from pathlib import Path

from filelock import FileLock, Timeout

PREFIX = "glasstape-wire-"
_LOCK = "lock"
_LONGEST = 103
"""Bytes of a socket's path, by the system that allows the fewest."""
_YOUNG = 60.0
"""Seconds for which a folder may be without a lock that is held: its server is just starting."""


class SocketFolder:
    """A temporary folder that its owner alone may enter, and that is locked as long as its server lives."""

    def __init__(self) -> None:
        """Make one, and remove those that killed servers have left.

        Raises:
            ValueError: the temporary folder cannot have one.
        """
        try:
            _sweep(Path(tempfile.gettempdir()))
            self._path = Path(tempfile.mkdtemp(prefix=PREFIX))
        except OSError as error:
            raise ValueError(f"TMPDIR: {error}") from None
        self._lock = FileLock(self._path / _LOCK)
        self._lock.acquire(timeout=0)
        self.socket = str(self._path / "grpcio.sock")
        if len(os.fsencode(self.socket)) > _LONGEST:
            self.remove()
            raise ValueError(f"TMPDIR: {tempfile.gettempdir()} is too long a path for a socket in it")

    def remove(self) -> None:
        """End of the server."""
        shutil.rmtree(self._path, ignore_errors=True)
        self._lock.release()


def _sweep(where: Path) -> None:
    for folder in where.glob(f"{PREFIX}*"):
        with contextlib.suppress(OSError, Timeout):
            found = folder.lstat()
            own = stat.S_ISDIR(found.st_mode) and found.st_uid == os.geteuid()
            if own and time.time() - found.st_mtime > _YOUNG:
                with FileLock(folder / _LOCK, timeout=0):
                    shutil.rmtree(folder)
