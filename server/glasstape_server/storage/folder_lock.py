"""The lock of a data folder: one of the operating system for this host, and a lease for all hosts."""

from pathlib import Path

from filelock import FileLock, Timeout

from glasstape_server.storage.file_system import file_system_of
from glasstape_server.storage.lease import Lease, LeaseHeldError

LOCK, LEASE = "lock", "lease"
"""Files in the data folder."""


class FolderInUseError(Exception):
    """Another process uses the folder; the text names it."""


class FolderLock:
    """Lock and lease of a data folder, until `release`."""

    def __init__(self, folder: Path) -> None:
        """Lock an existing folder; a lease that was not released is waited for.

        Raises:
            FolderInUseError: another process uses it.
            OSError: it cannot be written.
        """
        self._lock = FileLock(folder / LOCK)
        try:
            self._lock.acquire(timeout=0)
        except Timeout:
            raise FolderInUseError(f"{folder} is in use by a server; stop it first") from None
        try:
            self.lease = Lease(folder / LEASE, shared=file_system_of(folder).shared)
        except LeaseHeldError as error:
            self._lock.release()
            raise FolderInUseError(f"{folder} is in use by {error}; stop it first") from None
        except BaseException:
            self._lock.release()
            raise

    def release(self) -> None:
        """Release the lease, then the lock."""
        self.lease.release()
        self._lock.release()
