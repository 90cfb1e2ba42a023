"""What the three distributions contain and declare."""

import re
import shutil
import tarfile
import tomllib

import pytest
from glasstape.cli import EXTRA_OF_COMMAND
from packaging.requirements import Requirement
from wheels import FOLDERS, ROOT, build, closure, contents, metadata

PACKAGES = {
    "glasstape": "glasstape",
    "glasstape-server": "glasstape_server",
    "glasstape-desktop": "glasstape_qt",
}
LICENSES = {"glasstape": "Apache-2.0", "glasstape-server": "Apache-2.0", "glasstape-desktop": "GPL-3.0-only"}
MEBIBYTE = 1 << 20
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
DISTRIBUTIONS = pytest.mark.parametrize("name", FOLDERS)


@DISTRIBUTIONS
def test_a_wheel_holds_its_own_package_alone(wheels, name):
    top = {file.split("/")[0] for file in contents(wheels[name])}
    assert top == {PACKAGES[name], f"{name.replace('-', '_')}-{PROJECT['version']}.dist-info"}


def test_the_sdk_is_small_and_carries_the_contract(wheels):
    assert wheels["glasstape"].stat().st_size <= MEBIBYTE
    protos = {f"glasstape/v1/{path.name}" for path in (ROOT / "proto/glasstape/v1").glob("*.proto")}
    assert protos
    assert protos | {"glasstape/py.typed"} <= contents(wheels["glasstape"]).keys()


def test_what_only_developers_run_is_in_no_wheel(wheels):
    for wheel in wheels.values():
        assert not [name for name in contents(wheel) if re.search(r"/(peers|film|pictures|tests?)[./]", name)]


@DISTRIBUTIONS
def test_a_wheel_carries_its_license(wheels, name):
    described = metadata(wheels[name])
    assert described["License-Expression"] == LICENSES[name]
    files = contents(wheels[name])
    for file in described.get_all("License-File"):
        assert any(path.endswith(f".dist-info/licenses/{file}") for path in files), file
    text = next(data for path, data in files.items() if path.endswith("licenses/LICENSE")).decode()
    title = "GNU GENERAL PUBLIC LICENSE" if "GPL" in LICENSES[name] else "Apache License"
    assert title in text[:500]


@pytest.mark.parametrize("folder", ["client_py", "server"])
def test_a_copied_license_is_the_repositorys(folder):
    assert (ROOT / folder / "LICENSE").read_bytes() == (ROOT / "LICENSE").read_bytes()


def test_versions_are_in_lockstep(wheels):
    version = PROJECT["version"]
    for name, wheel in wheels.items():
        assert metadata(wheel)["Version"] == version
        siblings = [
            requirement
            for requirement in map(Requirement, metadata(wheel).get_all("Requires-Dist"))
            if requirement.name in FOLDERS
        ]
        assert siblings, name
        assert {str(requirement.specifier) for requirement in siblings} == {f"=={version}"}
    for package in ("client_py/glasstape", "server/glasstape_server"):
        text = (ROOT / package / "__init__.py").read_text()
        assert f'__version__ = "{version}"' in text, package


def _entry_points(wheel):
    text = next(data for name, data in contents(wheel).items() if name.endswith("/entry_points.txt")).decode()
    group, found = "", set()
    for line in text.splitlines():
        if line.startswith("["):
            group = line.strip("[]")
        elif line:
            found.add((group, *line.split(" = ")))
    return found


def test_every_entry_point_is_registered_by_the_distribution_that_holds_it(wheels):
    groups = {"console_scripts": PROJECT["scripts"], **PROJECT["entry-points"]}
    declared = {(group, name, target) for group, names in groups.items() for name, target in names.items()}
    shipped = {name: _entry_points(wheel) for name, wheel in wheels.items()}
    assert set().union(*shipped.values()) == declared
    for name, entries in shipped.items():
        assert {target.split(".")[0] for _, _, target in entries} == {PACKAGES[name]}


def test_the_command_knows_which_extra_brings_the_commands_of_others(wheels):
    extras = {"server": "glasstape-server", "desktop": "glasstape-desktop"}
    others = {
        command: extra
        for extra, name in extras.items()
        for group, command, _ in _entry_points(wheels[name])
        if group == "glasstape.commands"
    }
    assert others == EXTRA_OF_COMMAND


@pytest.mark.parametrize("extra", sorted(PROJECT["optional-dependencies"]))
def test_every_extra_resolves_to_our_wheels_and_to_what_is_tested(wheels, extra):
    ours, others = closure(wheels, f"glasstape[{extra}]")
    expected = {
        "server": 2,
        "desktop": 2,
        "fast": 2,
        "lightgbm": 2,
        "search": 2,
        "mlflow": 2,
        "tracing": 2,
        "web": 2,
        "all": 3,
        "dev": 3,
    }
    assert len(ours) == expected.get(extra, 1)
    assert ("torch" in others) == ("glasstape-server" in ours)
    assert ("pyqt6" in others) == ("glasstape-desktop" in ours)
    assert ("pygrpc-native" in others) == (extra in ("fast", "dev"))


def test_documented_extras_exist(wheels):
    pages = [ROOT / "README.md", *(ROOT / "docs").rglob("*.md"), *ROOT.glob("client_*/README.md")]
    named = {
        extra
        for page in pages
        for group in re.findall(r"glasstape\[([\w,]+)\]", page.read_text())
        for extra in group.split(",")
    }
    assert named
    assert named <= set(metadata(wheels["glasstape"]).get_all("Provides-Extra"))


@DISTRIBUTIONS
def test_a_source_distribution_builds_the_same_wheel_without_the_repository(wheels, name, tmp_path):
    sdist = build(ROOT / FOLDERS[name], tmp_path, "sdist")
    with tarfile.open(sdist) as archive:
        archive.extractall(tmp_path, filter="data")
    again = build(tmp_path / sdist.name.removesuffix(".tar.gz"), tmp_path / "out", "wheel")
    assert contents(again) == contents(wheels[name])


@DISTRIBUTIONS
def test_a_build_is_reproducible(wheels, name, tmp_path):
    assert build(ROOT / FOLDERS[name], tmp_path, "wheel").read_bytes() == wheels[name].read_bytes()


def test_the_containers_context_is_enough_to_build_what_it_installs(tmp_path):
    lines = (ROOT / ".dockerignore").read_text().splitlines()
    for name in (line.removeprefix("!") for line in lines if line.startswith("!")):
        if (ROOT / name).is_dir():
            shutil.copytree(ROOT / name, tmp_path / name)
        else:
            shutil.copy(ROOT / name, tmp_path)
    recipe = (ROOT / "deploy/Containerfile").read_text()
    installed = re.findall(r" \./(\w+)", recipe.split("pip install")[1].splitlines()[0])
    assert installed == ["client_py", "server"]
    for folder in installed:
        assert build(tmp_path / folder, tmp_path / "out", "wheel").exists()
