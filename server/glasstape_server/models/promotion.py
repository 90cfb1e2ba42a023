"""Which version publishes, as somebody decided: one line beside the artifacts."""

from pathlib import Path

from glasstape_server.models import artifact
from glasstape_server.models.artifact import ArtifactError
from glasstape_server.storage import files

PROMOTED = "PROMOTED"
"""File in the folder of artifacts: NAME@VERSION."""


def promote(root: Path, model: str) -> str:
    """Make a version the one that publishes; a running server follows at its next look. Returns the one before.

    Args:
        root: folder of artifacts.
        model: NAME@VERSION.

    Raises:
        ArtifactError: there is no such version, or it must not serve.
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
        raise ArtifactError(f"model: there is no {model} in {root}; there is {', '.join(known) or 'none'}")
    artifact.load(root / name / version)
    try:
        before = promoted(root)
    except ArtifactError:
        before = ""  # what cannot be read is replaced
    files.write(root / PROMOTED, f"{model}\n")
    return before


def promoted(root: Path) -> str:
    """The promoted version, NAME@VERSION; empty if nobody chose one.

    Raises:
        ArtifactError: somebody did, and it cannot be read.
    """
    try:
        return (root / PROMOTED).read_text().strip()[:200]
    except FileNotFoundError:
        return ""
    except (OSError, UnicodeDecodeError) as error:
        raise ArtifactError(f"{root / PROMOTED}: cannot be read: {error}") from None
