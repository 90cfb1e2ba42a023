"""Files of model versions on disk: their folders and order, whether they changed, and whether they may serve."""

import re
from pathlib import Path

from glasstape_server.models import artifact
from glasstape_server.models.artifact import ArtifactError
from glasstape_server.models.model import Model
from glasstape_server.storage import files

Stamp = tuple[tuple[str, files.Stamp], ...]
"""Name and stamp of each file of a folder."""
RULE = "give other files a new version"


def version_folders(root: Path) -> list[Path]:
    """Return the folders ROOT/NAME/VERSION."""
    if not root.is_dir():
        return []
    return [
        version
        for name in sorted(root.iterdir())
        if name.is_dir() and not name.name.startswith((".", "_"))
        for version in sorted(name.iterdir())
        if version.is_dir() and not version.name.startswith(".")
    ]


def version_order(key: tuple[str, str]) -> tuple[str, tuple[tuple[int, int, str], ...]]:
    """Return a key that sorts (name, version) by name, then newest version first; digits count as numbers."""
    name, version = key
    parts = re.findall(r"[0-9]+|[^0-9]+", version)
    return name, tuple((-int(p), 0, "") if p[0] in "0123456789" else (0, 1, p) for p in parts)


def printable(name: str) -> str:
    """Return a folder's name as printable text for logs and messages."""
    return name if name.isprintable() else name.encode("unicode_escape").decode()


def stamp_of(folder: Path) -> Stamp:
    """Return the stamp of a folder; it changes whenever one of its files does."""
    paths = sorted(folder.iterdir()) if folder.is_dir() else []
    return tuple((path.name, files.stamp_of(path)) for path in paths)


def load_known(folder: Path, known: str) -> Model:
    """Load a version that does not serve yet.

    Args:
        folder: NAME/VERSION.
        known: digest with which this name and version served before; empty: it did not.

    Raises:
        ArtifactError: the files are invalid, or others than those that served.
    """
    model = artifact.load(folder)
    if known not in ("", model.ref.digest):
        name = f"{model.ref.name}@{model.ref.version}"
        raise ArtifactError(f"{name} served with other files ({_change(known, model)}): {RULE}")
    return model


def check_unchanged(folder: Path, served: Model) -> None:
    """Check that a folder still holds the version that was loaded from it.

    Raises:
        ArtifactError: it does not.
    """
    subject = f"the files of {served.ref.name}@{served.ref.version} changed after it was loaded"
    try:
        model = artifact.load(folder)
    except (ArtifactError, OSError) as error:
        raise ArtifactError(f"{subject}: {error}") from None
    if model.ref.digest != served.ref.digest:
        raise ArtifactError(f"{subject} ({_change(served.ref.digest, model)}): {RULE}")


def load_archived(archive: Path, digest: str) -> Model:
    """Load the archived copy of a version.

    Raises:
        ArtifactError: it is missing or damaged, or has another digest.
    """
    model = artifact.load(archive / digest, archived=True)
    if model.ref.digest != digest:
        raise ArtifactError(f"the archived copy has the digest {model.ref.digest[:12]}")
    return model


def _change(before: str, model: Model) -> str:
    return f"digest {before[:12]}, now {model.ref.digest[:12]}"
