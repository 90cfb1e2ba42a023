"""The version that a server without the setting `model` publishes, read from a folder of artifacts."""

from pathlib import Path

from glasstape_server.models.artifact import ArtifactError, read_manifest
from glasstape_server.models.manifest import Manifest
from glasstape_server.models.promotion import promoted
from glasstape_server.models.version_files import version_folders, version_order


def versions(root: Path) -> list[Manifest]:
    """Return the manifests of a folder by name, newest version first; unreadable ones are left out."""
    readable = []
    for folder in version_folders(root):
        try:
            readable.append(read_manifest(folder))
        except ArtifactError:
            continue
    return sorted(readable, key=lambda manifest: version_order((manifest.name, manifest.version)))


def published(root: Path, interval: str) -> tuple[str, bool]:
    """Return the version that publishes signals for bars of an interval, NAME@VERSION, and whether it was promoted.

    Without a promotion it is the newest version of the first name; empty if there is none.

    Raises:
        ArtifactError: the file of the promotion cannot be read.
    """
    if named := promoted(root):
        return named, True
    usable = [manifest for manifest in versions(root) if manifest.interval == interval]
    return (f"{usable[0].name}@{usable[0].version}", False) if usable else ("", False)
