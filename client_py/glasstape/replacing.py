"""Files that are replaced whole: drafts beside them, and what may not be replaced."""

import errno
import itertools
import os
import shutil
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

_KINDS = ((stat.S_ISDIR, "a folder"), (stat.S_ISFIFO, "a pipe"), (stat.S_ISSOCK, "a socket"))
_numbers = itertools.count()


def replaceable(path: Path) -> Path:
    """Return the regular file that a path names, with links followed; it need not exist.

    Raises:
        OSError: the path names a folder, a device, a pipe or a socket.
    """
    try:
        mode = path.stat().st_mode
    except FileNotFoundError:
        mode = stat.S_IFREG
    if not stat.S_ISREG(mode):
        kind = next((name for matches, name in _KINDS if matches(mode)), "a device")
        raise OSError(f"{path}: must be a regular file, is {kind}")
    return Path(os.path.realpath(path))


@contextmanager
def replacing(path: Path, *, durable: bool = True) -> Iterator[Path]:
    """Yield a draft that replaces a file when the block ends; if it raises, the file stays as it was.

    A link stays: the file that it names is replaced. A file that is replaced keeps its permissions.

    Args:
        path: the file.
        durable: flush the draft to the disk before it replaces the file.

    Raises:
        FileNotFoundError: the file's folder does not exist.
        OSError: the path names something else than a regular file, or the file cannot be replaced.
    """
    target = replaceable(path)
    if not target.parent.is_dir():
        raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), str(target.parent))
    draft = target.with_name(f".{target.name}.{os.getpid()}-{next(_numbers)}.new")
    try:
        yield draft
        if durable:
            with draft.open("rb+") as file:
                os.fsync(file.fileno())
        if replaceable(path) == target and target.exists():
            shutil.copymode(target, draft)
        draft.replace(target)
    finally:
        draft.unlink(missing_ok=True)
