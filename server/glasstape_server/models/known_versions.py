"""Digests of the versions that a data folder has served: name@version names the same bytes for good."""

import json
from pathlib import Path

from glasstape_server.domain.signals import ModelRef
from glasstape_server.models import artifact
from glasstape_server.models.artifact import ArtifactError
from glasstape_server.storage.files import write

FILE = "versions.json"


class KnownVersions:
    """The digest of each name@version, in a file beside the archived models.

    A folder without the file was written by a version of Glasstape that kept none: what its archive holds is known.
    """

    def __init__(self, archive: Path) -> None:
        """Read the file.

        Args:
            archive: folder of archived models, by digest.

        Raises:
            ValueError: the file is damaged.
        """
        self._path = archive / FILE
        self._digests = _read(self._path) if self._path.is_file() else _archived(archive)

    def digest(self, name: str, version: str) -> str:
        """Return the digest that a version had when it was first served; empty: it was not."""
        return self._digests.get(f"{name}@{version}", "")

    def remember(self, ref: ModelRef) -> None:
        """Record the digest of a version that is to serve, durably.

        Raises:
            OSError: it cannot be written.
        """
        key = f"{ref.name}@{ref.version}"
        if self._path.is_file() and self._digests.get(key) == ref.digest:
            return
        digests = {**self._digests, key: ref.digest}
        self._path.parent.mkdir(parents=True, exist_ok=True)
        write(self._path, json.dumps(digests, indent=1, sort_keys=True))
        self._digests = digests


def _read(path: Path) -> dict[str, str]:
    """Return the content of the file.

    Raises:
        ValueError: it is damaged.
    """
    try:
        digests = json.loads(path.read_bytes())
    except ValueError as error:
        raise ValueError(f"{path}: must be JSON: {error}; restore it from a backup") from None
    if not isinstance(digests, dict) or not all(isinstance(value, str) for value in digests.values()):
        raise ValueError(f"{path}: must be an object of digests; restore it from a backup")
    return digests


def _archived(archive: Path) -> dict[str, str]:
    """Return the newest digest of each version in the archive; a damaged copy is left out."""
    digests = {}
    folders = [path for path in archive.glob("*") if path.is_dir()] if archive.is_dir() else []
    for folder in sorted(folders, key=lambda path: path.stat().st_mtime):
        try:
            manifest = artifact.read_manifest(folder, archived=True)
        except ArtifactError:
            continue
        digests[f"{manifest.name}@{manifest.version}"] = folder.name
    return digests
