from collections.abc import Callable
from pathlib import Path

import pytest
from wheels import FOLDERS, ROOT, Installation, build


@pytest.fixture(scope="session")
def wheels(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """The wheel of each distribution, built from the working tree."""
    out = tmp_path_factory.mktemp("wheels")
    return {name: build(ROOT / folder, out, "wheel") for name, folder in FOLDERS.items()}


@pytest.fixture(scope="session")
def install(
    wheels: dict[str, Path], tmp_path_factory: pytest.TempPathFactory
) -> Callable[[str], Installation]:
    """Installs a requirement alone in an environment that is kept for the session."""
    made: dict[str, Installation] = {}

    def installed(requirement: str) -> Installation:
        if requirement not in made:
            made[requirement] = Installation(tmp_path_factory.mktemp("venv"), wheels, requirement)
        return made[requirement]

    return installed
