"""Layout and lock of a server's data folder, for commands other than serve."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from glasstape_server.storage.folder_lock import FolderInUseError, FolderLock

LIVE = "live"
DATABASES = ("journal.sqlite", "bars.sqlite")
"""Databases in the order of copying: the journal first, so that its copy refers only to bars that are copied too."""
ARTIFACTS = "artifacts"

__all__ = ["ARTIFACTS", "DATABASES", "LIVE", "FolderInUseError", "journal_of", "lock_folder"]


def journal_of(folder: Path) -> Path:
    """Return the path of the live journal."""
    return folder / LIVE / DATABASES[0]


@contextmanager
def lock_folder(folder: Path) -> Iterator[None]:
    """Lock a data folder while the context is entered, so that no server starts on it.

    Raises:
        FolderInUseError: a server is running on it.
    """
    lock = FolderLock(folder)
    try:
        yield
    finally:
        lock.release()
