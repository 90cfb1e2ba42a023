"""`glasstape models promote`: select the version that publishes signals."""

import sys
from pathlib import Path


def run(folder: Path, model: str) -> int:
    """Promote `model` (NAME@VERSION) in a model folder; return the exit status."""
    from glasstape_server.models.artifact import ArtifactError, load
    from glasstape_server.models.promotion import promote

    try:
        before = promote(folder, model)
        name, _, version = model.partition("@")
        manifest = load(folder / name / version).manifest
    except (ArtifactError, OSError) as error:
        print(f"glasstape models promote: {error}", file=sys.stderr)
        return 1
    print(f"promoted {model} (before: {before or 'none'}); servers with --model are not affected")
    if not manifest.beats_base_rate:
        print(f"{model} is not more accurate than the most frequent class", file=sys.stderr)
    for check in manifest.checks:
        if not check.passed:
            print(f"{model} failed {check.name}: {check.text}", file=sys.stderr)
    return 0
