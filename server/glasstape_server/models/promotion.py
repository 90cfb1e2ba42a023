"""Which version publishes, as somebody decided: one line beside the artefacts."""

import os
from pathlib import Path

from glasstape_server.models import artefact
from glasstape_server.models.artefact import ArtefactError

PROMOTED = "PROMOTED"
"""File in the folder of artefacts: NAME@VERSION."""


def promote(root: Path, model: str) -> str:
    """Make a version the one that publishes; a running server follows at its next look. Returns the one before.

    Args:
        root: folder of artefacts.
        model: NAME@VERSION.

    Raises:
        ArtefactError: there is no such version, or it must not serve.
    """
    name, _, version = model.partition("@")
    if not name or not version or Path(name).name != name or Path(version).name != version:
        raise ArtefactError(f"model: must be NAME@VERSION, is {model!r}")
    if not (root / name / version).is_dir():
        known = sorted(
            f"{folder.parent.name}@{folder.name}"
            for folder in root.glob("*/*")
            if (folder / artefact.MANIFEST).is_file()
        )
        raise ArtefactError(f"model: there is no {model} in {root}; there is {', '.join(known) or 'none'}")
    artefact.load(root / name / version)
    try:
        before = promoted(root)
    except ArtefactError:
        before = ""  # what cannot be read is replaced
    draft = root / f".{PROMOTED}.new"
    try:
        with draft.open("w") as file:
            file.write(f"{model}\n")
            file.flush()
            os.fsync(file.fileno())
        draft.replace(root / PROMOTED)
    finally:
        draft.unlink(missing_ok=True)
    return before


def promoted(root: Path) -> str:
    """The promoted version, NAME@VERSION; empty if nobody chose one.

    Raises:
        ArtefactError: somebody did, and it cannot be read.
    """
    try:
        return (root / PROMOTED).read_text().strip()[:200]
    except FileNotFoundError:
        return ""
    except (OSError, UnicodeDecodeError) as error:
        raise ArtefactError(f"{root / PROMOTED}: cannot be read: {error}") from None
