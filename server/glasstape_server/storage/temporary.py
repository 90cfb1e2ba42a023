"""Temporary folders for data that does not fit into memory. Those of ended processes are removed by the next one."""

import os
import shutil
import tempfile
from pathlib import Path

PREFIX = "glasstape-"


def create_folder(purpose: str) -> Path:
    """Create a folder among the temporary files, named after `purpose` and this process.

    Folders that ended processes left are removed first.

    Raises:
        OSError: no folder for temporary files is writable.
    """
    parent = check_space()
    remove_stale()
    return Path(tempfile.mkdtemp(prefix=f"{PREFIX}{purpose}-{os.getpid()}-", dir=parent))


def check_space() -> Path:
    """Return the folder for temporary files.

    Raises:
        OSError: none is writable; the text says what to do.
    """
    try:
        return Path(tempfile.gettempdir())
    except FileNotFoundError:
        raise OSError("temporary files: no folder is writable; set TMPDIR to one that is") from None


def remove_stale() -> None:
    """Remove the temporary folders of processes that have ended."""
    for folder in Path(tempfile.gettempdir()).glob(f"{PREFIX}*-*-*"):
        owner = folder.name.split("-")[2]
        if owner.isdigit() and not is_running(int(owner)):
            shutil.rmtree(folder, ignore_errors=True)  # those of other users stay


def is_running(process: int) -> bool:
    """Return whether a process of this number runs."""
    try:
        os.kill(process, 0)
    except (ProcessLookupError, OverflowError):
        return False
    except OSError:
        return True  # it runs, as another user
    return True
