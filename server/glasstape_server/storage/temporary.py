"""Folders for what does not fit into memory: gone with their process, or swept by the next one."""

import os
import shutil
import tempfile
from pathlib import Path

PREFIX = "glasstape-"


def make(purpose: str) -> Path:
    """A new folder in the one for temporary files, named after this process; folders of dead ones are removed."""
    sweep()
    return Path(tempfile.mkdtemp(prefix=f"{PREFIX}{purpose}-{os.getpid()}-"))


def sweep() -> None:
    """Remove the folders of processes that were killed."""
    for folder in Path(tempfile.gettempdir()).glob(f"{PREFIX}*-*-*"):
        owner = folder.name.split("-")[2]
        if owner.isdigit() and not _alive(int(owner)):
            shutil.rmtree(folder, ignore_errors=True)  # another user's stays


def _alive(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except OSError:
        return True  # somebody else's
    return True
