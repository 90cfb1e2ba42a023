"""Layout and lock of a server's data folder, for commands other than serve."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

LIVE = "live"
DATABASES = ("journal.sqlite", "bars.sqlite")
"""Databases in the order of copying: the journal first, so that its copy refers only to bars that are copied too."""
ARTIFACTS = "artifacts"


class FolderInUseError(Exception):
    """A server is running on the folder."""


def journal_of(folder: Path) -> Path:
    """Return the path of the live journal."""
    return folder / LIVE / DATABASES[0]


@contextmanager
def lock_folder(folder: Path) -> Iterator[None]:
    """Lock a data folder while the context is entered, so that no server starts on it.

    Raises:
        FolderInUseError: a server is running on it.
    """
    from filelock import FileLock, Timeout

    lock = FileLock(folder / "lock")
    try:
        lock.acquire(timeout=0)
    except Timeout:
        raise FolderInUseError(f"{folder} is in use by a server; stop it first") from None
    try:
        yield
    finally:
        lock.release()
