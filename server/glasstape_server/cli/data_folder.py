"""A server's data folder, as commands beside the server see it."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

LIVE = "live"
DATABASES = ("journal.sqlite", "bars.sqlite")
"""The journal first: a copy of it never knows of bars that the copy of the bars does not have."""
ARTEFACTS = "artifacts"


class Held(Exception):
    """A server runs on the folder."""


def journal_of(folder: Path) -> Path:
    """The live journal."""
    return folder / LIVE / DATABASES[0]


@contextmanager
def held(folder: Path) -> Iterator[None]:
    """Keep servers off a folder.

    Raises:
        Held: one is on it.
    """
    from filelock import FileLock, Timeout

    lock = FileLock(folder / "lock")
    try:
        lock.acquire(timeout=0)
    except Timeout:
        raise Held(f"{folder} is in use by a server; stop it first") from None
    try:
        yield
    finally:
        lock.release()
