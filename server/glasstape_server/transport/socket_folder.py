"""The folder of the socket between the native wire and the grpcio server behind it."""

import contextlib
import os
import shutil
import stat
import tempfile
import time
from pathlib import Path

from filelock import FileLock, Timeout
from glasstape.address import MAX_SOCKET_BYTES

PREFIX = "glasstape-wire-"
_LOCK = "lock"
_MIN_AGE_S = 60.0
"""Age in seconds below which an unlocked folder is kept: its server may be starting."""


class SocketFolder:
    """A temporary folder that only its owner can enter, locked while its server runs."""

    def __init__(self) -> None:
        """Make a folder, and remove those that killed servers have left.

        Raises:
            ValueError: the temporary folder is not writable, or its path is too long.
        """
        try:
            _sweep(Path(tempfile.gettempdir()))
            self._path = Path(tempfile.mkdtemp(prefix=PREFIX))
        except OSError as error:
            raise ValueError(f"TMPDIR: {error}") from None
        self._lock = FileLock(self._path / _LOCK)
        self._lock.acquire(timeout=0)
        self.socket = str(self._path / "grpcio.sock")
        if len(os.fsencode(self.socket)) > MAX_SOCKET_BYTES:
            self.remove()
            raise ValueError(f"TMPDIR: {tempfile.gettempdir()} is too long a path for a socket in it")

    def remove(self) -> None:
        """Remove the folder."""
        shutil.rmtree(self._path, ignore_errors=True)
        self._lock.release()


def _sweep(parent: Path) -> None:
    for folder in parent.glob(f"{PREFIX}*"):
        with contextlib.suppress(OSError, Timeout):
            status = folder.lstat()
            own = stat.S_ISDIR(status.st_mode) and status.st_uid == os.geteuid()
            if own and time.time() - status.st_mtime > _MIN_AGE_S:
                with FileLock(folder / _LOCK, timeout=0):
                    shutil.rmtree(folder)
