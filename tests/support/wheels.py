"""Build the distributions and install one of them with nothing but what it declares."""

import email
import os
import subprocess
import sys
import sysconfig
import venv
import zipfile
from email.message import Message
from importlib.metadata import distribution
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).resolve().parents[2]
FOLDERS = {"glasstape": "client_py", "glasstape-server": "server", "glasstape-desktop": "client_qt"}
"""Folder of each distribution's project."""


def build(project: Path, out: Path, target: str) -> Path:
    """Build a "wheel" or "sdist" of a project folder; returns the file."""
    command = [sys.executable, "-m", "hatchling", "build", "--target", target, "--directory", str(out)]
    built = subprocess.run(command, cwd=project, check=True, capture_output=True, text=True)
    return Path(built.stderr.split()[-1])


def contents(wheel: Path) -> dict[str, bytes]:
    """Return a wheel's files without its RECORD, by name."""
    with zipfile.ZipFile(wheel) as archive:
        return {name: archive.read(name) for name in archive.namelist() if not name.endswith("/RECORD")}


def metadata(wheel: Path) -> Message:
    """Return the core metadata of a wheel."""
    text = next(data for name, data in contents(wheel).items() if name.endswith(".dist-info/METADATA"))
    return email.message_from_bytes(text)


def closure(wheels: dict[str, Path], *wanted: str) -> tuple[set[str], set[str]]:
    """Resolve requirements against the wheels and this environment.

    Returns:
        Names of ours and of other distributions that they need, themselves included.

    Raises:
        AssertionError: a version does not satisfy what is required.
        PackageNotFoundError: a distribution is in neither place.
    """
    ours: set[str] = set()
    others: set[str] = set()
    seen = set()
    queue = [Requirement(line) for line in wanted]
    while queue:
        requirement = queue.pop()
        name = canonicalize_name(requirement.name)
        lines: list[str] | None
        if name in wheels:
            described = metadata(wheels[name])
            ours.add(name)
            version, lines = described["Version"], described.get_all("Requires-Dist")
        else:
            found = distribution(name)
            others.add(name)
            version, lines = found.version, found.requires
        assert requirement.specifier.contains(version, prereleases=True), f"{requirement}: {version}"
        for extra in ("", *requirement.extras):
            if (name, extra) in seen:
                continue
            seen.add((name, extra))
            needed = map(Requirement, lines or ())
            queue += [
                each for each in needed if each.marker is None or each.marker.evaluate({"extra": extra})
            ]
    return ours, others


class Installation:
    """A virtual environment that holds distributions of ours and exactly what they declare."""

    def __init__(self, folder: Path, wheels: dict[str, Path], *wanted: str) -> None:
        """Install from the wheels; other distributions are linked from this environment."""
        self.folder = folder
        venv.create(folder, with_pip=False, symlinks=True)
        paths = sysconfig.get_paths(scheme="venv", vars={"base": str(folder), "platbase": str(folder)})
        self.scripts, packages = Path(paths["scripts"]), Path(paths["purelib"])
        ours, others = closure(wheels, *wanted)
        for name in others:
            _link(name, packages)
        files = [str(wheels[name]) for name in ours]
        pip = [sys.executable, "-m", "pip", "--python", str(self.scripts / "python"), "install"]
        subprocess.run([*pip, "--quiet", "--no-deps", "--no-index", *files], check=True, capture_output=True)

    def run(self, *command: str) -> "subprocess.CompletedProcess[str]":
        """Run a program of the environment in its folder, without variables that reach outside."""
        hidden = ("PYTHONPATH", "PYTHONHOME", "VIRTUAL_ENV")
        clean = {key: value for key, value in os.environ.items() if key not in hidden}
        clean |= {"QT_QPA_PLATFORM": "offscreen", "HOME": str(self.folder)}
        program = [str(self.scripts / command[0]), *command[1:]]
        return subprocess.run(
            program, cwd=self.folder, env=clean, capture_output=True, text=True, timeout=100, check=False
        )


def _link(name: str, packages: Path) -> None:
    """Link every installed file of a distribution, except its scripts."""
    for file in distribution(name).files or ():
        if file.parts[0] == "..":
            continue
        target = packages / file
        target.parent.mkdir(parents=True, exist_ok=True)
        source = Path(str(file.locate()))
        if source.exists():
            target.symlink_to(source)
