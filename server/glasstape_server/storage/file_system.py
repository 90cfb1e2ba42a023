"""The kind of file system that a folder is on. Locks and shared memory of SQLite work on local ones only."""

import os
import re
import sys
from dataclasses import dataclass
from pathlib import Path

MOUNTS = Path("/proc/self/mountinfo")

_NETWORK = {
    "9p", "acfs", "afs", "beegfs", "ceph", "cifs", "coda", "gfs2", "glusterfs", "gpfs", "lustre", "ncpfs", "nfs",
    "nfs4", "ocfs2", "orangefs", "panfs", "prl_fs", "pvfs2", "smb3", "smbfs", "vboxsf", "virtiofs", "vmhgfs",
}  # fmt: skip
_FUSE = re.compile(r"fuse(blk)?(\.|$)")
_OCTAL = re.compile(r"\\([0-7]{3})")


@dataclass(frozen=True, slots=True)
class FileSystem:
    """A mounted file system."""

    type: str
    source: str
    """Device or server that is mounted."""

    @property
    def shared(self) -> bool:
        """Whether other hosts, or other mounts of this host, may write the same files without seeing our locks."""
        return self.type in _NETWORK or _FUSE.match(self.type) is not None

    def __str__(self) -> str:
        return f"{self.type} ({self.source})"


def file_system_of(folder: Path, mounts: Path = MOUNTS) -> FileSystem:
    """Return the file system of an existing folder; its type is "unknown" where the system does not tell it.

    Args:
        folder: the folder.
        mounts: table of mounts, as Linux has it.
    """
    real = folder.resolve()
    if sys.platform == "win32":
        return _windows_drive(real)
    try:
        lines = os.fsdecode(mounts.read_bytes()).splitlines()
    except OSError:
        return FileSystem("unknown", "")
    found, length = FileSystem("unknown", ""), -1
    for line in lines:
        before, _, after = line.partition(" - ")
        place = Path(_unescaped(before.split()[4]))
        # Of mounts on one place, the last one is visible.
        if real.is_relative_to(place) and len(place.parts) >= length:
            kind, source = after.split()[:2]
            found, length = FileSystem(kind, _unescaped(source)), len(place.parts)
    return found


def _unescaped(text: str) -> str:
    return _OCTAL.sub(lambda match: chr(int(match[1], 8)), text)


def _windows_drive(folder: Path) -> FileSystem:
    if sys.platform == "win32":
        import ctypes

        remote = 4
        if folder.drive.startswith("\\\\") or ctypes.windll.kernel32.GetDriveTypeW(folder.anchor) == remote:
            return FileSystem("smbfs", folder.drive)
    return FileSystem("unknown", folder.drive)
