"""Candidates of a model: versions that were trained to replace the active one, and were not promoted yet."""

import json
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock, Timeout

from glasstape_server.storage import files

FOLDER = ".retrain"
"""Folder of the lists of candidates, inside the folder of models."""


class RetrainingError(ValueError):
    """A retraining that cannot be done; the text gives the cause."""


class Candidates:
    """The candidates of one model, in a file that is written with every change."""

    def __init__(self, root: Path, name: str) -> None:
        """Read the file; versions that do not exist are left out.

        Raises:
            RetrainingError: the file is damaged.
        """
        self._folder = root / name
        self._path = root / FOLDER / f"{name}.json"
        self._listed = [version for version in self._read() if (self._folder / version).is_dir()]

    @property
    def versions(self) -> list[str]:
        """Versions, oldest first."""
        return list(self._listed)

    def add(self, version: str) -> None:
        """Add a version before it is saved, so that it is listed wherever the process ends."""
        self._write([*self._listed, version])

    def promoted(self, version: str) -> list[str]:
        """Leave out a version that was promoted, and remove older candidates; return their versions."""
        if version not in self._listed:
            return []
        older = self._listed[: self._listed.index(version)]
        self.remove(older)
        self._write([other for other in self._listed if other != version])
        return older

    def remove(self, versions: list[str]) -> None:
        """Remove versions with their files."""
        for version in versions:
            folder = self._folder / version
            hidden = folder.with_name(f".{version}.removed")
            folder.rename(hidden)  # at once, for a server that polls the folder
            shutil.rmtree(hidden)
            self._write([other for other in self._listed if other != version])

    def _read(self) -> list[str]:
        if not self._path.is_file():
            return []
        try:
            return [str(version) for version in json.loads(self._path.read_bytes())["candidates"]]
        except (ValueError, KeyError, TypeError) as error:
            raise RetrainingError(
                f"{self._path}: damaged ({error}); delete it, and promote candidates by hand"
            ) from None

    def _write(self, versions: list[str]) -> None:
        files.write(self._path, json.dumps({"candidates": versions}, indent=1) + "\n")
        self._listed = versions


@contextmanager
def candidates_of(root: Path, name: str) -> Iterator[Candidates]:
    """Yield the candidates of a model, for one process at a time.

    Raises:
        RetrainingError: another process has them, or the file is damaged.
    """
    (root / FOLDER).mkdir(parents=True, exist_ok=True)
    lock = FileLock(root / FOLDER / f"{name}.lock")
    try:
        lock.acquire(timeout=0)
    except Timeout:
        raise RetrainingError(f"{root / name}: another retraining of {name} runs") from None
    try:
        yield Candidates(root, name)
    finally:
        lock.release()
