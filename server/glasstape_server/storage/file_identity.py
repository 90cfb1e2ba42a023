"""Whether an open file is still the one in its folder: what is written to a file that was removed is lost."""

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class FileIdentity:
    """A file in a folder, which a process holds open."""

    path: Path
    device: int
    inode: int

    @classmethod
    def of(cls, path: Path) -> "FileIdentity":
        """Return the identity of the file that is there now.

        Raises:
            OSError: there is none, or it cannot be read.
        """
        status = path.stat()
        return cls(path, status.st_dev, status.st_ino)

    def problem(self) -> str:
        """Return what happened to the file; empty if it is still there."""
        try:
            status = self.path.stat()
        except OSError as error:
            return f"{self.path} is no longer in its folder: {error.strerror or error}"
        if (status.st_dev, status.st_ino) != (self.device, self.inode):
            return f"{self.path} was replaced by another file while the server runs"
        return ""
