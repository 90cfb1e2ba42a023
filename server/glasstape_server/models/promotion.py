"""The promoted version, which publishes signals: one line in a file beside the artifacts."""

from pathlib import Path

from glasstape.textfile import read_text

from glasstape_server.models import artifact
from glasstape_server.models.artifact import ArtifactError
from glasstape_server.storage import files

PROMOTED = "PROMOTED"
"""File in the folder of artifacts: NAME@VERSION."""


def promote(root: Path, model: str) -> str:
    """Promote a version; return the previous one, NAME@VERSION, or "".

    A running server switches when it next polls the folder.

    Args:
        root: folder of artifacts.
        model: NAME@VERSION.

    Raises:
        ArtifactError: the version does not exist or must not serve.
    """
    name, _, version = model.partition("@")
    if not name or not version or Path(name).name != name or Path(version).name != version:
        raise ArtifactError(f"model: must be NAME@VERSION, is {model!r}")
    if not (root / name / version).is_dir():
        known = sorted(
            f"{folder.parent.name}@{folder.name}"
            for folder in root.glob("*/*")
            if (folder / artifact.MANIFEST).is_file()
        )
        raise ArtifactError(
            f"model: {model} does not exist in {root}; versions: {', '.join(known) or 'none'}"
        )
    artifact.load(root / name / version)
    try:
        previous = promoted(root)
    except ArtifactError:
        previous = ""  # a file that cannot be read is replaced
    files.write(root / PROMOTED, f"{model}\n")
    return previous


def promoted(root: Path) -> str:
    """Return the promoted version, NAME@VERSION; empty if none was promoted.

    Raises:
        ArtifactError: the file cannot be read.
    """
    try:
        return read_text(root / PROMOTED).strip()[:200]
    except FileNotFoundError:
        return ""
    except (OSError, ValueError) as error:
        raise ArtifactError(f"{root / PROMOTED}: cannot be read: {error}") from None
