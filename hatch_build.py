"""Build hooks that give each distribution its share of this repository's pyproject.toml.

`client_py/`, `server/` and `client_qt/` each hold a pyproject.toml with the name, license and files of one
distribution. Version, supported Pythons, dependencies, extras and entry points stay in the pyproject.toml beside
this file; its table `[tool.glasstape.distributions]` assigns extras and import packages to distributions.
A source distribution gets a pyproject.toml with everything written out and builds without this file.
"""

import json
import tempfile
import tomllib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface
from hatchling.metadata.plugin.interface import MetadataHookInterface
from packaging.requirements import Requirement

ROOT = Path(__file__).resolve().parent


def load(path: Path) -> dict[str, Any]:
    """Read a TOML file."""
    return tomllib.loads(path.read_text(encoding="utf-8"))


def metadata_of(name: str, root: Mapping[str, Any]) -> dict[str, Any]:
    """Return the dynamic `[project]` fields of a distribution.

    Args:
        name: a key of `[tool.glasstape.distributions]`.
        root: the parsed pyproject.toml of the repository.

    Raises:
        KeyError: there is no such distribution, or no such extra.
    """
    project, distributions = root["project"], root["tool"]["glasstape"]["distributions"]
    base, version = project["name"], project["version"]
    extras: Mapping[str, Sequence[str]] = project["optional-dependencies"]
    own = distributions[name]
    if name == base:
        dependencies = list(project["dependencies"])
        optional = {extra: list(lines) for extra, lines in extras.items()}
        for other, share in distributions.items():
            if other != base:
                optional[share["extra"]] = [f"{other}=={version}"]
                optional |= {extra: [f"{other}[{extra}]=={version}"] for extra in share.get("extras", ())}
    else:
        dependencies = _pinned(extras[own["extra"]], base, version, inside=own["extra"])
        if not any(Requirement(line).name == base for line in dependencies):
            dependencies.insert(0, f"{base}=={version}")
        optional = {
            extra: _pinned(extras[extra], base, version, inside=own["extra"])
            for extra in own.get("extras", ())
        }
    package = own["package"]
    groups = {group: _of_package(entries, package) for group, entries in project["entry-points"].items()}
    return {
        "version": version,
        "requires-python": project["requires-python"],
        "dependencies": dependencies,
        "optional-dependencies": optional,
        "scripts": _of_package(project["scripts"], package),
        "entry-points": {group: entries for group, entries in groups.items() if entries},
    }


def _pinned(lines: Sequence[str], base: str, version: str, *, inside: str) -> list[str]:
    """Pin references to the base distribution; drop `base[inside]`, which is the distribution itself."""
    pinned = []
    for line in lines:
        requirement = Requirement(line)
        if requirement.name != base:
            pinned.append(line)
        elif rest := sorted(requirement.extras - {inside}):
            pinned.append(f"{base}[{','.join(rest)}]=={version}")
    return pinned


def _of_package(entries: Mapping[str, str], package: str) -> dict[str, str]:
    """Return the entry points whose module lies in an import package."""
    return {name: target for name, target in entries.items() if target.split(".")[0] == package}


class MetadataHook(MetadataHookInterface):
    """Fills the dynamic fields of a distribution's `[project]` table."""

    def update(self, metadata: dict[str, Any]) -> None:
        """Add the fields to the table in place."""
        metadata.update(metadata_of(metadata["name"], load(ROOT / "pyproject.toml")))


class BuildHook(BuildHookInterface):  # type: ignore[type-arg]
    """Writes a static pyproject.toml into source distributions."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Replace the project file of a source distribution; other targets stay as they are."""
        if self.target_name != "sdist":
            return
        folder = Path(self.root)
        self._scratch = tempfile.TemporaryDirectory(prefix="glasstape-sdist-")
        static = Path(self._scratch.name, "pyproject.toml")
        static.write_text(static_project(load(folder / "pyproject.toml")), encoding="utf-8")
        included = build_data["force_include"]
        for source, target in list(included.items()):
            if target in ("pyproject.toml", ".gitignore"):
                del included[source]
        included[str(static)] = "pyproject.toml"

    def finalize(self, version: str, build_data: dict[str, Any], artifact_path: str) -> None:
        """Remove the temporary project file."""
        if self.target_name == "sdist":
            self._scratch.cleanup()


def static_project(local: Mapping[str, Any]) -> str:
    """Return the text of a distribution's pyproject.toml without dynamic fields and without hooks.

    Args:
        local: the parsed pyproject.toml of the distribution.
    """
    project = {key: value for key, value in local["project"].items() if key != "dynamic"}
    project |= metadata_of(project["name"], load(ROOT / "pyproject.toml"))
    packages = local["tool"]["hatch"]["build"]["targets"]["wheel"]["packages"]
    return "\n".join(
        [
            *_table("build-system", local["build-system"]),
            *_table("project", project),
            *_table("tool.hatch.build.targets.wheel", {"packages": packages}),
        ]
    )


def _table(name: str, values: Mapping[str, Any]) -> list[str]:
    """Return the lines of a TOML table of strings, lists and tables; JSON writes the first two as TOML does."""
    lines = [f"[{name}]"]
    nested = []
    for key, value in values.items():
        if isinstance(value, Mapping):
            nested += _table(f"{name}.{json.dumps(key)}", value)
        else:
            lines.append(f"{json.dumps(key)} = {json.dumps(value, ensure_ascii=False)}")
    return [*lines, "", *nested]
