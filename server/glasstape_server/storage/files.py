"""What it takes for a file to outlive a power cut, beside writing it."""

import os
from pathlib import Path


def sync(path: Path) -> None:
    """Have the disk keep a file as it is, or of a folder the names in it."""
    opened = os.open(path, os.O_RDONLY)
    try:
        os.fsync(opened)
    finally:
        os.close(opened)


def restoring(folder: Path) -> Path:
    """Where a folder is put together that a backup is restored into, before it takes its name."""
    return folder.with_name(folder.name + ".restoring")
